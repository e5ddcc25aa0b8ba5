"""The preview tells what training would draw."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tests.training.test_planner import items_of, planner_of, triplets
from training.preview import as_text, preview


def test_counts_are_those_of_the_plans() -> None:
    planner = planner_of(items_of(1, {"qa": 80, "tiny": 4}), "hybrid")
    counts = preview(planner, steps=30)
    plans = [planner.plan(step) for step in range(30)]
    assert counts["modes"] == Counter(plan.mode.value for plan in plans)
    pairs = Counter(f"{q}->{p}" for plan in plans for _, q, p in triplets(plan, planner.table))
    assert counts["pairs"] == pairs
    assert counts["sources"] == {"qa": 240}
    assert counts["never_drawn"] == ["tiny"]


def test_negatives_that_came_with_the_data_and_how_many_are_drawn_are_told() -> None:
    items = [replace(item, negatives={"de": ("no",)}) for item in items_of(1, {"qa": 80})]
    planner = planner_of(items, "hybrid", negatives=1)
    counts = preview(planner, steps=20)
    german = sum(
        p == "de" for step in range(20) for _, _, p in triplets(planner.plan(step), planner.table)
    )
    assert counts["items_with_negatives"] == 80
    assert counts["negatives"] == german > 0
    assert f"80 items come with negatives: {german} of them are drawn" in as_text(counts)


def test_a_person_can_read_it() -> None:
    planner = planner_of(items_of(1, {"qa": 80, "tiny": 4}), "hybrid")
    text = as_text(preview(planner, steps=10))
    assert text.startswith("hybrid(0.5): 10 batches of 8 over 84 items")
    assert "never drawn" in text
    assert "tiny" in text.splitlines()[-1]
