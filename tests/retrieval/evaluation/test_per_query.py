"""Values of every query in each view, against loops over a slow evaluation."""

from __future__ import annotations

import json
from statistics import fmean

import numpy as np
import pytest

from retrieval.evaluation.per_query import (
    CROSS_LINGUAL,
    MONOLINGUAL,
    POOL,
    RANK_DISTANCE,
    PerQuery,
)
from retrieval.evaluation.saved import parse_per_query
from retrieval.formats.tree import Node
from tests.retrieval.evaluation.table import MEASURES, TableRanker, evaluated, query_set_of
from tests.retrieval.metrics.oracle import LANGUAGES, Collection, random_collection, trec_eval


def per_query_of(collection: Collection) -> PerQuery:
    return evaluated(query_set_of(collection), TableRanker(collection)).per_query


def restricted_map(collection: Collection, query: str, target: str) -> float | None:
    """Average precision over the passages of one language; None where none is relevant."""
    language_of = collection.language_of()
    judged = {p: r for p, r in collection.qrels[query].items() if language_of[p] == target}
    if not any(relevance > 0 for relevance in judged.values()):
        return None
    scores = {p: s for p, s in collection.run()[query].items() if language_of[p] == target}
    return trec_eval({query: judged}, {query: scores}, ["map"])[query]["map"]


@pytest.mark.parametrize("seed", range(3))
def test_views_restricted_by_language_are_those_of_trec_eval(seed: int) -> None:
    collection = random_collection(seed)
    found = per_query_of(collection)
    mono_Q = found.views[MONOLINGUAL].values["mAP"]
    cross_Q = found.views[CROSS_LINGUAL].values["mAP"]
    pairs: dict[tuple[str, str], list[float]] = {}
    for row, query in enumerate(found.ids):
        lang = found.languages[row]
        values = {target: restricted_map(collection, query, target) for target in LANGUAGES}
        for target, value in values.items():
            if value is not None:
                pairs.setdefault((lang, target), []).append(value)
        own, others = values[lang], [v for t, v in values.items() if t != lang and v is not None]
        assert (own is None) == bool(np.isnan(mono_Q[row]))
        assert own is None or mono_Q[row] == pytest.approx(own, abs=1e-6)
        assert bool(others) == (not np.isnan(cross_Q[row]))
        if others:
            assert min(others) - 1e-6 <= cross_Q[row] <= max(others) + 1e-6
    for view, same in ((MONOLINGUAL, True), (CROSS_LINGUAL, False)):
        macro = fmean(fmean(v) for (query, target), v in pairs.items() if (query == target) == same)
        value_Q, weight_Q = found.views[view].values["mAP"], found.views[view].weight_Q
        there_Q = weight_Q > 0
        assert np.average(value_Q[there_Q], weights=weight_Q[there_Q]) == pytest.approx(macro)
        assert weight_Q.sum() == pytest.approx(len(found.ids))


def test_the_rank_distance_is_that_of_queries_with_several_answers() -> None:
    collection = random_collection(1)
    collection.qrels["q0"] = dict.fromkeys(collection.passages[:1], 1)
    found = per_query_of(collection)
    distance_Q = found.views[POOL].values[RANK_DISTANCE]
    assert np.isnan(distance_Q[found.ids.index("q0")])
    answers = {q: sum(r > 0 for r in judged.values()) for q, judged in collection.qrels.items()}
    there = {name for name, v in zip(found.ids, distance_Q, strict=True) if not np.isnan(v)}
    assert there == {query for query, count in answers.items() if count > 1}


def test_a_pool_of_one_language_has_one_view() -> None:
    collection = random_collection(1)
    ranker = TableRanker(collection)
    ranker.passage_languages = ["de"] * len(collection.passages)
    found = evaluated(query_set_of(collection), ranker).per_query
    assert list(found.views) == [POOL]
    assert list(found.views[POOL].values) == [str(measure) for measure in MEASURES]


def test_values_survive_a_round_trip_through_json(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = per_query_of(random_collection(2))
    path = tmp_path_factory.mktemp("saved") / "x.json"
    path.write_text(json.dumps(found.to_json(), allow_nan=False))
    again = parse_per_query(Node.load(path))
    assert (again.ids, again.languages, again.clusters, again.domains) == (
        found.ids,
        found.languages,
        found.clusters,
        found.domains,
    )
    for name, view in found.views.items():
        np.testing.assert_array_equal(again.views[name].weight_Q, view.weight_Q)
        for measure, value_Q in view.values.items():
            np.testing.assert_array_equal(again.views[name].values[measure], value_Q)


def test_parts_are_joined_in_the_views_and_measures_that_all_have() -> None:
    first = per_query_of(random_collection(2))
    collection = random_collection(3)
    ranker = TableRanker(collection)
    ranker.passage_languages = ["de"] * len(collection.passages)
    second = evaluated(query_set_of(collection), ranker).per_query
    joined = PerQuery.joined([first, second])
    assert joined.ids == first.ids + second.ids
    assert list(joined.views) == [POOL]
    assert RANK_DISTANCE not in joined.views[POOL].values
    np.testing.assert_array_equal(
        joined.views[POOL].values["mAP"],
        np.concatenate([p.views[POOL].values["mAP"] for p in (first, second)]),
    )


def test_rows_have_null_where_a_query_has_no_value() -> None:
    collection = random_collection(1)
    collection.qrels["q0"] = dict.fromkeys(collection.passages[:1], 1)
    row = next(row for row in per_query_of(collection).rows() if row["query"] == "q0")
    assert row[RANK_DISTANCE] is None
    assert isinstance(row["mAP"], float)
