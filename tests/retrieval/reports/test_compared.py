from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from retrieval.evaluation.per_query import CROSS_LINGUAL, MONOLINGUAL, POOL
from retrieval.metrics.comparison import compare
from retrieval.metrics.statistics import LEVEL
from retrieval.reports import compared, names
from retrieval.reports.compared import Outcome, outcome_of


def test_the_level_and_the_views_are_those_of_the_statistics() -> None:
    assert compared.LEVEL == LEVEL
    assert list(names.VIEWS) == [POOL, MONOLINGUAL, CROSS_LINGUAL]


@pytest.mark.parametrize("shift", [-0.5, -0.02, 0.0, 0.02, 0.5])
def test_better_is_what_the_comparison_calls_better(shift: float) -> None:
    rng = np.random.default_rng(0)
    first_Q, second_Q = rng.random(60) + shift, rng.random(60)
    found = compare(first_Q, second_Q, [str(q) for q in range(60)], seed=0, resamples=500)
    outcome = outcome_of(asdict(found), less_is_better=False)
    assert (outcome is Outcome.BETTER) == found.better
    flipped = compare(second_Q, first_Q, [str(q) for q in range(60)], seed=0, resamples=500)
    assert (outcome is Outcome.WORSE) == flipped.better


def entry(low: float | None, high: float | None, p_holm: float | None) -> dict[str, Any]:
    return {"ci95": [low, high], "p_holm": p_holm}


def test_less_of_a_distance_is_better() -> None:
    assert outcome_of(entry(-3, -1, 0.01), less_is_better=True) is Outcome.BETTER
    assert outcome_of(entry(1, 3, 0.01), less_is_better=True) is Outcome.WORSE


def test_an_interval_that_touches_zero_or_a_large_p_tells_nothing() -> None:
    for doubtful in (
        entry(0, 1, 0.01),
        entry(-1, 0, 0.01),
        entry(0.1, 1, 0.06),
        entry(None, None, 0.01),
        entry(0.1, 1, None),
    ):
        assert outcome_of(doubtful, less_is_better=False) is Outcome.NOT_TOLD


def test_levels_whose_difference_is_another_are_not_shown(report: dict[str, Any]) -> None:
    rows = {(row.view, row.measure): row for row in compared.overall_rows(report)}
    assert rows["pool", "mAP"].this == report["measures"]["mAP"]["mean"]
    report = {**report, "measures": {"mAP": {"mean": 0.123, "n": 1, "ci95": None}}}
    rows = {(row.view, row.measure): row for row in compared.overall_rows(report)}
    assert rows["pool", "mAP"].this is None


def test_identities_name_both_sides(report: dict[str, Any]) -> None:
    found = {name: (this, other) for name, this, other in compared.identities(report)}
    assert found["encoder.path"] == ("runs/this", "runs/other")
    assert found["corpus"] == ("c", "c")
    assert found["file"] == ("", "other.json")
