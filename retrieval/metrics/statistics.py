"""Intervals for means over queries whose translations are not independent samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000

# Weights of that many resamples at a time: 64 x 100,000 clusters of float64 are 51 MB.
_CHUNK = 64


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
    index = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    cluster_Q = np.array([index[name] for name in clusters], dtype=np.int64)
    sizes_C = np.bincount(cluster_Q, minlength=len(index)).astype(np.float64)
    sums_CM = np.zeros((len(index), values_QM.shape[1]))
    np.add.at(sums_CM, cluster_Q, values_QM)
    means_BM = _resampled_means(sums_CM, sizes_C, resamples, np.random.default_rng(seed))
    tail = (1 - level) / 2
    interval: NDArray[np.float64] = np.quantile(means_BM, [tail, 1 - tail], axis=0).T
    return interval


def _resampled_means(
    sums_CM: NDArray[np.float64],
    sizes_C: NDArray[np.float64],
    resamples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    count = len(sizes_C)
    means: list[NDArray[np.float64]] = []
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        weights_BC = np.empty((rows, count))
        for row in range(rows):
            weights_BC[row] = np.bincount(rng.integers(0, count, count), minlength=count)
        means.append((weights_BC @ sums_CM) / (weights_BC @ sizes_C)[:, None])
    return np.concatenate(means)
