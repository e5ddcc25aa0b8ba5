"""Slow, obvious versions of scores and rankings, and vectors that are hard to rank."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


def true_score(left_D: Rows, right_D: Rows) -> float:
    """The definition: the real inner product, rounded to float64, then to float32."""
    products = [float(x) * float(y) for x, y in zip(left_D, right_D, strict=True)]
    return float(np.float32(math.fsum(products)))


def true_ranking(
    query_D: Rows, vectors_PD: Rows, ids: Sequence[str], k: int, allowed: Sequence[int]
) -> list[tuple[float, str]]:
    scored = [(true_score(query_D, vectors_PD[row]), ids[row]) for row in allowed]
    return sorted(scored, reverse=True)[:k]


def unit(rows: NDArray[np.floating]) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def crowded(rng: np.random.Generator, rows: int, dim: int, distinct: int) -> Rows:
    """Unit rows of which only `distinct` differ, a third of them by one bit from another row."""
    pool = unit(rng.standard_normal((distinct, dim)))
    vectors = pool[rng.integers(0, distinct, rows)]
    nudged = rng.random(rows) < 1 / 3
    vectors[nudged, 0] = np.nextafter(vectors[nudged, 0], np.float32(0))
    return vectors


def shuffled_ids(rng: np.random.Generator, rows: int) -> list[str]:
    return [f"p{number}" for number in rng.permutation(rows)]


def likely_ranking(
    query_D: Rows, vectors_PD: Rows, ids: Sequence[str], k: int, rows_R: NDArray[np.int64]
) -> list[tuple[float, str]]:
    """`true_ranking` of those rows that a float64 product puts within rounding of the k-th."""
    rough_R = vectors_PD[rows_R].astype(np.float64) @ query_D.astype(np.float64)
    if len(rows_R) > k:
        rows_R = rows_R[rough_R >= np.partition(rough_R, -k)[-k] - 1e-6]
    return true_ranking(query_D, vectors_PD, ids, k, rows_R.tolist())
