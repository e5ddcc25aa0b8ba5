from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.metrics.statistics import (
    Comparison,
    cluster_intervals,
    compare,
    corrected,
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


@dataclass(frozen=True)
class Paired:
    """Values of two systems for the same queries."""

    first_Q: NDArray[np.float64]
    second_Q: NDArray[np.float64]
    clusters: list[str]


def exchangeable(rng: np.random.Generator, *, clusters: int) -> Paired:
    """Two systems as good as each other, each with luck of its own in every cluster.

    One to seven queries a cluster; most of the variance is between clusters.
    """
    sizes = rng.integers(1, 8, clusters)
    cluster_Q = np.repeat(np.arange(clusters), sizes)
    hard_C, luck_SC = rng.random(clusters), rng.normal(0, 0.3, (2, clusters))
    noise_SQ = rng.normal(0, 0.2, (2, len(cluster_Q)))
    values_SQ = np.clip(hard_C[cluster_Q] + luck_SC[:, cluster_Q] + noise_SQ, 0, 1)
    return Paired(values_SQ[0], values_SQ[1], [str(cluster) for cluster in cluster_Q])


def compared(paired: Paired, *, seed: int = 0, resamples: int = 2000) -> Comparison:
    return compare(paired.first_Q, paired.second_Q, paired.clusters, seed=seed, resamples=resamples)


def sums_by_cluster(paired: Paired) -> dict[str, list[float]]:
    """Cluster -> differences of its queries, clusters as first named."""
    table: dict[str, list[float]] = {}
    for name, first, second in zip(paired.clusters, paired.first_Q, paired.second_Q, strict=True):
        table.setdefault(name, []).append(float(first - second))
    return table


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
    p = randomisation_p(sum_C, seed=seed, resamples=resamples)
    assert abs(p - exact) < 4 * math.sqrt(exact * (1 - exact) / resamples) + 1 / resamples


def test_the_randomisation_test_is_that_of_a_slow_version_with_the_same_draws() -> None:
    sum_C = np.random.default_rng(0).normal(0.2, 1, 12)
    draws = np.random.default_rng([7, 1]).integers(0, 2, (500, 12), dtype=np.int8)
    extreme = 0
    for row in draws.tolist():
        total = sum(-value if swap else value for swap, value in zip(row, sum_C, strict=True))
        extreme += abs(total) >= abs(sum(sum_C)) - 1e-9
    assert randomisation_p(sum_C, seed=7, resamples=500) == (extreme + 1) / 501


def test_systems_that_never_differ_have_the_p_value_one() -> None:
    paired = exchangeable(np.random.default_rng(0), clusters=20)
    same = compared(Paired(paired.first_Q, paired.first_Q, paired.clusters))
    assert (same.p, same.difference, same.ci95, same.detectable) == (1.0, 0.0, (0.0, 0.0), 0.0)
    assert (same.wins, same.ties, same.losses) == (0, same.n, 0)
    assert same.as_good_as()
    assert not same.better


def test_the_interval_is_that_of_a_slow_bootstrap_with_the_same_draws() -> None:
    paired = exchangeable(np.random.default_rng(1), clusters=15)
    table = list(sums_by_cluster(paired).values())
    draws = np.random.default_rng(5).integers(0, 15, (300, 15)).tolist()
    means = [fmean(value for cluster in row for value in table[cluster]) for row in draws]
    expected = np.quantile(means, [0.025, 0.975])
    np.testing.assert_allclose(compared(paired, seed=5, resamples=300).ci95, expected, atol=1e-12)


def test_the_draws_do_not_depend_on_how_many_are_held_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paired = exchangeable(np.random.default_rng(1), clusters=15)
    whole = compared(paired)
    monkeypatch.setattr("retrieval.metrics.statistics._CHUNK", 40)
    few = compared(paired)
    np.testing.assert_allclose(few.ci95, whole.ci95, atol=1e-12)
    assert few.difference == whole.difference


def test_a_comparison_counts_queries_and_clusters() -> None:
    first_Q = np.array([0.5, 0.2, 1.0, 0.0, 0.3])
    second_Q = np.array([0.5, 0.1, 0.5, 0.4, 0.1])
    found = compare(first_Q, second_Q, ["a", "a", "b", "b", "c"], seed=0, resamples=50)
    assert (found.wins, found.ties, found.losses, found.n, found.clusters) == (3, 1, 1, 5, 3)
    assert found.difference == pytest.approx(0.08)
    assert found.p_holm == found.p


def test_a_comparison_is_a_json_object() -> None:
    paired = exchangeable(np.random.default_rng(2), clusters=10)
    fields = json.loads(json.dumps(dataclasses.asdict(compared(paired)), allow_nan=False))
    names = "difference ci95 p p_holm wins ties losses n clusters detectable"
    assert list(fields) == names.split()


@given(seed=st.integers(0, 2**32 - 1), clusters=st.integers(2, 30))
@settings(max_examples=50, deadline=None)
def test_swapping_the_systems_swaps_the_signs(seed: int, clusters: int) -> None:
    paired = exchangeable(np.random.default_rng(seed), clusters=clusters)
    swapped = Paired(paired.second_Q, paired.first_Q, paired.clusters)
    found, other = compared(paired, resamples=200), compared(swapped, resamples=200)
    assert 0 < found.p == other.p <= 1
    assert found.difference == -other.difference
    np.testing.assert_allclose(found.ci95, (-other.ci95[1], -other.ci95[0]), atol=1e-12)
    assert (found.wins, found.ties, found.losses) == (other.losses, other.ties, other.wins)
    assert found.detectable == pytest.approx(other.detectable)
    assert not (found.better and other.better)


def test_the_names_of_clusters_do_not_matter() -> None:
    paired = exchangeable(np.random.default_rng(3), clusters=25)
    renamed = [f"item {int(name) * 7919 % 25}" for name in paired.clusters]
    assert compared(paired) == compared(Paired(paired.first_Q, paired.second_Q, renamed))


def test_copies_in_one_cluster_do_not_strengthen_a_comparison() -> None:
    rng = np.random.default_rng(4)
    first_Q, second_Q, names = rng.random(40), rng.random(40), [str(i) for i in range(40)]
    once = compare(first_Q, second_Q, names, seed=0, resamples=500)
    many = compare(np.tile(first_Q, 11), np.tile(second_Q, 11), names * 11, seed=0, resamples=500)
    assert many.p == once.p
    np.testing.assert_allclose(many.ci95, once.ci95)
    assert many.detectable == pytest.approx(once.detectable)


def test_the_detectable_difference_is_found_with_the_power_it_names() -> None:
    rng = np.random.default_rng(5)
    sum_C = rng.normal(0, 1, 80)
    detectable = detectable_difference(sum_C - sum_C.mean(), np.ones(80))
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


def test_a_family_is_corrected_together() -> None:
    rng = np.random.default_rng(6)
    family = {lang: compared(exchangeable(rng, clusters=12)) for lang in ("de", "en", "th")}
    found = corrected(family)
    assert list(found) == list(family)
    assert [c.p_holm for c in found.values()] == slow_holm([c.p for c in family.values()])
    for lang, comparison in found.items():
        assert dataclasses.replace(comparison, p_holm=comparison.p) == family[lang]


def outcome(low: float, high: float, p_holm: float) -> Comparison:
    return Comparison(
        difference=(low + high) / 2,
        ci95=(low, high),
        p=p_holm,
        p_holm=p_holm,
        wins=5,
        ties=0,
        losses=5,
        n=10,
        clusters=10,
        detectable=0.01,
    )


@pytest.mark.parametrize(
    ("comparison", "better", "as_good_as"),
    [
        (outcome(0.001, 0.009, 0.01), True, True),
        (outcome(0.001, 0.009, 0.2), False, True),
        (outcome(-0.004, 0.002, 0.6), False, True),
        (outcome(-0.005, 0.002, 0.6), False, False),
        (outcome(-0.009, -0.001, 0.01), False, False),
    ],
)
def test_better_and_as_good_as_follow_the_interval_and_the_corrected_p_value(
    comparison: Comparison, better: bool, as_good_as: bool
) -> None:
    assert comparison.better == better
    assert comparison.as_good_as() == as_good_as
    assert comparison.as_good_as(margin=0.01)


@pytest.mark.parametrize(
    ("second", "clusters", "message"),
    [
        ([0.1], ["a", "b"], "2 and 1 values of 2 queries"),
        ([0.1, 0.2], ["a"], "2 and 2 values of 1 queries"),
        ([0.1, math.nan], ["a", "b"], "not finite"),
        ([0.1, 0.2], ["a", "a"], "one cluster"),
    ],
)
def test_values_that_cannot_be_compared_are_refused(
    second: list[float], clusters: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(np.array([0.5, 0.5]), np.array(second), clusters, seed=0)


SIMULATIONS = 3000


def null_comparisons(*, clustered: bool) -> Iterator[Comparison]:
    rng = np.random.default_rng(20)
    for seed in range(SIMULATIONS):
        paired = exchangeable(rng, clusters=80)
        if not clustered:
            names = [str(query) for query in range(len(paired.clusters))]
            paired = Paired(paired.first_Q, paired.second_Q, names)
        yield compared(paired, seed=seed, resamples=999)


def error_rates(*, clustered: bool) -> tuple[float, float]:
    """Rejections at 5% and coverage of zero over data sets in which nothing differs."""
    found = list(null_comparisons(clustered=clustered))
    return (
        fmean(comparison.p <= 0.05 for comparison in found),
        fmean(comparison.ci95[0] <= 0 <= comparison.ci95[1] for comparison in found),
    )


@pytest.mark.slow
def test_by_cluster_five_percent_of_null_data_sets_are_rejected() -> None:
    rejected, covered = error_rates(clustered=True)
    assert 0.04 <= rejected <= 0.06
    assert 0.93 <= covered <= 0.97


@pytest.mark.slow
def test_without_clusters_many_more_null_data_sets_are_rejected() -> None:
    rejected, covered = error_rates(clustered=False)
    assert rejected > 0.15
    assert covered < 0.85
