"""What a person sees."""

from __future__ import annotations

from app import schemas
from app.shell import as_text, benchmark_as_text, pair_table, report_as_text


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
            "queries": {"judged": 7},
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
