"""Means over queries whose translations are not independent samples: intervals and tests.

Legend of array suffixes: Q queries, C clusters of them, M measures, B resamples, F tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Columns = Mapping[str, NDArray[np.float64]]
"""Name -> [Q] one value a query; NaN where the query has none."""

RESAMPLES = 2000

COMPARISON_RESAMPLES = 10_000
"""A p-value near .05 then has a standard error of .002."""

LEVEL = 0.05
"""Of a two-sided test; the intervals of comparisons are its complement, 95%."""

POWER = 0.8
"""With which a detectable difference is found."""

# Draws held at a time: as int64 and float64 arrays of 8 MB each, whatever the number of resamples.
_CHUNK = 2**20

# Counts of draws that are kept for the next table of the same clusters: 64 MB at most.
_KEPT = 2**24

Seed = int | tuple[int, ...]
"""Of NumPy's generator."""


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
    columns = {str(m): values_QM[:, m] for m in range(values_QM.shape[1])}
    ((_, sums_CM, sizes_CM),) = clustered(columns, clusters)
    means_BM = resampled_means(sums_CM, sizes_CM, resamples, seed)
    return percentile_intervals(means_BM, level=level)


def column_intervals(
    columns: Columns,
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    weights: Columns | None = None,
) -> dict[str, list[float]]:
    """`cluster_intervals` of named columns, each over the queries that have a value (no NaN).

    A column without any value is left out. weights: see `clustered`.
    """
    found: dict[str, list[float]] = {}
    for names, sums_CM, sizes_CM in clustered(columns, clusters, weights):
        means_BM = resampled_means(sums_CM, sizes_CM, resamples, seed)
        found |= dict(zip(names, percentile_intervals(means_BM).tolist(), strict=True))
    return {name: found[name] for name in columns if name in found}


def clustered(
    columns: Columns, clusters: Sequence[str], weights: Columns | None = None
) -> Iterator[tuple[list[str], NDArray[np.float64], NDArray[np.float64]]]:
    """(names of M columns, sums_CM, sizes_CM) of columns with a value in the same C clusters.

    sums_CM, sizes_CM: total value and number of queries of each cluster, clusters as first named.
    NaN is no value; a column without any is left out. weights: how much each query counts in each
    column, one by default. Columns that come together can share their resamples: that is what
    makes hundreds of them cheap.
    """
    index = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    cluster_Q = np.array([index[name] for name in clusters], dtype=np.int64)
    groups: dict[bytes, list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]] = {}
    for name, value_Q in columns.items():
        there_Q = ~np.isnan(value_Q)
        weight_Q = there_Q * (1.0 if weights is None else weights[name])
        total_Q = np.where(there_Q, value_Q, 0.0) * weight_Q
        sum_C, size_C = (_totals(cluster_Q, v_Q, len(index)) for v_Q in (total_Q, weight_Q))
        some_C = size_C > 0
        if some_C.any():
            groups.setdefault(some_C.tobytes(), []).append((name, sum_C[some_C], size_C[some_C]))
    for group in groups.values():
        sums_CM, sizes_CM = (np.stack([entry[i] for entry in group], axis=1) for i in (1, 2))
        yield [name for name, _, _ in group], sums_CM, sizes_CM


def percentile_intervals(
    means_BM: NDArray[np.float64], *, level: float = 0.95
) -> NDArray[np.float64]:
    """[M, 2] the middle `level` of each column of resampled means."""
    tail = (1 - level) / 2
    interval: NDArray[np.float64] = np.quantile(means_BM, [tail, 1 - tail], axis=0).T
    return interval


