"""Which rows an index is trained on and measured with: every language has its share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shares(counts_L: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """`total` places shared out in proportion to the square root of each count.

    None gets more than its count; what that leaves goes to the others. The sum is
    min(total, sum of counts).
    """
    quota_L = np.zeros(len(counts_L), dtype=np.int64)
    left = min(total, int(counts_L.sum()))
    while left > 0:
        weights_L = np.where(quota_L < counts_L, np.sqrt(counts_L), 0.0)
        more_L = np.floor(left * weights_L / weights_L.sum()).astype(np.int64)
        if not more_L.any():
            # Fewer places than languages: one each to those with the most left.
            most = np.argsort(quota_L - counts_L, kind="stable")[:left]
            more_L[most] = 1
        more_L = np.minimum(more_L, counts_L - quota_L)
        quota_L += more_L
        left -= int(more_L.sum())
    return quota_L


def sample_rows(
    languages_P: NDArray[np.integer], total: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """About `total` rows, ascending, by `shares` of the languages, at random within each.

    languages_P: the language of every row, as a number; a negative one is never drawn.
    """
    names_L, places_P = np.unique(languages_P, return_inverse=True)
    counts_L = np.bincount(places_P, minlength=len(names_L)) * (names_L >= 0)
    order_P = np.argsort(places_P, kind="stable")
    starts_L = np.searchsorted(places_P[order_P], np.arange(len(names_L)))
    drawn = [
        order_P[start + rng.choice(count, quota, replace=False)]
        for start, count, quota in zip(starts_L, counts_L, shares(counts_L, total), strict=True)
        if quota
    ]
    return np.sort(np.concatenate(drawn)) if drawn else np.empty(0, dtype=np.int64)
