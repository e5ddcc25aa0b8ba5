"""The demo from end to end."""

from __future__ import annotations

from pathlib import Path

from app.demo import FLOORS, check_demo, write_demo_files
from retrieval.demo_data import demo_passages, demo_queries
from retrieval.formats.corpus import read_corpus
from retrieval.formats.parallel import read_parallel
from retrieval.formats.query_sets import read_query_set


def test_the_check_trains_indexes_serves_and_passes_its_floors(tmp_path: Path) -> None:
    figures = check_demo(tmp_path / "demo")
    assert figures["ok"], figures
    for name, floor in FLOORS.items():
        assert floor <= figures["MRR@10"][name] <= 1
    assert figures["corpora"] == {"demo": len(list(demo_passages()))}
    assert set(figures["seconds"]) == {"train", "index", "serve", "search", "evaluate"}
    assert figures["queries"]["judged"] == len(demo_queries().queries)


def test_the_check_leaves_nothing_behind_and_can_be_run_again(tmp_path: Path) -> None:
    write_demo_files(tmp_path)
    write_demo_files(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"train.jsonl", "corpus.jsonl", "queries.jsonl", "qrels.tsv"}
    assert list(read_corpus([tmp_path / "corpus.jsonl"])) == list(demo_passages())
    query_set = read_query_set([tmp_path / "queries.jsonl"], [tmp_path / "qrels.tsv"])
    assert query_set.queries == demo_queries().queries
    assert query_set.qrels == demo_queries().qrels


def test_no_held_out_passage_is_trained_on(tmp_path: Path) -> None:
    write_demo_files(tmp_path)
    trained = {
        text
        for item in read_parallel([tmp_path / "train.jsonl"])
        for text in (*item.query.values(), *item.passage.values())
    }
    held_out = {query.text for query in demo_queries().queries}
    relevant = {pid for judged in demo_queries().qrels.values() for pid in judged}
    held_out |= {p.to_encode for p in demo_passages() if p.id in relevant}
    assert len(held_out) == 3 * 11 * 8
    assert not trained & held_out
