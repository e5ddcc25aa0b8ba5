"""Means over queries whose translations are not independent samples: intervals, comparisons.

Legend of array suffixes: Q queries, C clusters of them, M measures, B resamples, F tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

RESAMPLES = 2000

COMPARISON_RESAMPLES = 10_000
"""A p-value near .05 then has a standard error of .002."""

LEVEL = 0.05
"""Of a two-sided test; the intervals of comparisons are its complement, 95%."""

POWER = 0.8
"""With which a detectable difference is found."""

MARGIN = 0.005
"""Within which a system is as good as another."""

# Draws held at a time: as int64 and float64 arrays of 8 MB each, whatever the number of resamples.
_CHUNK = 2**20


def cluster_intervals(
    values_QM: NDArray[np.float64],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> NDArray[np.float64]:
    """[M, 2] percentile bootstrap interval of each column's mean, resampling whole clusters.

    values_QM: values of M measures for Q queries. clusters: the cluster of each query.
    All columns share the resamples. Source: Efron and Tibshirani 1993, chapter 13; the mean of a
    resample is the ratio of its sums, as clusters differ in size.
    """
    sums_CM, sizes_C = _cluster_sums(values_QM, clusters)
    means_BM = _resampled_means(sums_CM, sizes_C, resamples, np.random.default_rng(seed))
    tail = (1 - level) / 2
    interval: NDArray[np.float64] = np.quantile(means_BM, [tail, 1 - tail], axis=0).T
    return interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two systems on the same queries; every difference is first minus second.

    difference: mean over queries. ci95: its bootstrap interval, of whole clusters.
    p: two-sided, of the randomisation test by cluster. p_holm: corrected over the family; p itself
    in a family of one. wins, ties, losses: queries on which the first is better, equal, worse.
    n, clusters: how many queries in how many clusters. detectable: see `detectable_difference`.
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
) -> Comparison:
    """Paired comparison of two systems from their values of one measure for the same queries.

    clusters: the cluster of each query. The same seed gives the same figures. The interval is that
    of `cluster_intervals`; like any bootstrap's it is too narrow for a dozen clusters or fewer.
    Raises ValueError where the lengths differ, a value is not finite, or there is but one cluster.
    """
    if not len(first_Q) == len(second_Q) == len(clusters):
        raise ValueError(
            f"{len(first_Q)} and {len(second_Q)} values of {len(clusters)} queries: expected one"
            " value a query of each system"
        )
    difference_Q = np.asarray(first_Q, dtype=np.float64) - second_Q
    if not np.isfinite(difference_Q).all():
        raise ValueError("a value is not finite")
    sums_CM, sizes_C = _cluster_sums(difference_Q[:, None], clusters)
    if len(sizes_C) < 2:
        raise ValueError("one cluster says nothing of others: a comparison needs two or more")
    low, high = cluster_intervals(difference_Q[:, None], clusters, seed=seed, resamples=resamples)[
        0
    ]
    p = randomisation_p(sums_CM[:, 0], seed=seed, resamples=resamples)
    return Comparison(
        difference=float(difference_Q.mean()),
        ci95=(float(low), float(high)),
        p=p,
        p_holm=p,
        wins=int(np.count_nonzero(difference_Q > 0)),
        ties=int(np.count_nonzero(difference_Q == 0)),
        losses=int(np.count_nonzero(difference_Q < 0)),
        n=len(difference_Q),
        clusters=len(sizes_C),
        detectable=detectable_difference(sums_CM[:, 0], sizes_C),
    )


def randomisation_p(sum_C: NDArray[np.float64], *, seed: int, resamples: int) -> float:
    """Two-sided p-value in (0, 1] that the systems are exchangeable within every cluster.

    sum_C: sum of the differences of each cluster. Under the null hypothesis the names of the two
    systems may be swapped in any cluster, all its queries at once: p is the share of random swaps
    with a total as far from zero, the data counted as one of them (the + 1 without which p could be
    0). Source: Fisher 1935; Smucker, Allan and Carterette 2007; Phipson and Smyth 2010.
    """
    count = len(sum_C)
    # Sums in another order differ by rounding; equal totals must count as equal.
    least = abs(sum_C.sum()) - 1e-12 * np.abs(sum_C).sum()
    rng = np.random.default_rng([seed, 1])  # apart from the bootstrap's draws
    extreme = 0
    for rows in _chunks(resamples, count):
        swapped_BC = rng.integers(0, 2, (rows, count), dtype=np.int8)
        total_B = sum_C.sum() - 2.0 * (swapped_BC @ sum_C)
        extreme += int(np.count_nonzero(np.abs(total_B) >= least))
    return (extreme + 1) / (resamples + 1)


def detectable_difference(sum_C: NDArray[np.float64], sizes_C: NDArray[np.float64]) -> float:
    """Smallest true difference that a two-sided test at level .05 finds with power .8.

    sum_C, sizes_C: sum of the differences and number of queries of each cluster, two or more.
    (t_.975 + t_.8) * SE with C - 1 degrees of freedom, where SE = sqrt(C / (C - 1) * sum_C (sum_c -
    size_c * mean)^2) / n is the standard error of a mean over clusters. Source: Cohen 1988, and
    Cochran 1977, equation 2.39, for SE.
    """
    count = len(sum_C)
    residual_C = sum_C - sizes_C * (sum_C.sum() / sizes_C.sum())
    error = math.sqrt(count / (count - 1) * float(residual_C @ residual_C)) / float(sizes_C.sum())
    return error * float(stdtrit(count - 1, [1 - LEVEL / 2, POWER]).sum())


def holm(p_F: Sequence[float]) -> list[float]:
    """p-values of a family corrected so that any error among them keeps the level, in order.

    The k-th smallest of F times F - k + 1, at least its predecessor, at most 1. Source: Holm 1979.
    """
    order = sorted(range(len(p_F)), key=p_F.__getitem__)
    corrected = [0.0] * len(p_F)
    least = 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_F) - place) * p_F[index]))
        corrected[index] = least
    return corrected


def corrected(family: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The same comparisons with `p_holm` over all of them: languages, or pairs of strategies."""
    p_holm = holm([comparison.p for comparison in family.values()])
    return {
        name: replace(comparison, p_holm=p)
        for (name, comparison), p in zip(family.items(), p_holm, strict=True)
    }


def _cluster_sums(
    values_QM: NDArray[np.float64], clusters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """sums_CM, sizes_C: total values and number of queries of each cluster, as first named."""
    index = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    cluster_Q = np.array([index[name] for name in clusters], dtype=np.int64)
    sums_CM = np.zeros((len(index), values_QM.shape[1]))
    np.add.at(sums_CM, cluster_Q, values_QM)
    return sums_CM, np.bincount(cluster_Q, minlength=len(index)).astype(np.float64)


def _resampled_means(
    sums_CM: NDArray[np.float64],
    sizes_C: NDArray[np.float64],
    resamples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    count = len(sizes_C)
    means: list[NDArray[np.float64]] = []
    for rows in _chunks(resamples, count):
        # One count over all rows: cluster c of row b is number b * count + c.
        drawn_BC = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times_BC = np.bincount(drawn_BC.ravel(), minlength=rows * count).reshape(rows, count)
        weights_BC = times_BC.astype(np.float64)
        means.append((weights_BC @ sums_CM) / (weights_BC @ sizes_C)[:, None])
    return np.concatenate(means)


def _chunks(resamples: int, clusters: int) -> Iterator[int]:
    """Numbers of resamples to hold at a time, summing to all of them."""
    rows = max(1, _CHUNK // clusters)
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)
