from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.metrics.comparison import (
    Comparison,
    compare,
    compare_columns,
    corrected,
    macro_weights,
)
from retrieval.metrics.statistics import holm


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


def test_a_family_is_corrected_together() -> None:
    rng = np.random.default_rng(6)
    family = {lang: compared(exchangeable(rng, clusters=12)) for lang in ("de", "en", "th")}
    found = corrected(family)
    assert list(found) == list(family)
    assert [c.p_holm for c in found.values()] == holm([c.p for c in family.values()])
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
    ],
)
def test_values_that_cannot_be_compared_are_refused(
    second: list[float], clusters: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(np.array([0.5, 0.5]), np.array(second), clusters, seed=0)


def test_one_cluster_says_nothing_of_others() -> None:
    found = compare(np.array([0.9, 0.8]), np.array([0.1, 0.2]), ["a", "a"], seed=0)
    assert found.difference == pytest.approx(0.7)
    assert (found.p, found.clusters) == (1.0, 1)
    assert found.ci95 == (-math.inf, math.inf)
    assert found.detectable == math.inf
    assert not found.better
    assert not found.as_good_as()


def test_columns_are_compared_each_over_the_queries_that_have_a_value() -> None:
    rng = np.random.default_rng(8)
    clusters = [str(index % 30) for index in range(90)]
    first = {name: rng.random(90) for name in ("whole", "part", "same part", "none", "own")}
    second = {name: rng.random(90) for name in ("whole", "part", "same part", "none", "other")}
    # The first thirty name every cluster, so that their order is the same in every part.
    left_out_Q = (np.arange(90) >= 30) & (rng.random(90) < 0.6)
    for system in (first, second):
        system["part"][left_out_Q] = system["same part"][left_out_Q] = np.nan
        system["none"][:] = np.nan
    found = compare_columns(first, second, clusters, seed=3, resamples=300)
    assert list(found) == ["whole", "part", "same part"]
    for name, comparison in found.items():
        rows = np.flatnonzero(~np.isnan(first[name]))
        alone = compare(
            first[name][rows],
            second[name][rows],
            [clusters[row] for row in rows],
            seed=3,
            resamples=300,
        )
        np.testing.assert_allclose(comparison.ci95, alone.ci95, atol=1e-12)
        assert dataclasses.replace(comparison, ci95=(0, 0)) == dataclasses.replace(
            alone, ci95=(0, 0), difference=comparison.difference, detectable=comparison.detectable
        )
        assert comparison.difference == pytest.approx(alone.difference)
        assert comparison.detectable == pytest.approx(alone.detectable)


def test_a_query_with_a_value_of_one_system_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="one system alone"):
        compare_columns(
            {"a": np.array([0.5, np.nan])}, {"a": np.array([0.5, 0.5])}, ["x", "y"], seed=0
        )


def test_macro_weights_give_every_group_the_same_say() -> None:
    groups = ["de"] * 6 + ["th"] * 2 + ["en"]
    first_Q, second_Q = np.random.default_rng(9).random((2, 9))
    weight_Q = macro_weights(groups)
    assert weight_Q.sum() == pytest.approx(9)
    found = compare(first_Q, second_Q, list("abcdefghi"), seed=0, resamples=99, weight_Q=weight_Q)
    difference_Q = first_Q - second_Q
    macro = fmean([difference_Q[:6].mean(), difference_Q[6:8].mean(), difference_Q[8]])
    assert found.difference == pytest.approx(macro)


def test_weights_of_one_change_nothing() -> None:
    paired = exchangeable(np.random.default_rng(10), clusters=20)
    weight_Q = np.ones(len(paired.clusters))
    weighted = compare(
        paired.first_Q, paired.second_Q, paired.clusters, seed=0, resamples=200, weight_Q=weight_Q
    )
    assert weighted == compared(paired, resamples=200)


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
