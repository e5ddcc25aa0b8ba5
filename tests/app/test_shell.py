"""What a person sees."""

from __future__ import annotations

from math import inf
from typing import Any

from app import schemas
from app.shell import (
    as_text,
    benchmark_as_text,
    comparison_lines,
    domain_shift_as_text,
    miracl_as_text,
    pair_table,
    report_as_text,
)


def test_hits_are_numbered_with_score_language_and_title() -> None:
    hit = schemas.Hit(
        id="de:a", score=0.51234, lang="de", title="Titel", text="Text " * 100, document="de:a"
    )
    answer = schemas.SearchResponse(
        corpus="c",
        version="v",
        encoder="e",
        took_ms=schemas.Took(queue=0, encode=0, search=0),
        results=[schemas.Result(query="q", hits=[hit, hit])],
    )
    lines = as_text(answer).splitlines()
    assert lines[0] == "  1. 0.512  de  de:a  Titel"
    assert lines[1].endswith("...")
    assert len(lines[1]) <= 105
    assert lines[2].startswith("  2. ")


def test_no_hits_are_said() -> None:
    answer = schemas.SearchResponse(
        corpus="c",
        version="v",
        encoder="e",
        took_ms=schemas.Took(queue=0, encode=0, search=0),
        results=[schemas.Result(query="q", hits=[])],
    )
    assert as_text(answer) == "no hits"


def test_the_pair_table_has_a_row_a_question_language() -> None:
    pairs = {"de->en": {"MRR@10": 0.5}, "en->de": {"MRR@10": 0.25}, "de->de": {"MRR@10": 1.0}}
    head, columns, de, en = pair_table(pairs, "MRR@10")
    assert head == "  MRR@10, question language down, passage language across"
    assert columns.split() == ["de", "en"]
    assert de.split() == ["de", "1.000", "0.500"]
    assert en.split() == ["en", "0.250"]
    assert pair_table({}, "MRR@10") == []


def test_a_report_shows_measures_with_their_intervals() -> None:
    text = report_as_text(
        {
            "corpus": "demo",
            "version": "v000001",
            "encoder": "abc",
            "queries": {"judged": 7, "without_positives": 2, "missing": 1},
            "measures": {"MRR@10": {"mean": 0.5, "ci95": [0.4, 0.6], "n": 7}},
            "by_language_pair": {"de->de": {"n": 7, "MRR@10": 0.5}},
            "language_bias": {"rank_distance": 12.4},
            "lint": [
                {
                    "rule": "undeclared-language",
                    "message": "3 judged queries declare no language",
                    "examples": ["'a'", "'b'", "'c'"],
                    "file": "queries.jsonl",
                    "line": 4,
                }
            ],
        }
    )
    assert "0.5000  [0.4000, 0.6000]  n=7" in text
    assert "rank distance 12" in text
    assert "3 judged queries declare no language ('a', 'b', 'c', queries.jsonl:4)" in text


def test_benchmark_figures_are_one_line_a_protocol() -> None:
    text = benchmark_as_text(
        {
            "mode": "dense",
            "published_counts": False,
            "encoder": {"fingerprint": "abc"},
            "monolingual": {"mAP": 0.5, "by_language": {}},
            "cross_lingual": {"mAP": 0.25, "by_pair": {"de->en": {"mAP": 0.25}}},
            "multilingual": {"mAP": 0.125, "rank_distance": 99.6, "by_language": {}},
        }
    )
    assert "monolingual    mAP 0.500" in text
    assert "rank_distance 100" in text
    assert "not the whole of XQuAD-R" in text


def compared(difference: float, low: float, high: float, p: float = 0.5) -> dict[str, Any]:
    counts = {"wins": 3, "ties": 2, "losses": 1}
    return {"difference": difference, "ci95": (low, high), "p": p, "p_holm": p, **counts}


