"""Every measure on hard runs against three oracles: trec_eval, ir_measures and loops in Python.

The runs are full of ties; judgements are graded, some negative; most passages are not judged; each
ranking has a length of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence

import ir_measures
import numpy as np
import pytest

from retrieval.metrics.measure import Kind, Measure
from retrieval.metrics.ranking import JudgedRanks, count_ranks, judged_share, measure_values
from retrieval.metrics.ranking import precedence as precedence_of
from tests.retrieval.metrics.oracle import (
    Collection,
    Scores,
    random_collection,
    total_order,
    trec_eval,
)

SEEDS = range(6)
CUTOFFS = (1, 3, 10, 30)

TREC_NAMES = {
    **{f"AP@{k}": f"map_cut_{k}" for k in CUTOFFS},
    **{f"nDCG@{k}": f"ndcg_cut_{k}" for k in CUTOFFS},
    **{f"Recall@{k}": f"recall_{k}" for k in CUTOFFS},
    **{f"Success@{k}": f"success_{k}" for k in CUTOFFS},
    **{f"P@{k}": f"P_{k}" for k in CUTOFFS},
    "MRR": "recip_rank",
    "mAP": "map",
    "nDCG": "ndcg",
}
IR_NAMES = {
    **{f"MRR@{k}": f"RR@{k}" for k in CUTOFFS},
    **{name: name.replace("Recall", "R") for name in TREC_NAMES if "@" in name},
    "MRR": "RR",
    "mAP": "AP",
    "nDCG": "nDCG",
}


def hard_collection(seed: int) -> Collection:
    """Short rankings (score -inf: not held), three scores, judgements from -2 to 3."""
    collection = random_collection(seed, distinct=3)
    rng = random.Random(seed)  # noqa: S311
    for judged in collection.qrels.values():
        for name in rng.sample(sorted(judged), len(judged) // 3):
            judged[name] = rng.choice((-2, -1))
        unjudged = sorted(set(collection.passages) - set(judged))
        judged[rng.choice(unjudged)] = rng.randint(1, 3)
    for scores_P in collection.scores_QP:
        left_out = rng.sample(range(len(scores_P)), rng.randint(0, len(scores_P) - 1))
        scores_P[left_out] = -np.inf
    return collection


def held(collection: Collection) -> dict[str, dict[str, float]]:
    """The run without what its rankings do not hold."""
    return {
        query: {name: score for name, score in scores.items() if score > -np.inf}
        for query, scores in collection.run().items()
    }


def untied(run: Scores) -> dict[str, dict[str, float]]:
    """The same total order without ties, for an oracle that orders ties by id ascending."""
    return {
        query: {name: -float(place) for place, name in enumerate(total_order(scores))}
        for query, scores in run.items()
    }


def judged_ranks(collection: Collection) -> JudgedRanks:
    column = {name: index for index, name in enumerate(collection.passages)}
    row_N, column_N, relevance_N = np.array(
        [
            (row, column[name], relevance)
            for row, query in enumerate(collection.queries)
            for name, relevance in collection.qrels[query].items()
        ]
    ).T
    precedence_P = precedence_of(collection.passages)
    ranks = count_ranks(collection.scores_QP, row_N, column_N, precedence_P)
    return JudgedRanks.of(row_N, ranks.rank_N, relevance_N, queries=len(collection.queries))


def found(collection: Collection, name: str) -> dict[str, float]:
    values_Q = measure_values(judged_ranks(collection), Measure.parse(name))
    return dict(zip(collection.queries, values_Q.tolist(), strict=True))


def by_ir_measures(
    collection: Collection, measure: ir_measures.Measure, run: Scores
) -> dict[str, float]:
    calculated = ir_measures.iter_calc([measure], collection.qrels, run)
    return {metric.query_id: metric.value for metric in calculated}


def test_the_runs_are_as_hard_as_they_should_be() -> None:
    collections = [hard_collection(seed) for seed in SEEDS]
    grades = {
        grade
        for collection in collections
        for judged in collection.qrels.values()
        for grade in judged.values()
    }
    lengths = [len(scores) for collection in collections for scores in held(collection).values()]
    assert grades == {-2, -1, 0, 1, 2, 3}
    assert min(lengths) < 3
    assert max(lengths) > 30
    assert {str(Measure.parse(name).kind) for name in (*TREC_NAMES, *IR_NAMES)} == set(Kind)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TREC_NAMES)
def test_measures_of_hard_runs_agree_with_trec_eval(name: str, seed: int) -> None:
    collection = hard_collection(seed)
    trec_name = TREC_NAMES[name]
    expected = trec_eval(collection.qrels, held(collection), [trec_name])
    for query, value in found(collection, name).items():
        assert value == pytest.approx(expected[query][trec_name], abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", IR_NAMES)
def test_measures_of_hard_runs_agree_with_ir_measures(name: str, seed: int) -> None:
    collection = hard_collection(seed)
    run = held(collection)
    if name.startswith("MRR@"):  # the one whose ties ir_measures does not order as trec_eval does
        run = untied(run)
    expected = by_ir_measures(collection, ir_measures.parse_measure(IR_NAMES[name]), run)
    assert found(collection, name) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cutoff", [1, 5, 20])
def test_the_judged_share_agrees_with_ir_measures_over_the_places_that_are_filled(
    cutoff: int, seed: int
) -> None:
    collection = hard_collection(seed)
    run = held(collection)
    expected = by_ir_measures(collection, ir_measures.Judged @ cutoff, untied(run))
    share_Q = judged_share(judged_ranks(collection), cutoff).tolist()
    for (query, scores), share in zip(run.items(), share_Q, strict=True):
        # ir_measures divides by the length of a ranking that is shorter than the cut-off.
        filled = min(cutoff, len(scores))
        assert share * cutoff / filled == pytest.approx(expected[query], abs=1e-6)


def slow_discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def slow_reciprocal_rank(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    return next((1 / place for place, gain in enumerate(top, start=1) if gain), 0.0)


def slow_average_precision(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    precisions = [
        sum(gain > 0 for gain in top[:place]) / place
        for place, gain in enumerate(top, start=1)
        if gain
    ]
    return sum(precisions) / len(gains)


def slow_ndcg(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    return slow_discounted(top) / slow_discounted(sorted(gains, reverse=True)[:cutoff])


def slow_recall(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    return sum(gain > 0 for gain in top) / len(gains)


def slow_success(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    return float(any(top))


def slow_precision(gains: Sequence[int], top: Sequence[int], cutoff: int) -> float:
    return sum(gain > 0 for gain in top) / cutoff


SLOW: Mapping[Kind, Callable[[Sequence[int], Sequence[int], int], float]] = {
    Kind.RECIPROCAL_RANK: slow_reciprocal_rank,
    Kind.AVERAGE_PRECISION: slow_average_precision,
    Kind.NDCG: slow_ndcg,
    Kind.RECALL: slow_recall,
    Kind.SUCCESS: slow_success,
    Kind.PRECISION: slow_precision,
}
"""Measure from the gains of all relevant passages and of the first passages (0: not relevant)."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cutoff", [*CUTOFFS, 1000])
@pytest.mark.parametrize("kind", Kind)
def test_measures_of_hard_runs_are_those_of_loops_over_sorted_rankings(
    kind: Kind, cutoff: int, seed: int
) -> None:
    collection = hard_collection(seed)
    run = held(collection)
    for query, value in found(collection, f"{kind}@{cutoff}").items():
        judged = collection.qrels[query]
        gains = [gain for gain in judged.values() if gain > 0]
        top = [max(judged.get(name, 0), 0) for name in total_order(run[query])[:cutoff]]
        assert value == pytest.approx(SLOW[kind](gains, top, cutoff), abs=1e-12)
