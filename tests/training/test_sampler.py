"""Codes of triplets, and the count of what was drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.training.test_planner import items_of, planner_of, triplets
from training.sampler import PlannedBatches, Tally, decode_triplets, encode_triplets


def test_triplet_codes_round_trip() -> None:
    planner = planner_of(items_of(10, {"qa": 100}), "multilingual")
    plan = planner.plan(0)
    decoded = decode_triplets(encode_triplets(plan, 4), 4)
    for got, expected in zip(
        decoded, (plan.items_B, plan.query_langs_B, plan.passage_langs_B), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_the_tally_counts_what_was_drawn() -> None:
    planner = planner_of(items_of(11, {"qa": 100, "qb": 60}), "hybrid")
    batches = PlannedBatches(planner, steps=25)
    assert len(list(batches)) == len(batches) == 25
    expected, pairs = Tally(), Counter[str]()
    for step in range(25):
        plan = planner.plan(step)
        expected.add(plan, planner.table)
        pairs.update(f"{q}->{p}" for _, q, p in triplets(plan, planner.table))
    assert batches.tally == expected
    assert batches.tally.pairs == pairs
    assert batches.tally.modes.total() == 25
    assert batches.tally.sources.total() == 25 * 8