def test_a_comparison_has_a_line_for_every_view_and_measure() -> None:
    entries = {
        "pool": {"mAP": compared(0.125, -0.25, 0.5), "rank_distance": compared(-41.26, -50, -30.5)},
        "monolingual": {"mAP": compared(0.5, -inf, inf, 1.0)},
    }
    baseline = {"file": "f.json", "corpus": "demo", "version": "v1", "encoder": "abc"}
    assert comparison_lines({"comparison": {"baseline": baseline, "overall": entries}}) == [
        "  against f.json (demo v1, abc): difference, 95% interval, p",
        "  pool mAP                     +0.1250  [-0.2500, +0.5000]  p 0.5000  3/2/1 won/tied/lost",
        "  pool rank_distance           -41.3  [-50.0, -30.5]  p 0.5000  3/2/1 won/tied/lost",
        "  monolingual mAP              +0.5000  [-inf, +inf]  p 1.0000  3/2/1 won/tied/lost",
    ]
    assert comparison_lines({}) == []


def test_a_baseline_is_named_by_its_fingerprint_or_as_a_run() -> None:
    for encoder, shown in (({"path": "p", "fingerprint": "abc"}, "abc"), (None, "a run")):
        baseline = {"file": "f", "corpus": "miracl", "version": "", "encoder": encoder}
        (line,) = comparison_lines({"comparison": {"baseline": baseline, "overall": {}}})
        assert line.startswith(f"  against f (miracl, {shown}): ")


def test_miracl_has_a_row_a_language_and_a_mean() -> None:
    text = miracl_as_text(
        {
            "encoder": {"fingerprint": "abc"},
            "macro": {"nDCG@10": 0.375, "Recall@100": 0.5},
            "by_language": {
                "sw": {"nDCG@10": {"mean": 0.25, "n": 482}, "Recall@100": {"mean": 0.5, "n": 482}},
                "yo": {"nDCG@10": {"mean": 0.5, "n": 1190}, "Recall@100": {"mean": 0.5, "n": 1190}},
            },
            "lint": [],
        }
    )
    rows = [line.split() for line in text.splitlines()[1:]]
    assert rows == [
        ["nDCG@10", "Recall@100", "n"],
        ["sw", "0.2500", "0.5000", "482"],
        ["yo", "0.5000", "0.5000", "1,190"],
        ["mean", "0.3750", "0.5000"],
    ]


def test_a_domain_shift_shows_levels_drops_and_their_difference() -> None:
    def level(inside: float, outside: float, relative: float | None) -> dict[str, Any]:
        means = {"in_domain": {"mean": inside}, "out_of_domain": {"mean": outside}}
        return {**means, "relative_drop": relative}

    parts = {"in_domain": compared(0.1, 0, 0.2), "drop": compared(-0.05, -0.1, 0.0, 0.04)}
    lines = domain_shift_as_text(
        {
            "candidates": 1234,
            "sets": {"in_domain": {"queries": 2000}, "out_of_domain": {"queries": 30}},
            "strategies": {
                "a": {"pool": {"mAP": level(0.8, 0.6, 0.25), "rank_distance": level(9, 8, None)}}
            },
            "comparisons": {
                "a - b": {"pool": {"mAP": parts, "rank_distance": {"out_of_domain": parts}}}
            },
            "comparison": {"a": {"overall": {"pool": {"mAP": compared(0.25, 0.125, 0.375)}}}},
        }
    ).splitlines()
    assert lines == [
        "domain shift, 1,234 passages a language in each pool: in_domain 2,000 queries,"
        " out_of_domain 30 queries",
        "  a                pool           mAP            in 0.8000  out 0.6000  drop 25.0%",
        "  a                pool           rank_distance  in 9.0000  out 8.0000",
        "  a - b                            pool           mAP            difference of drops"
        " -0.0500  [-0.1000, +0.0000]  p 0.0400 (Holm)",
        "  a: out of domain, against the earlier result",
        "  pool mAP                     +0.2500  [+0.1250, +0.3750]  p 0.5000  3/2/1 won/tied/lost",
    ]
