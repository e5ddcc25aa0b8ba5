"""Paired comparison of two systems on the same queries.

Legend of array suffixes: Q queries, C clusters of them, M measures, B resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.statistics import (
    COMPARISON_RESAMPLES,
    LEVEL,
    Columns,
    clustered,
    detectable_difference,
    holm,
    percentile_intervals,
    randomisation_p,
    resampled_means,
)

MARGIN = 0.005
"""Within which a system is as good as another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two systems on the same queries; every difference is first minus second.

    difference: mean over queries. ci95: its bootstrap interval, of whole clusters.
    p: two-sided, of the randomisation test by cluster. p_holm: corrected over the family; p itself
    in a family of one. wins, ties, losses: queries on which the first is better, equal, worse.
    n, clusters: how many queries in how many clusters. detectable: see `detectable_difference`.
    One cluster says nothing of others: then the interval is all numbers and p is 1.
    """

    difference: float
    ci95: tuple[float, float]
    p: float
    p_holm: float
    wins: int
    ties: int
    losses: int
    n: int
    clusters: int
    detectable: float

    @property
    def better(self) -> bool:
        """The first is better: the interval lies above zero and p holds after correction."""
        return self.ci95[0] > 0 and self.p_holm <= LEVEL

    def as_good_as(self, margin: float = MARGIN) -> bool:
        """The first is not inferior by `margin`: the interval lies above -margin."""
        return self.ci95[0] > -margin


def compare(
    first_Q: NDArray[np.float64],
    second_Q: NDArray[np.float64],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = COMPARISON_RESAMPLES,
    weight_Q: NDArray[np.float64] | None = None,
) -> Comparison:
    """Paired comparison of two systems from their values of one measure for the same queries.

    clusters: the cluster of each query. weight_Q: see `macro_weights`. The same seed gives the same
    figures. The interval is that of `cluster_intervals`; like any bootstrap's it is too narrow for
    a dozen clusters or fewer.
    Raises ValueError where the lengths differ or a value is not finite.
    """
    if not np.isfinite(np.concatenate([first_Q, second_Q])).all():
        raise ValueError("a value is not finite")
    columns = {"value": first_Q}, {"value": second_Q}
    weights = None if weight_Q is None else {"value": weight_Q}
    found = compare_columns(*columns, clusters, seed=seed, resamples=resamples, weights=weights)
    return found["value"]


def compare_columns(
    first: Columns,
    second: Columns,
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = COMPARISON_RESAMPLES,
    weights: Columns | None = None,
) -> dict[str, Comparison]:
    """`compare` of every column that both have, over the queries with a value in it.

    A column without any value is left out. weights: see `clustered`. Raises ValueError where the
    lengths differ, or a query has a value of one system alone.
    """
    shared = [name for name in first if name in second]
    difference = {name: _difference(first[name], second[name], clusters) for name in shared}
    found: dict[str, Comparison] = {}
    for names, sums_CM, sizes_CM in clustered(difference, clusters, weights):
        tests = _tests(sums_CM, sizes_CM, seed=seed, resamples=resamples)
        for m, name in enumerate(names):
            found[name] = _comparison(difference[name], sums_CM[:, m], sizes_CM[:, m], tests, m)
    return {name: found[name] for name in shared if name in found}


def macro_weights(groups: Sequence[str]) -> NDArray[np.float64]:
    """[Q] weights under which the mean over queries is the mean over groups of their means."""
    names, group_Q, size_G = np.unique(
        np.array(groups, dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    weight_Q: NDArray[np.float64] = len(group_Q) / (len(names) * size_G[group_Q])
    return weight_Q


def corrected(family: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The same comparisons with `p_holm` over all of them: languages, or pairs of strategies."""
    p_holm = holm([comparison.p for comparison in family.values()])
    return {
        name: replace(comparison, p_holm=p)
        for (name, comparison), p in zip(family.items(), p_holm, strict=True)
    }


def _difference(
    first_Q: NDArray[np.float64], second_Q: NDArray[np.float64], clusters: Sequence[str]
) -> NDArray[np.float64]:
    """[Q] first minus second, NaN where neither has a value."""
    if not len(first_Q) == len(second_Q) == len(clusters):
        raise ValueError(
            f"{len(first_Q)} and {len(second_Q)} values of {len(clusters)} queries: expected one"
            " value a query of each system"
        )
    if not np.array_equal(np.isnan(first_Q), np.isnan(second_Q)):
        raise ValueError("a query has a value of one system alone")
    return np.asarray(first_Q, dtype=np.float64) - second_Q


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """What resampling says of M columns: intervals [M, 2], p-values and detectable differences."""

    interval_M: NDArray[np.float64]
    p_M: NDArray[np.float64]
    detectable_M: NDArray[np.float64]


def _tests(
    sums_CM: NDArray[np.float64], sizes_CM: NDArray[np.float64], *, seed: int, resamples: int
) -> _Tests:
    count, columns = sums_CM.shape
    if count < 2:
        return _Tests(
            interval_M=np.tile([-np.inf, np.inf], (columns, 1)),
            p_M=np.ones(columns),
            detectable_M=np.full(columns, np.inf),
        )
    means_BM = resampled_means(sums_CM, sizes_CM, resamples, seed)
    return _Tests(
        interval_M=percentile_intervals(means_BM),
        p_M=randomisation_p(sums_CM, seed=seed, resamples=resamples),
        detectable_M=detectable_difference(sums_CM, sizes_CM),
    )


def _comparison(
    difference_Q: NDArray[np.float64],
    sum_C: NDArray[np.float64],
    size_C: NDArray[np.float64],
    tests: _Tests,
    m: int,
) -> Comparison:
    low, high = tests.interval_M[m].tolist()
    p = float(tests.p_M[m])
    return Comparison(
        difference=float(sum_C.sum() / size_C.sum()),
        ci95=(low, high),
        p=p,
        p_holm=p,
        wins=int(np.count_nonzero(difference_Q > 0)),
        ties=int(np.count_nonzero(difference_Q == 0)),
        losses=int(np.count_nonzero(difference_Q < 0)),
        n=int(np.count_nonzero(~np.isnan(difference_Q))),
        clusters=len(size_C),
        detectable=float(tests.detectable_M[m]),
    )
