from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.metrics.measure import Measure
from retrieval.metrics.ranking import (
    UNRANKED,
    JudgedRanks,
    count_ranks,
    judged_share,
    kth_largest,
    measure_values,
    precedence,
    top_columns,
)
from tests.retrieval.metrics.oracle import (
    Collection,
    mid_rank,
    random_collection,
    total_order,
    trec_eval,
)

TREC_NAMES = {
    "MRR": "recip_rank",
    "mAP": "map",
    "AP@5": "map_cut_5",
    "nDCG": "ndcg",
    "nDCG@10": "ndcg_cut_10",
    "Recall@5": "recall_5",
    "Recall@30": "recall_30",
    "Success@5": "success_5",
    "P@10": "P_10",
}
ALL_NAMES = (*TREC_NAMES, "MRR@10")


def judged_pairs(
    collection: Collection,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    column = {name: index for index, name in enumerate(collection.passages)}
    pairs = np.array(
        [
            (row, column[passage], relevance)
            for row, query in enumerate(collection.queries)
            for passage, relevance in collection.qrels[query].items()
        ]
    )
    return pairs[:, 0], pairs[:, 1], pairs[:, 2]


def judged_ranks(collection: Collection) -> JudgedRanks:
    row_N, column_N, relevance_N = judged_pairs(collection)
    ranks = count_ranks(collection.scores_QP, row_N, column_N, precedence(collection.passages))
    return JudgedRanks.of(row_N, ranks.rank_N, relevance_N, queries=len(collection.queries))


@pytest.mark.parametrize("seed", range(5))
def test_counted_ranks_are_those_of_a_sorted_ranking(seed: int) -> None:
    collection = random_collection(seed)
    row_N, column_N, _ = judged_pairs(collection)
    ranks = count_ranks(collection.scores_QP, row_N, column_N, precedence(collection.passages))
    run = list(collection.run().values())
    for row, column, rank, mid in zip(row_N, column_N, ranks.rank_N, ranks.mid_N, strict=True):
        name = collection.passages[column]
        assert rank == total_order(run[row]).index(name) + 1
        assert mid == mid_rank(run[row], name)


@pytest.mark.parametrize("seed", range(3))
def test_ranks_within_some_columns_are_those_of_a_ranking_of_these_alone(seed: int) -> None:
    collection = random_collection(seed)
    row_N, column_N, _ = judged_pairs(collection)
    start_N, stop_N = column_N // 20 * 20, column_N // 20 * 20 + 20
    ranks = count_ranks(
        collection.scores_QP,
        row_N,
        column_N,
        precedence(collection.passages),
        start_N=start_N,
        stop_N=stop_N,
    )
    run = list(collection.run().values())
    for n, (row, column) in enumerate(zip(row_N, column_N, strict=True)):
        allowed = collection.passages[start_N[n] : stop_N[n]]
        order = total_order({name: run[row][name] for name in allowed})
        assert ranks.rank_N[n] == order.index(collection.passages[column]) + 1


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", TREC_NAMES)
def test_measures_agree_with_trec_eval_on_runs_full_of_ties(name: str, seed: int) -> None:
    collection = random_collection(seed)
    expected = trec_eval(collection.qrels, collection.run(), [TREC_NAMES[name]])
    values_Q = measure_values(judged_ranks(collection), Measure.parse(name))
    for query, value in zip(collection.queries, values_Q, strict=True):
        assert value == pytest.approx(expected[query][TREC_NAMES[name]], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["AP", "nDCG@7", "R@20", "P@3", "Success@1"])
def test_measures_agree_with_ir_measures(name: str, seed: int) -> None:
    collection = random_collection(seed, grades=1)
    measure = ir_measures.parse_measure(name)
    expected = {
        metric.query_id: metric.value
        for metric in ir_measures.iter_calc([measure], collection.qrels, collection.run())
    }
    values_Q = measure_values(judged_ranks(collection), Measure.parse(name))
    for query, value in zip(collection.queries, values_Q, strict=True):
        assert value == pytest.approx(expected[query], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cutoff", [1, 3, 10])
def test_reciprocal_rank_agrees_with_both_oracles(cutoff: int, seed: int) -> None:
    collection = random_collection(seed, grades=1)
    run = collection.run()
    # ir_measures' RR@k orders ties by id ascending: it gets the total order without ties.
    untied = {
        query: {name: -float(place) for place, name in enumerate(total_order(scores))}
        for query, scores in run.items()
    }
    measure = ir_measures.RR @ cutoff
    expected = {m.query_id: m.value for m in measure.iter_calc(collection.qrels, untied)}
    full = trec_eval(collection.qrels, run, ["recip_rank"])
    values_Q = measure_values(judged_ranks(collection), Measure.parse(f"MRR@{cutoff}"))
    for query, value in zip(collection.queries, values_Q, strict=True):
        reciprocal = full[query]["recip_rank"]
        assert value == pytest.approx(expected[query], abs=1e-6)
        assert value == pytest.approx(reciprocal * (reciprocal > 0.999 / cutoff), abs=1e-6)


@pytest.mark.parametrize("name", TREC_NAMES)
def test_what_a_ranking_does_not_hold_counts_as_in_trec_eval(name: str) -> None:
    collection = random_collection(7, distinct=3)
    rng = np.random.default_rng(7)
    collection.scores_QP[rng.random(collection.scores_QP.shape) < 0.5] = -np.inf
    run = {
        query: {passage: score for passage, score in scores.items() if score > -np.inf}
        for query, scores in collection.run().items()
    }
    expected = trec_eval(collection.qrels, run, [TREC_NAMES[name]])
    values_Q = measure_values(judged_ranks(collection), Measure.parse(name))
    for query, value in zip(collection.queries, values_Q, strict=True):
        assert value == pytest.approx(expected[query][TREC_NAMES[name]], abs=1e-6)


@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_query_without_a_relevant_passage_has_the_value_zero(name: str) -> None:
    nothing = np.empty(0, dtype=np.int64)
    judged = JudgedRanks.of(np.array([1]), np.array([1]), np.array([0]), queries=2)
    empty = JudgedRanks.of(nothing, nothing, nothing, queries=2)
    assert measure_values(judged, Measure.parse(name)).tolist() == [0.0, 0.0]
    assert measure_values(empty, Measure.parse(name)).tolist() == [0.0, 0.0]


def test_negative_judgements_are_not_relevant() -> None:
    judged = JudgedRanks.of(np.array([0, 0]), np.array([1, 2]), np.array([-2, 1]), queries=1)
    assert measure_values(judged, Measure.parse("MRR@10")).tolist() == [0.5]


def test_the_judged_share_counts_judgements_of_any_relevance() -> None:
    judged = JudgedRanks.of(
        np.array([0, 0, 0, 1]), np.array([1, 4, 11, UNRANKED]), np.array([0, 1, 1, 1]), queries=2
    )
    assert judged_share(judged, 10).tolist() == [0.2, 0.0]


relevant_ranks = st.sets(st.integers(1, 40), min_size=1, max_size=10)


def one_query(ranks: set[int], *, relevance: int = 1) -> JudgedRanks:
    rank_N = np.array(list(ranks), dtype=np.int64)
    zeros = np.zeros(len(rank_N), dtype=np.int64)
    return JudgedRanks.of(zeros, rank_N, zeros + relevance, queries=1)


@given(relevant_ranks, st.sampled_from(ALL_NAMES))
def test_a_measure_lies_between_zero_and_one(ranks: set[int], name: str) -> None:
    assert 0.0 <= measure_values(one_query(ranks), Measure.parse(name))[0] <= 1.0 + 1e-12


@given(relevant_ranks, st.sampled_from(ALL_NAMES), st.data())
def test_a_measure_never_falls_when_a_relevant_passage_rises(
    ranks: set[int], name: str, data: st.DataObject
) -> None:
    rising = data.draw(st.sampled_from(sorted(ranks)))
    target = data.draw(st.integers(1, rising))
    # Whatever stands from the target to the old place moves one place down.
    moved = {rank + (target <= rank < rising) for rank in ranks - {rising}} | {target}
    measure = Measure.parse(name)
    before = measure_values(one_query(ranks), measure)[0]
    assert measure_values(one_query(moved), measure)[0] >= before - 1e-12


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_measures_do_not_depend_on_the_order_of_the_input(seed: int) -> None:
    collection = random_collection(seed, passages=30, queries=4)
    row_N, column_N, relevance_N = judged_pairs(collection)
    rng = np.random.default_rng(seed)
    pairs, columns = rng.permutation(len(row_N)), rng.permutation(len(collection.passages))
    shuffled_ids = [collection.passages[column] for column in columns]
    ranks = count_ranks(
        collection.scores_QP[:, columns],
        row_N[pairs],
        np.argsort(columns)[column_N[pairs]],
        precedence(shuffled_ids),
    )
    shuffled = JudgedRanks.of(row_N[pairs], ranks.rank_N, relevance_N[pairs], queries=4)
    for name in ALL_NAMES:
        measure = Measure.parse(name)
        np.testing.assert_allclose(
            measure_values(shuffled, measure),
            measure_values(judged_ranks(collection), measure),
            atol=1e-12,
        )


@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=400), st.integers(1, 20))
def test_the_kth_largest_score_is_that_of_sorted_scores(scores: list[float], k: int) -> None:
    k = min(k, len(scores))
    found = kth_largest(np.array(scores, dtype=np.float32), k)
    assert found == sorted(scores, reverse=True)[k - 1]


@pytest.mark.parametrize("depth", [1, 5, 59, 60, 100])
def test_the_top_of_a_ranking_is_that_of_a_sorted_one(depth: int) -> None:
    collection = random_collection(3)
    precedence_P = precedence(collection.passages)
    for scores_P, scores in zip(collection.scores_QP, collection.run().values(), strict=True):
        columns = top_columns(scores_P, precedence_P, depth)
        assert [collection.passages[c] for c in columns] == total_order(scores)[:depth]


def test_the_top_of_a_ranking_leaves_out_what_it_does_not_hold() -> None:
    scores_P = np.array([0.5, -np.inf, 0.7], dtype=np.float32)
    assert top_columns(scores_P, precedence(["a", "b", "c"]), 3).tolist() == [2, 0]
