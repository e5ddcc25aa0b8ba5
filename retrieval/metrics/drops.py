"""Difference of differences: does one system lose more than another from one domain to the next?

Legend of array suffixes: Q queries, M measures, B resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.statistics import (
    COMPARISON_RESAMPLES,
    Columns,
    clustered,
    percentile_intervals,
    resampled_means,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Values of two systems for the same queries of one domain, and the queries' clusters.

    weights: how much each query counts in each column; see `clustered`.
    """

    first: Columns
    second: Columns
    clusters: Sequence[str]
    weights: Columns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropComparison:
    """How much more the first system loses than the second; negative: it loses less.

    difference: (first in - first out) - (second in - second out), in means. ci95: its bootstrap
    interval. p: two-sided. p_holm: corrected over the family; p itself in a family of one.
    One cluster in a domain says nothing of others: then the interval is all numbers and p is 1.
    """

    difference: float
    ci95: tuple[float, float]
    p: float
    p_holm: float


def compare_drops(
    inside: Paired, outside: Paired, *, seed: int, resamples: int = COMPARISON_RESAMPLES
) -> dict[str, DropComparison]:
    """The columns that all have. The queries of the two domains are others, and drawn apart.

    A query counts where both systems have a value.

    p is the share of resamples that lie as far from the difference found as that lies from zero,
    the data counted as one. Source: Efron and Tibshirani 1993, section 16.4, by shifting.
    """
    means = [
        _resampled(paired, seed=(seed, place), resamples=resamples)
        for place, paired in enumerate((inside, outside))
    ]
    found: dict[str, DropComparison] = {}
    for name in means[0]:
        if name in means[1]:
            (mean_in, in_B), (mean_out, out_B) = means[0][name], means[1][name]
            found[name] = _comparison(mean_in - mean_out, in_B - out_B)
    return found


def _resampled(
    paired: Paired, *, seed: tuple[int, int], resamples: int
) -> Mapping[str, tuple[float, NDArray[np.float64]]]:
    """Column -> (mean difference, [B] resampled ones; NaN where one cluster is all there is)."""
    shared = [name for name in paired.first if name in paired.second]
    differences = {name: paired.first[name] - paired.second[name] for name in shared}
    found: dict[str, tuple[float, NDArray[np.float64]]] = {}
    for names, sums_CM, sizes_CM in clustered(differences, paired.clusters, paired.weights):
        means_BM = resampled_means(sums_CM, sizes_CM, resamples, seed)
        if len(sums_CM) < 2:
            means_BM = np.full_like(means_BM, np.nan)
        mean_M = sums_CM.sum(axis=0) / sizes_CM.sum(axis=0)
        found |= {name: (float(mean_M[m]), means_BM[:, m]) for m, name in enumerate(names)}
    return {name: found[name] for name in shared if name in found}


def _comparison(difference: float, resampled_B: NDArray[np.float64]) -> DropComparison:
    if np.isnan(resampled_B).any():
        everything = (float("-inf"), float("inf"))
        return DropComparison(difference=difference, ci95=everything, p=1.0, p_holm=1.0)
    low, high = percentile_intervals(resampled_B[:, None])[0].tolist()
    # Resamples that equal the data but for rounding must count as equal; rank distances are large.
    far = abs(difference) - 1e-12 * max(1.0, float(np.abs(resampled_B).max()))
    extreme = int(np.count_nonzero(np.abs(resampled_B - difference) >= far))
    p = (extreme + 1) / (len(resampled_B) + 1)
    return DropComparison(difference=difference, ci95=(low, high), p=p, p_holm=p)
