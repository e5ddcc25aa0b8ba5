"""The worst queries, against sorted rankings."""

from __future__ import annotations

import pytest

from retrieval.evaluation import RunRanker
from retrieval.evaluation.worst import worst_queries
from retrieval.types import Passage, Query, QuerySet, Scored
from tests.retrieval.evaluation.table import TableRanker, evaluated, query_set_of
from tests.retrieval.metrics.oracle import random_collection, total_order


def test_the_worst_queries_come_first_with_what_was_found_instead() -> None:
    collection = random_collection(7)
    query_set, ranker = query_set_of(collection), TableRanker(collection)
    found = evaluated(query_set, ranker)
    language_of = collection.language_of()
    table = worst_queries(
        found.ranked,
        found.per_query,
        ranker,
        query_set.qrels,
        measure="mAP",
        passage_at=lambda row: Passage(id=collection.passages[row], text="x" * 500, lang="de"),
        count=6,
        hits=3,
    )
    pool = found.per_query.views["pool"].values
    values = dict(zip(found.per_query.ids, pool["mAP"], strict=True))
    assert [entry["value"] for entry in table] == sorted(values.values())[:6]
    for entry in table:
        query = str(entry["query"])
        assert entry["value"] == values[query]
        scores, judged = collection.run()[query], collection.qrels[query]
        order = total_order(scores)
        hits = entry["hits"]
        assert isinstance(hits, list)
        assert [hit["id"] for hit in hits] == order[:3]
        assert [hit["relevance"] for hit in hits] == [judged.get(name) for name in order[:3]]
        assert [hit["score"] for hit in hits] == [scores[name] for name in order[:3]]
        assert {len(hit["text"]) for hit in hits} == {300}
        best = next(name for name in order if judged.get(name, 0) > 0)
        assert entry["best_relevant"]["id"] == best  # type: ignore[index]
        assert entry["first_rank"] == 1 + order.index(best)
    assert language_of


@pytest.mark.parametrize("count", [1, 5])
def test_an_answer_that_a_run_does_not_hold_has_neither_rank_nor_score(count: int) -> None:
    run = {"q": [Scored("a", 2.0)], "r": [Scored("b", 1.0)]}
    ranker = RunRanker(run, passage_ids=["a", "b"], passage_languages=["de", "de"])
    queries = tuple(Query(id=name, text=f"Wo ist {name}?", lang="de") for name in run)
    query_set = QuerySet(queries=queries, qrels={"q": {"b": 1}, "r": {"b": 1}})
    found = evaluated(query_set, ranker)
    first, *others = worst_queries(
        found.ranked,
        found.per_query,
        ranker,
        query_set.qrels,
        measure="mAP",
        passage_at=lambda row: Passage(id="ab"[row], text="t"),
        count=count,
    )
    assert len(others) == min(count, 2) - 1
    assert (first["query"], first["value"], first["first_rank"]) == ("q", 0.0, None)
    assert first["best_relevant"]["score"] is None  # type: ignore[index]
    assert [hit["id"] for hit in first["hits"]] == ["a"]  # type: ignore[attr-defined]
