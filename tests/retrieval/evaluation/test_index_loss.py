"""What an approximate index loses, against sets and trec_eval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import faiss
import numpy as np
import pytest

from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.evaluation import VectorRanker, rankings
from retrieval.evaluation.index_loss import answerable_queries, measure_index_loss, searcher_loss
from retrieval.formats.runs import in_total_order
from retrieval.metrics.measure import parse_measures
from retrieval.search import Searcher, SearchOptions
from retrieval.store import Store
from retrieval.types import Passage, Query, QuerySet, Run
from retrieval.vectors import IndexOptions
from tests.corpora import unit_vectors
from tests.retrieval.metrics.oracle import trec_eval

DEPTH = 50
PASSAGES, QUERIES, DIM = 2000, 40, 16
MEASURES = parse_measures("mAP nDCG@10 Recall@20 Recall@500")


def collection() -> tuple[QuerySet, VectorRanker, Run]:
    """Random vectors with an index of eight lists of which one is read, and its run."""
    passages_PD, queries_QD = unit_vectors(PASSAGES, DIM), unit_vectors(QUERIES, DIM, seed=1)
    ids = [f"p{row}" for row in range(PASSAGES)]
    queries = tuple(Query(id=f"q{n}", text="?", lang=("de", "th")[n % 2]) for n in range(QUERIES))
    exact = queries_QD @ passages_PD.T
    qrels = {f"q{n}": {ids[row]: 1 for row in np.argsort(-exact[n])[:8:3]} for n in range(QUERIES)}
    ranker = VectorRanker(
        passage_ids=ids,
        passage_languages=["en"] * PASSAGES,
        passages_PD=passages_PD,
        query_ids=[query.id for query in queries],
        queries_QD=queries_QD,
    )
    quantizer = faiss.IndexFlatIP(DIM)
    index = faiss.IndexIVFFlat(quantizer, DIM, 8, faiss.METRIC_INNER_PRODUCT)
    index.train(passages_PD)
    index.add(passages_PD)
    scores, rows = index.search(queries_QD, DEPTH)
    run = {
        query.id: in_total_order(
            (ids[row], float(score)) for row, score in zip(rows[n], scores[n], strict=True)
        )
        for n, query in enumerate(queries)
    }
    return QuerySet(queries=queries, qrels=qrels), ranker, run


def plain(run: Run) -> dict[str, dict[str, float]]:
    return {query: {s.id: s.score for s in ranking} for query, ranking in run.items()}


def overlap(exact: Run, index: Run, k: int) -> Mapping[str, float]:
    return {
        query: len({s.id for s in ranking[:k]} & {s.id for s in index[query][:k]}) / k
        for query, ranking in exact.items()
    }


def test_the_loss_of_a_real_index_is_that_of_sets_and_trec_eval() -> None:
    query_set, ranker, index = collection()
    exact = dict(rankings(query_set.queries, ranker, depth=DEPTH))
    found = measure_index_loss(
        query_set, ranker, exact=exact, index=index, depth=DEPTH, measures=MEASURES
    )
    by_query = overlap(exact, index, 10)
    assert 0 < found.recall[10] < 1
    assert found.recall[10] == pytest.approx(fmean(by_query.values()))
    german = [value for n, value in enumerate(by_query.values()) if n % 2 == 0]
    assert found.recall_by_language[10]["de"] == pytest.approx(fmean(german))
    assert list(found.recall) == [10]  # 100 is deeper than the runs
    assert list(found.exact) == ["AP@50", "nDCG@10", "Recall@20", "Recall@50"]
    names = {"AP@50": "map", "nDCG@10": "ndcg_cut_10", "Recall@20": "recall_20"}
    for run, values in ((exact, found.exact), (index, found.index)):
        expected = trec_eval(query_set.qrels, plain(run), names.values())
        for name, trec_name in names.items():
            mean = fmean(entry[trec_name] for entry in expected.values())
            assert values[name] == pytest.approx(mean, abs=1e-6)
    record = found.to_json()["measures"]
    assert isinstance(record, dict)
    assert record["nDCG@10"]["loss"] == found.exact["nDCG@10"] - found.index["nDCG@10"]
    assert record["nDCG@10"]["loss"] > 0


def test_an_exact_index_loses_nothing() -> None:
    query_set, ranker, _ = collection()
    exact = dict(rankings(query_set.queries, ranker, depth=DEPTH))
    found = measure_index_loss(
        query_set, ranker, exact=exact, index=exact, depth=DEPTH, measures=MEASURES
    )
    assert found.recall == {10: 1.0}
    assert found.exact == found.index


def test_queries_without_a_relevant_passage_say_nothing_of_loss() -> None:
    query_set, _, _ = collection()
    others = (Query(id="x", text="?"), Query(id="y", text="?"))
    qrels = {**query_set.qrels, "y": {"p0": 0}}
    more = QuerySet(queries=(*query_set.queries, *others), qrels=qrels)
    assert answerable_queries(more) == list(query_set.queries)


def test_a_version_in_slices_of_queries_has_the_loss_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_encoder: Path
) -> None:
    store, encoder = Store(tmp_path), Encoder.load(tiny_encoder)
    passages = [Passage(id=f"p{n}", text=f"Text {n} {n * n}", lang="de") for n in range(900)]
    build_corpus("c", passages, store=store, encoder=encoder, index=IndexOptions(kind="IVF16,Flat"))
    queries = tuple(Query(id=f"q{n}", text=f"{n} {n * n}", lang="de") for n in range(30))
    qrels = {query.id: {f"p{7 * n}": 1} for n, query in enumerate(queries)}
    query_set = QuerySet(queries=queries, qrels=qrels)
    with store.open("c") as version:
        searcher = Searcher(version, encoder)
        whole = searcher_loss(query_set, searcher, SearchOptions(), measures=MEASURES, depth=DEPTH)
        monkeypatch.setattr("retrieval.evaluation.index_loss._SLICE", 7)
        parts = searcher_loss(query_set, searcher, SearchOptions(), measures=MEASURES, depth=DEPTH)
    assert whole is not None
    assert whole == parts
    assert (whole["queries"], whole["factory"]) == (30, "IVF16,Flat")


def test_an_exact_version_has_no_loss_to_tell_of(tmp_path: Path, tiny_encoder: Path) -> None:
    store, encoder = Store(tmp_path), Encoder.load(tiny_encoder)
    passages = [Passage(id="p", text="Text", lang="de")]
    build_corpus("c", passages, store=store, encoder=encoder)
    query_set = QuerySet(queries=(Query(id="q", text="Text"),), qrels={"q": {"p": 1}})
    with store.open("c") as version:
        searcher = Searcher(version, encoder)
        assert searcher_loss(query_set, searcher, SearchOptions(), measures=MEASURES) is None
