"""MIRACL's protocol on a small folder of its layout, against trec_eval."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from retrieval.benchmark.miracl import benchmark_miracl, find_miracl
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, DanglingId, MalformedFile
from retrieval.metrics.measure import Measure
from tests.retrieval.benchmark.miracl_folder import (
    PASSAGES,
    WORDS,
    corpus_of,
    qrels_of,
    topics_of,
    write_language,
)
from tests.retrieval.metrics.oracle import total_order, trec_eval

TREC = {"nDCG@10": "ndcg_cut_10", "Recall@100": "recall_100", "mAP": "map"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for lang in WORDS:
        write_language(tmp_path, lang)
    return tmp_path


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


def scores_of(encoder: Encoder, lang: str) -> dict[str, dict[str, float]]:
    """Topic -> passage -> score: one passage encoded at a time, one product at a time."""
    vectors = {
        docid: encoder.encode_passages([f"{title} {text}" if title else text])[0].astype(np.float64)
        for docid, (title, text) in corpus_of(lang).items()
    }
    return {
        topic: {
            docid: float(np.float32(vector @ encoder.encode_queries([text])[0].astype(np.float64)))
            for docid, vector in vectors.items()
        }
        for topic, text in topics_of(lang).items()
        if topic in qrels_of(lang)
    }


def expected(encoder: Encoder, lang: str) -> dict[str, dict[str, float]]:
    """Measure -> topic -> value."""
    scores, qrels = scores_of(encoder, lang), qrels_of(lang)
    found = trec_eval(qrels, scores, TREC.values())
    table = {m: {topic: row[n] for topic, row in found.items()} for m, n in TREC.items()}
    table["MRR@10"] = {
        topic: next(
            (1 / r for r, p in enumerate(total_order(scores[topic])[:10], 1) if judged.get(p)), 0.0
        )
        for topic, judged in qrels.items()
    }
    return table


def test_every_figure_is_that_of_trec_eval_on_scores_by_brute_force(
    folder: Path, encoder: Encoder
) -> None:
    done = benchmark_miracl(find_miracl(folder), encoder, measures=[Measure.parse("mAP")])
    report, values = done.report, done.per_query.views["pool"].values
    tables = {lang: expected(encoder, lang) for lang in WORDS}
    assert list(report["macro"]) == ["nDCG@10", "Recall@100", "MRR@10", "mAP"]
    for measure in report["macro"]:
        means = {lang: fmean(table[measure].values()) for lang, table in tables.items()}
        by_query = {
            f"{lang}:{topic}": value
            for lang, table in tables.items()
            for topic, value in table[measure].items()
        }
        found = dict(zip(done.per_query.ids, values[measure].tolist(), strict=True))
        assert found == pytest.approx(by_query, abs=1e-6)
        shown = {lang: entry[measure]["mean"] for lang, entry in report["by_language"].items()}
        assert shown == pytest.approx(means)
        assert report["macro"][measure] == pytest.approx(fmean(means.values()))
        assert report["measures"][measure]["mean"] == pytest.approx(fmean(by_query.values()))
        assert report["measures"][measure]["n"] == 14
        pairs = {pair: entry[measure] for pair, entry in report["by_language_pair"].items()}
        assert pairs == pytest.approx({f"{lang}->{lang}": mean for lang, mean in means.items()})


def test_the_report_counts_what_was_read_and_names_its_files(
    folder: Path, encoder: Encoder
) -> None:
    done = benchmark_miracl(find_miracl(folder), encoder)
    counts = {"queries": 8, "judgements": 70, "passages": PASSAGES}
    assert done.report["counts"] == {"sw": counts, "yo": counts}
    assert done.report["queries"] == {"judged": 14, "without_positives": 0, "missing": 0}
    assert done.report["encoder"] == {"path": encoder.path, "fingerprint": encoder.fingerprint}
    assert sorted(done.files) == sorted(p for p in folder.rglob("*") if p.is_file())
    assert json.loads(json.dumps(done.report, allow_nan=False)) == done.report


def test_topics_without_a_judgement_are_told_with_their_line(
    folder: Path, encoder: Encoder
) -> None:
    lint = benchmark_miracl(find_miracl(folder), encoder).report["lint"]
    unjudged = [finding for finding in lint if finding["rule"] == "unjudged-query"]
    assert [(f["file"], f["line"], f["count"]) for f in unjudged] == [
        (f"topics.miracl-v1.0-{lang}-dev.tsv", 8, 1) for lang in WORDS
    ]


def test_topics_of_two_languages_with_one_number_are_two_clusters(
    folder: Path, encoder: Encoder
) -> None:
    per_query = benchmark_miracl(find_miracl(folder), encoder).per_query
    assert len(set(per_query.ids)) == len(set(per_query.clusters)) == 14


def test_the_digest_tells_query_sets_apart(folder: Path, encoder: Encoder) -> None:
    def digest(languages: list[str]) -> object:
        files = find_miracl(folder, languages=languages)
        return benchmark_miracl(files, encoder).report["data"]["query_set"]

    first = digest(["sw", "yo"])
    assert digest(["yo", "sw"]) == first
    assert digest(["yo"]) != first


def test_languages_and_split_choose_the_files(folder: Path) -> None:
    write_language(folder, "yo", split="test-a", corpus=False)
    assert [files.lang for files in find_miracl(folder)] == ["sw", "yo"]
    (chosen,) = find_miracl(folder, languages=["yo"])
    assert chosen.topics.name == "topics.miracl-v1.0-yo-dev.tsv"
    assert [path.name for path in chosen.corpus] == ["docs-0.jsonl.gz", "docs-1.jsonl.gz"]
    (other,) = find_miracl(folder, split="test-a")
    assert (other.topics.name, other.qrels.name) == (
        "topics.miracl-v1.0-yo-test-a.tsv",
        "qrels.miracl-v1.0-yo-test-a.tsv",
    )
    assert other.corpus == chosen.corpus


def test_a_language_without_its_corpus_is_refused_with_what_to_do(folder: Path) -> None:
    write_language(folder, "sw", corpus=False)
    for path in (folder / "miracl-corpus-v1.0-sw").iterdir():
        path.unlink()
    with pytest.raises(BadInput) as raised:
        find_miracl(folder)
    assert "no corpus in 'sw': expected miracl-corpus-v1.0-sw/docs-*.jsonl.gz" in str(raised.value)
    assert "name other languages" in raised.value.fix
    assert [files.lang for files in find_miracl(folder, languages=["yo"])] == ["yo"]


def test_the_corpus_of_another_language_is_none(folder: Path) -> None:
    (folder / "miracl-corpus-v1.0-yo").rename(folder / "miracl-corpus-v1.0-id")
    with pytest.raises(BadInput, match="no corpus in 'yo'"):
        find_miracl(folder, languages=["yo"])


def test_topics_that_are_not_there_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no topics of MIRACL's dev split in de, fr"):
        find_miracl(folder, languages=["fr", "yo", "de"])
    with pytest.raises(BadInput, match="no topics of MIRACL's train split"):
        find_miracl(folder, split="train")
    with pytest.raises(BadInput, match="no topics"):
        find_miracl(tmp_path / "none")


def test_topics_without_judgements_beside_them_are_refused(folder: Path) -> None:
    next(folder.rglob("qrels.*-yo-*")).unlink()
    with pytest.raises(BadInput, match=r"topics.miracl-v1.0-yo-dev.tsv: no judgements"):
        find_miracl(folder)


def test_the_public_topics_alone_are_refused_and_what_is_missing_is_named(test_data: Path) -> None:
    with pytest.raises(BadInput) as raised:
        find_miracl(test_data / "miracl")
    assert str(raised.value).startswith(f"{test_data / 'miracl'}: no corpus in 'ar'")
    assert "miracl-corpus-v1.0-ar/docs-*.jsonl.gz" in str(raised.value)
    assert "huggingface.co/datasets/miracl/miracl-corpus" in str(raised.value)


def test_a_judged_passage_that_the_corpus_lacks_is_named_with_file_and_line(
    folder: Path, encoder: Encoder
) -> None:
    qrels = next(folder.rglob("qrels.*-yo-*"))
    with qrels.open("a", encoding="utf-8") as stream:
        stream.write("0#0\tQ0\t9999#7\t0\n")
    with pytest.raises(DanglingId, match=r"9999#7") as raised:
        benchmark_miracl(find_miracl(folder, languages=["yo"]), encoder)
    assert raised.value.where == f"{qrels}:71"


def test_a_broken_passage_is_named_with_file_and_line(folder: Path, encoder: Encoder) -> None:
    part = folder / "miracl-corpus-v1.0-yo" / "docs-1.jsonl.gz"
    part.write_bytes(
        gzip.compress(b'{"docid": "1#0", "title": "x", "text": "y"}\n{"docid": "1#1"}\n')
    )
    with pytest.raises(MalformedFile, match="no field 'text'") as raised:
        benchmark_miracl(find_miracl(folder, languages=["yo"]), encoder)
    assert raised.value.where == f"{part}:2"


def test_an_empty_corpus_is_refused(folder: Path, encoder: Encoder) -> None:
    for part in (folder / "miracl-corpus-v1.0-yo").iterdir():
        part.write_bytes(gzip.compress(b""))
    with pytest.raises(BadInput, match="the corpus holds no passage"):
        benchmark_miracl(find_miracl(folder, languages=["yo"]), encoder)


def test_no_vectors_stay_behind(
    folder: Path, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    benchmark_miracl(find_miracl(folder, languages=["yo"]), encoder)
    assert list(room.iterdir()) == []
