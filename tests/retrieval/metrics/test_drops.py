"""Differences of drops: against a slow version, by symmetry, and where there is none."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.metrics.drops import Paired, compare_drops

Values = NDArray[np.float64]


def paired(
    seed: int, *, clusters: int = 12, gain: float = 0.0, weights: Values | None = None
) -> Paired:
    """Random values of two systems for clusters of one to three queries."""
    rng = np.random.default_rng(seed)
    names = [f"c{c}" for c in range(clusters) for _ in range(1 + c % 3)]
    first_Q, second_Q = rng.random((2, len(names)))
    return Paired(
        first={"MRR": first_Q + gain},
        second={"MRR": second_Q},
        clusters=names,
        weights=None if weights is None else {"MRR": weights[: len(names)]},
    )


def swapped(given: Paired) -> Paired:
    return replace(given, first=given.second, second=given.first)


def slow_means(given: Paired, seed: list[int], resamples: int) -> tuple[float, list[float]]:
    """The weighted mean difference, and that of every resample, one query at a time."""
    names = list(dict.fromkeys(given.clusters))
    weights = given.weights["MRR"] if given.weights else np.ones(len(given.clusters))
    queries = list(
        zip(given.clusters, given.first["MRR"], given.second["MRR"], weights, strict=True)
    )

    def mean(drawn: list[str]) -> float:
        rows = [row for name in drawn for row in queries if row[0] == name]
        return float(sum(w * (a - b) for _, a, b, w in rows) / sum(w for *_, w in rows))

    draws = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    return mean(names), [mean([names[c] for c in row]) for row in draws.tolist()]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_difference_of_drops_is_that_of_a_slow_version_with_the_same_draws(
    weighted: bool,
) -> None:
    weights = np.random.default_rng(9).random(99) + 0.1 if weighted else None
    inside, outside = paired(1, weights=weights), paired(2, clusters=9, gain=0.3, weights=weights)
    found = compare_drops(inside, outside, seed=4, resamples=200)["MRR"]
    (in_mean, in_B), (out_mean, out_B) = (
        slow_means(given, [4, place], 200) for place, given in enumerate((inside, outside))
    )
    differences = [a - b for a, b in zip(in_B, out_B, strict=True)]
    extreme = sum(abs(d - (in_mean - out_mean)) >= abs(in_mean - out_mean) for d in differences)
    assert found.difference == pytest.approx(in_mean - out_mean)
    assert found.ci95 == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert found.p == pytest.approx((extreme + 1) / 201)
    assert found.p_holm == found.p


def test_the_difference_is_drop_minus_drop() -> None:
    inside, outside = paired(1, gain=0.25), paired(2)
    found = compare_drops(inside, outside, seed=0, resamples=10)["MRR"]
    drops = [fmean(inside.first["MRR"]) - fmean(outside.first["MRR"])]
    drops += [fmean(inside.second["MRR"]) - fmean(outside.second["MRR"])]
    assert found.difference == pytest.approx(drops[0] - drops[1])


def test_other_systems_first_or_other_domains_first_turn_the_sign_alone() -> None:
    inside, outside = paired(1, gain=0.2), paired(2)
    found = compare_drops(inside, outside, seed=0)["MRR"]
    other = compare_drops(swapped(inside), swapped(outside), seed=0)["MRR"]
    assert other.difference == -found.difference
    assert other.ci95 == pytest.approx((-found.ci95[1], -found.ci95[0]))
    assert other.p == found.p
    back = compare_drops(outside, inside, seed=0)["MRR"]  # other draws: equal but for chance
    assert back.difference == -found.difference
    assert back.p == pytest.approx(found.p, abs=0.03)


@given(st.integers(0, 99), st.floats(-5, 5))
def test_what_one_system_gains_in_both_domains_changes_nothing(seed: int, gain: float) -> None:
    plain = compare_drops(paired(seed), paired(seed + 100), seed=seed, resamples=50)["MRR"]
    raised = compare_drops(
        paired(seed, gain=gain), paired(seed + 100, gain=gain), seed=seed, resamples=50
    )["MRR"]
    assert raised.difference == pytest.approx(plain.difference, abs=1e-12)
    assert raised.ci95 == pytest.approx(plain.ci95, abs=1e-12)


def test_equal_systems_differ_by_nothing_and_p_is_one() -> None:
    inside, outside = paired(1), paired(2)
    same = [replace(given, second=given.first) for given in (inside, outside)]
    found = compare_drops(*same, seed=0)["MRR"]
    assert (found.difference, found.ci95, found.p) == (0.0, (0.0, 0.0), 1.0)


def test_a_large_difference_is_found() -> None:
    found = compare_drops(paired(1, clusters=40, gain=2.0), paired(2, clusters=40), seed=0)["MRR"]
    assert found.p == pytest.approx(1 / 10_001)
    assert found.ci95[0] > 0


def test_a_unit_of_measurement_changes_no_p() -> None:
    def scaled(given: Paired, factor: float) -> Paired:
        # Quarters: resamples often lie exactly as far off as the data.
        first_Q, second_Q = (np.round(4 * v["MRR"]) * factor for v in (given.first, given.second))
        return replace(given, first={"MRR": first_Q}, second={"MRR": second_Q})

    p = [
        compare_drops(
            scaled(paired(3, clusters=4), factor), scaled(paired(5, clusters=4), factor), seed=1
        )["MRR"].p
        for factor in (0.25, 0.1, 1000 / 3)
    ]
    assert p[0] == p[1] == p[2]


def test_one_cluster_in_a_domain_says_nothing() -> None:
    one = Paired(
        first={"MRR": np.array([1.0, 1.0])}, second={"MRR": np.zeros(2)}, clusters=["a", "a"]
    )
    for inside, outside in ((one, paired(1)), (paired(1), one)):
        found = compare_drops(inside, outside, seed=0)["MRR"]
        assert found.p == 1
        assert found.ci95 == (-np.inf, np.inf)
        assert np.isfinite(found.difference)


def test_only_columns_of_all_four_are_compared_and_queries_without_a_value_left_out() -> None:
    inside, outside = paired(1), paired(2)
    gaps_Q = np.where(np.arange(len(inside.clusters)) % 2, inside.first["MRR"], np.nan)
    wide = replace(
        inside,
        first={"AP": gaps_Q, "MRR": gaps_Q},
        second={"MRR": np.where(np.isnan(gaps_Q), np.nan, inside.second["MRR"]), "AP": gaps_Q},
    )
    found = compare_drops(wide, outside, seed=0, resamples=20)
    assert list(found) == ["MRR"]
    odd = slice(1, None, 2)
    expected = fmean(inside.first["MRR"][odd] - inside.second["MRR"][odd])
    expected -= fmean(outside.first["MRR"] - outside.second["MRR"])
    assert found["MRR"].difference == pytest.approx(expected)


def null_domain(rng: np.random.Generator, *, clusters: int, sets: int, level: float) -> Paired:
    """Differences of `level` on average, skewed, alike within a cluster of one to nine queries."""
    sizes = 1 + np.arange(clusters) % 9
    names = np.repeat([f"c{c}" for c in range(clusters)], sizes).tolist()
    cluster_SC = rng.exponential(1.0, (sets, clusters)) - 1.0
    noise_SQ = rng.normal(0.0, 0.5, (sets, len(names)))
    difference_SQ = level + np.repeat(cluster_SC, sizes, axis=1) + noise_SQ
    second_SQ = rng.random((sets, len(names)))
    return Paired(
        first={str(s): second_SQ[s] + difference_SQ[s] for s in range(sets)},
        second={str(s): second_SQ[s] for s in range(sets)},
        clusters=names,
    )


@pytest.mark.slow
def test_equal_drops_are_rejected_as_often_as_the_level_says() -> None:
    """Levels differ by .8 in both domains; the clusters of the two domains are others."""
    rng = np.random.default_rng(20)
    rejected, covered = [], []
    for batch in range(10):
        inside = null_domain(rng, clusters=60, sets=300, level=0.8)
        outside = null_domain(rng, clusters=90, sets=300, level=0.8)
        found = compare_drops(inside, outside, seed=batch, resamples=2000).values()
        rejected += [comparison.p <= 0.05 for comparison in found]
        covered += [comparison.ci95[0] <= 0 <= comparison.ci95[1] for comparison in found]
    print(f"{len(rejected)} sets: rejected {fmean(rejected):.4f}, covered {fmean(covered):.4f}")  # noqa: T201
    assert 0.03 <= fmean(rejected) <= 0.07
    assert 0.92 <= fmean(covered) <= 0.98
