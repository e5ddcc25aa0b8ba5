from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from statistics import fmean

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from retrieval.metrics.statistics import (
    cluster_intervals,
    detectable_difference,
    holm,
    randomisation_p,
)


def test_an_interval_holds_the_mean_and_is_the_same_for_the_same_seed() -> None:
    values_QM = np.random.default_rng(0).random((200, 2))
    clusters = [str(index) for index in range(200)]
    first = cluster_intervals(values_QM, clusters, seed=3)
    assert first.shape == (2, 2)
    assert (first[:, 0] < values_QM.mean(axis=0)).all()
    assert (values_QM.mean(axis=0) < first[:, 1]).all()
    np.testing.assert_array_equal(first, cluster_intervals(values_QM, clusters, seed=3))
    assert (first != cluster_intervals(values_QM, clusters, seed=4)).any()


def test_an_interval_is_as_wide_as_the_normal_one_for_independent_queries() -> None:
    value_Q = np.random.default_rng(1).random(1000)
    low, high = cluster_intervals(value_Q[:, None], [str(i) for i in range(1000)], seed=0)[0]
    expected = 2 * 1.96 * value_Q.std() / np.sqrt(1000)
    assert high - low == pytest.approx(expected, rel=0.06)


def test_copies_in_one_cluster_do_not_narrow_the_interval() -> None:
    value_Q = np.random.default_rng(2).random(100)
    names = [str(index) for index in range(100)]
    once = cluster_intervals(value_Q[:, None], names, seed=0)
    many = cluster_intervals(np.tile(value_Q, 11)[:, None], names * 11, seed=0)
    np.testing.assert_allclose(once, many)


def test_the_means_of_clusters_of_different_sizes_are_ratios_of_sums() -> None:
    # Any resample of clusters that all have the mean .5 has the mean .5.
    values_QM = np.array([[0.5], [0.0], [1.0], [0.25], [0.5], [0.75]])
    interval = cluster_intervals(values_QM, ["a", "b", "b", "c", "c", "c"], seed=0)
    np.testing.assert_allclose(interval, [[0.5, 0.5]])


def exact_p(sums: Sequence[float]) -> float:
    """Share of all sign flips with a total as far from zero."""
    observed = abs(math.fsum(sums))
    totals = [
        abs(math.fsum(sign * value for sign, value in zip(signs, sums, strict=True)))
        for signs in product((-1, 1), repeat=len(sums))
    ]
    return fmean(total >= observed - 1e-9 for total in totals)


@pytest.mark.parametrize("seed", range(5))
def test_the_randomisation_test_is_close_to_all_sign_flips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sum_C = rng.integers(-3, 6, 9) / 4  # quarters: totals are often equal
    exact = exact_p(sum_C.tolist())
    resamples = 40_000
    p = randomisation_p(sum_C[:, None], seed=seed, resamples=resamples)[0]
    assert abs(p - exact) < 4 * math.sqrt(exact * (1 - exact) / resamples) + 1 / resamples


def test_the_randomisation_test_is_that_of_a_slow_version_with_the_same_draws() -> None:
    sum_C = np.random.default_rng(0).normal(0.2, 1, 12)
    draws = np.random.default_rng([7, 1]).integers(0, 2, (500, 12), dtype=np.int8)
    extreme = 0
    for row in draws.tolist():
        total = sum(-value if swap else value for swap, value in zip(row, sum_C, strict=True))
        extreme += abs(total) >= abs(sum(sum_C)) - 1e-9
    other_C = np.ones(12)
    p_M = randomisation_p(np.stack([sum_C, other_C], axis=1), seed=7, resamples=500)
    assert p_M[0] == (extreme + 1) / 501
    assert p_M[1] == 1 / 501 + sum(abs(12 - 2 * row.sum()) == 12 for row in draws) / 501


def test_the_detectable_difference_is_found_with_the_power_it_names() -> None:
    rng = np.random.default_rng(5)
    sum_C = rng.normal(0, 1, 80)
    (detectable,) = detectable_difference((sum_C - sum_C.mean())[:, None], np.ones((80, 1)))
    error = np.std(sum_C, ddof=1) / math.sqrt(80)
    quantiles = scipy.stats.t.ppf([0.975, 0.8], 79)
    assert detectable == pytest.approx(error * quantiles.sum())
    found = scipy.stats.ttest_1samp(
        rng.normal(detectable, np.std(sum_C, ddof=1), (4000, 80)), 0, axis=1
    )
    assert np.mean(found.pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


def slow_holm(p_values: Sequence[float]) -> list[float]:
    """Each hypothesis' least level at which the step-down procedure of Holm rejects it."""
    adjusted = []
    for own in p_values:
        factors = [p * sum(other >= p for other in p_values) for p in set(p_values) if p <= own]
        adjusted.append(min(1.0, max(factors)))
    return adjusted


def test_holm_is_that_of_the_published_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(1e-6, 1), max_size=12))
def test_holm_is_that_of_a_slow_version(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(slow_holm(p_values))
