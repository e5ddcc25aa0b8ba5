"""Evaluations compared query by query."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from retrieval.errors import BadInput
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.per_query import CROSS_LINGUAL, POOL, RANK_DISTANCE, PerQuery, View
from retrieval.metrics.comparison import compare
from retrieval.metrics.statistics import holm
from tests.retrieval.evaluation.table import TableRanker, evaluated, query_set_of
from tests.retrieval.metrics.oracle import random_collection


def two(seed: int = 0) -> tuple[PerQuery, PerQuery]:
    """Two random systems on the same queries."""
    collection = random_collection(seed)
    first = evaluated(query_set_of(collection), TableRanker(collection)).per_query
    collection.scores_QP[:] = np.roll(collection.scores_QP, 1, axis=1)
    return first, evaluated(query_set_of(collection), TableRanker(collection)).per_query


def test_differences_are_those_of_the_values_and_statistics_those_of_the_library() -> None:
    first, second = two()
    found = compare_per_query(first, second, seed=4)
    ours, theirs = (p.views[POOL].values["mAP"] for p in (first, second))
    expected = compare(ours, theirs, first.clusters, seed=4)
    mean = found.overall[POOL, "mAP"]
    assert mean.ci95 == pytest.approx(expected.ci95)
    assert replace(mean, ci95=expected.ci95) == expected
    assert found.n == len(first.ids)
    german = [row for row, lang in enumerate(first.languages) if lang == "de"]
    own = compare(ours[german], theirs[german], [first.clusters[r] for r in german], seed=4)
    by_language = found.by_language[POOL, "mAP"]
    assert by_language["de"].difference == pytest.approx(own.difference)
    assert (by_language["de"].wins, by_language["de"].n) == (own.wins, own.n)
    p_holm = holm([comparison.p for comparison in by_language.values()])
    assert [comparison.p_holm for comparison in by_language.values()] == p_holm


def test_the_difference_of_a_macro_mean_is_that_of_the_reported_ones() -> None:
    collection = random_collection(1)
    one = evaluated(query_set_of(collection), TableRanker(collection))
    collection.scores_QP[:] = np.roll(collection.scores_QP, 1, axis=1)
    two = evaluated(query_set_of(collection), TableRanker(collection))
    found = compare_per_query(one.per_query, two.per_query)
    means = [e.report["protocols"]["cross_lingual"]["mAP"]["mean"] for e in (one, two)]
    assert found.overall[CROSS_LINGUAL, "mAP"].difference == pytest.approx(means[0] - means[1])


def test_the_order_of_queries_does_not_matter() -> None:
    first, second = two()
    order = list(range(len(second.ids)))[::-1]
    turned = PerQuery(
        ids=tuple(second.ids[row] for row in order),
        languages=tuple(second.languages[row] for row in order),
        clusters=tuple(second.clusters[row] for row in order),
        domains=tuple(second.domains[row] for row in order),
        views={
            name: View(
                values={m: value_Q[order] for m, value_Q in view.values.items()},
                weight_Q=view.weight_Q[order],
            )
            for name, view in second.views.items()
        },
    )
    assert compare_per_query(first, turned) == compare_per_query(first, second)


def test_an_evaluation_does_not_differ_from_itself() -> None:
    first, _ = two()
    for comparison in compare_per_query(first, first).overall.values():
        assert (comparison.difference, comparison.p, comparison.ties) == (0, 1, comparison.n)


def test_a_shorter_rank_distance_is_a_win() -> None:
    _, second = two()
    distance_Q = second.views[POOL].values[RANK_DISTANCE]
    values = {**second.views[POOL].values, RANK_DISTANCE: distance_Q - 1}
    shorter = replace(
        second, views={**second.views, POOL: replace(second.views[POOL], values=values)}
    )
    found = compare_per_query(shorter, second).overall[POOL, RANK_DISTANCE]
    assert found.difference == pytest.approx(-1)
    assert (found.wins, found.losses) == (found.n, 0)


def test_other_queries_are_refused_with_an_example() -> None:
    first, second = two()
    renamed = replace(second, ids=("x", *second.ids[1:]))
    with pytest.raises(BadInput, match=r"1 of 25 are not in the other one, such as 'q0'.*1 of its"):
        compare_per_query(first, renamed)


def test_evaluations_without_a_common_measure_are_refused() -> None:
    first, second = two()
    bare = {name: replace(view, values={}) for name, view in second.views.items()}
    with pytest.raises(BadInput, match="share no measure"):
        compare_per_query(first, replace(second, views=bare))


def test_a_query_with_an_answer_in_one_corpus_alone_is_left_out() -> None:
    first, second = two()
    values = {m: value_Q.copy() for m, value_Q in second.views[CROSS_LINGUAL].values.items()}
    there = np.flatnonzero(~np.isnan(values["mAP"]))
    values["mAP"][there[0]] = np.nan
    views = {
        **second.views,
        CROSS_LINGUAL: replace(second.views[CROSS_LINGUAL], values=values),
    }
    found = compare_per_query(first, replace(second, views=views))
    assert found.overall[CROSS_LINGUAL, "mAP"].n == len(there) - 1


def test_a_comparison_is_a_json_object() -> None:
    first, second = two()
    record = compare_per_query(first, second, seed=2).to_json()
    assert json.loads(json.dumps(record, allow_nan=False))["seed"] == 2
    assert set(record) >= {"overall", "by_language", "n", "clusters", "resamples", "difference"}
