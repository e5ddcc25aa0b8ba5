"""The first 100 plans of fixed seeds stay what they are: old runs can be planned again."""

from __future__ import annotations

import hashlib

import pytest

from tests.golden import check_golden
from tests.training.test_planner import items_of, planner_of
from training.sampler import encode_triplets


@pytest.mark.parametrize("mix", [False, True], ids=["one-source", "mixed"])
def test_the_first_hundred_plans_are_the_golden_ones(mix: bool) -> None:
    items = items_of(1, {"qa": 300, "qb": 120, "t1": 200})
    planner = planner_of(items, "hybrid", seed=7, tau=0.6, mix_sources=mix, batch_size=32)
    lines = []
    for step in range(100):
        plan = planner.plan(step)
        codes = encode_triplets(plan, len(planner.table.languages))
        digest = hashlib.sha256(codes.astype("<i8").tobytes()).hexdigest()[:16]
        lines.append(f"{step} {plan.mode.value} {codes[0]} {digest}")
    check_golden(f"plans-{'mixed' if mix else 'one-source'}.txt", "\n".join(lines) + "\n")
