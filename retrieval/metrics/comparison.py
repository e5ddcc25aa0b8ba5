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
    by_queries,
    cluster_sums,
    detectable_difference,
    holm,
    percentile_intervals,
    randomisation_p,
    resampled_means,
)

MARGIN = 0.005
"""Within which a system is as good as another."""

Columns = Mapping[str, NDArray[np.float64]]
"""Name -> [Q] one value a query; NaN where the query has none."""


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
    found = compare_columns(*columns, clusters, seed=seed, resamples=resamples, weight_Q=weight_Q)
    return found["value"]


def compare_columns(
    first: Columns,
    second: Columns,
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = COMPARISON_RESAMPLES,
    weight_Q: NDArray[np.float64] | None = None,
) -> dict[str, Comparison]:
    """`compare` of every column that both have, over the queries with a value in it.

    Columns over the same queries share their resamples, which is what makes hundreds of them cheap.
    A column without any value is left out. Raises ValueError where the lengths differ, or a query
    has a value of one system alone.
    """
    shared = [name for name in first if name in second]
    difference = {name: _difference(first[name], second[name], clusters) for name in shared}
    found: dict[str, Comparison] = {}
    for rows, names in by_queries(difference).items():
        index = np.frombuffer(rows, dtype=np.int64)
        difference_QM = np.stack([difference[name][index] for name in names], axis=1)
        some = [clusters[row] for row in index.tolist()]
        weight = None if weight_Q is None else weight_Q[index]
        outcome = _outcomes(difference_QM, some, weight, seed=seed, resamples=resamples)
        found |= dict(zip(names, outcome, strict=True))
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


def _outcomes(
    difference_QM: NDArray[np.float64],
    clusters: Sequence[str],
    weight_Q: NDArray[np.float64] | None,
    *,
    seed: int,
    resamples: int,
) -> list[Comparison]:
    sums_CM, sizes_C = cluster_sums(difference_QM, clusters, weight_Q)
    mean_M = sums_CM.sum(axis=0) / sizes_C.sum()
    columns = difference_QM.shape[1]
    if len(sizes_C) > 1:
        means_BM = resampled_means(sums_CM, sizes_C, resamples, np.random.default_rng(seed))
        interval_M = percentile_intervals(means_BM)
        p_M = randomisation_p(sums_CM, seed=seed, resamples=resamples)
        detectable_M = detectable_difference(sums_CM, sizes_C)
    else:
        interval_M = np.tile([-np.inf, np.inf], (columns, 1))
        p_M, detectable_M = np.ones(columns), np.full(columns, np.inf)
    signs_QM = np.sign(difference_QM).astype(np.int8)
    return [
        Comparison(
            difference=float(mean_M[m]),
            ci95=(float(interval_M[m, 0]), float(interval_M[m, 1])),
            p=float(p_M[m]),
            p_holm=float(p_M[m]),
            wins=int(np.count_nonzero(signs_QM[:, m] > 0)),
            ties=int(np.count_nonzero(signs_QM[:, m] == 0)),
            losses=int(np.count_nonzero(signs_QM[:, m] < 0)),
            n=len(difference_QM),
            clusters=len(sizes_C),
            detectable=float(detectable_M[m]),
        )
        for m in range(columns)
    ]