def randomisation_p(
    sums_CM: NDArray[np.float64], *, seed: int, resamples: int = COMPARISON_RESAMPLES
) -> NDArray[np.float64]:
    """[M] two-sided p-values in (0, 1] that two systems are exchangeable within every cluster.

    sums_CM: sum of the differences of each cluster, for M measures; all share the swaps.
    Under the null hypothesis the names of the two systems may be swapped in any cluster, all its
    queries at once: p is the share of random swaps with a total as far from zero, the data counted
    as one of them (the + 1 without which p could be 0).
    Source: Fisher 1935; Smucker, Allan and Carterette 2007; Phipson and Smyth 2010.
    """
    total_M = sums_CM.sum(axis=0)
    # Sums in another order differ by rounding; equal totals must count as equal.
    least_M = np.abs(total_M) - 1e-12 * np.abs(sums_CM).sum(axis=0)
    rng = np.random.default_rng([seed, 1])  # apart from the bootstrap's draws
    extreme_M = np.zeros(sums_CM.shape[1], dtype=np.int64)
    for rows in _chunks(resamples, len(sums_CM)):
        swapped_BC = rng.integers(0, 2, (rows, len(sums_CM)), dtype=np.int8)
        totals_BM = total_M - 2.0 * (swapped_BC.astype(np.float64) @ sums_CM)
        extreme_M += np.count_nonzero(np.abs(totals_BM) >= least_M, axis=0)
    p_M: NDArray[np.float64] = (extreme_M + 1) / (resamples + 1)
    return p_M


def detectable_difference(
    sums_CM: NDArray[np.float64], sizes_CM: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[M] smallest true difference that a two-sided test at level .05 finds with power .8.

    sums_CM, sizes_CM: sum of the differences and number of queries of each cluster, two or more.
    (t_.975 + t_.8) * SE with C - 1 degrees of freedom, where SE = sqrt(C / (C - 1) * sum_C (sum_c -
    size_c * mean)^2) / n is the standard error of a mean over clusters. Source: Cohen 1988, and
    Cochran 1977, equation 2.39, for SE.
    """
    count = len(sums_CM)
    residual_CM = sums_CM - sizes_CM * (sums_CM.sum(axis=0) / sizes_CM.sum(axis=0))
    squares_M = count / (count - 1) * (residual_CM**2).sum(axis=0)
    quantiles = float(stdtrit(count - 1, [1 - LEVEL / 2, POWER]).sum())
    detectable_M: NDArray[np.float64] = quantiles * np.sqrt(squares_M) / sizes_CM.sum(axis=0)
    return detectable_M


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


def resampled_means(
    sums_CM: NDArray[np.float64],
    sizes_CM: NDArray[np.float64],
    resamples: int,
    seed: Seed,
) -> NDArray[np.float64]:
    """[B, M] means over as many clusters drawn with replacement, B times."""
    columns = sums_CM.shape[1]
    both = np.concatenate([sums_CM, sizes_CM], axis=1)
    totals = np.concatenate(
        [times_BC.astype(np.float64) @ both for times_BC in _draws(len(both), resamples, seed)]
    )
    means_BM: NDArray[np.float64] = totals[:, :columns] / totals[:, columns:]
    return means_BM


def _draws(clusters: int, resamples: int, seed: Seed) -> Iterable[NDArray[np.uint16]]:
    """How often each cluster is drawn, in blocks of resamples."""
    if clusters * resamples > _KEPT:
        return _draw(clusters, resamples, seed)
    return _kept_draws(clusters, resamples, seed)


# A report asks for the same draws for each of its tables.
@lru_cache(maxsize=2)
def _kept_draws(clusters: int, resamples: int, seed: Seed) -> tuple[NDArray[np.uint16], ...]:
    return tuple(_draw(clusters, resamples, seed))


def _draw(clusters: int, resamples: int, seed: Seed) -> Iterator[NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    for rows in _chunks(resamples, clusters):
        # One count over all rows: cluster c of row b is number b * clusters + c.
        drawn_BC = rng.integers(0, clusters, (rows, clusters))
        drawn_BC += clusters * np.arange(rows)[:, None]
        times = np.bincount(drawn_BC.ravel(), minlength=rows * clusters)
        yield times.reshape(rows, clusters).astype(np.uint16)


def _totals(
    cluster_Q: NDArray[np.int64], value_Q: NDArray[np.float64], clusters: int
) -> NDArray[np.float64]:
    total_C = np.bincount(cluster_Q, weights=value_Q, minlength=clusters)
    return total_C.astype(np.float64, copy=False)


def _chunks(resamples: int, clusters: int) -> Iterator[int]:
    """Numbers of resamples to hold at a time, summing to all of them."""
    rows = max(1, _CHUNK // clusters)
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)
