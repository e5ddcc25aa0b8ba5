"""Scores of unit vectors, as exact numbers.

A score is a function of two vectors alone: their inner product as a real number, rounded to
float64 and then to float32. It does not depend on the batch, the block or the thread that computed
it, so equal vectors have equal scores and every path agrees to the last bit.

Legend of suffixes: Q queries, P rows of the corpus, R some of those rows, C candidates of one
query, N pairs of a query and a row, D dimensions. A row is the 0-based position of a passage.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput

BLOCK_BYTES = 128 * 2**20
"""Size of one block of scores, where the caller names none."""

_TILE_BYTES = 32 * 2**20
_PAIRS = 4096
# float32 normalisation is off by 1e-7; what is further off was never normalised.
_LONGEST = 1.001
# Partial sums of multiples of 2**-52 are exact in float64 while they stay below 2.
_GRAIN = 2.0**-52


def sum_error(dim: int) -> float:
    """How far a float32 inner product of two unit rows, summed in any order, can be off.

    |float32 sum - real sum| <= D 2**-24 / (1 - D 2**-24); 1.01 covers lengths a hair over one.
    """
    return 1.01 * dim * 2.0**-24


def unit_rows(vectors: NDArray[np.floating], *, dim: int) -> NDArray[np.float32]:
    """`vectors` as contiguous float32 [n, dim].

    Raises BadInput where a row is longer than one or not finite, or the shape is another.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadInput(f"expected vectors of shape [n, {dim}], found {list(vectors.shape)}")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    wrong = np.flatnonzero(~(lengths <= _LONGEST))
    if wrong.size:
        raise BadInput(
            f"vector {wrong[0]} has length {lengths[wrong[0]]:.6g}, expected 1",
            fix="Divide each vector by its length; an encoder that gives NaN is broken.",
        )
    return rows


def exact_scores(
    left_ND: NDArray[np.float32], right_ND: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Scores of pairs of rows, float32 [N]; either side may be one row [D], paired with all.

    A product of two float32 is exact in float64. Its part above the grain 2**-52 sums without
    error in any order, since sums stay below 2; the rest is too small for its own error to count.
    """
    products_ND = np.multiply(left_ND, right_ND, dtype=np.float64)
    coarse_ND = np.rint(products_ND / _GRAIN) * _GRAIN
    fine_ND = np.subtract(products_ND, coarse_ND, out=products_ND)
    sums_N: NDArray[np.float64] = coarse_ND.sum(axis=-1) + fine_ND.sum(axis=-1)
    return sums_N.astype(np.float32)


def score_blocks(
    queries_QD: NDArray[np.float32],
    vectors_PD: NDArray[np.float32],
    *,
    rows_R: NDArray[np.int64] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[NDArray[np.float32]]:
    """Every score of consecutive blocks of queries, float32 [q, P] (or [q, R] for `rows_R` alone).

    block_bytes bounds one block; at least one query is in it. The values equal `exact_scores`.
    """
    columns = len(vectors_PD) if rows_R is None else len(rows_R)
    height = max(1, block_bytes // (4 * max(1, columns)))
    for start in range(0, len(queries_QD), height):
        block_QD = queries_QD[start : start + height]
        scores_QP = np.empty((len(block_QD), columns), dtype=np.float32)
        width = max(256, _TILE_BYTES // (8 * len(block_QD)))
        for left in range(0, columns, width):
            span = slice(left, left + width)
            tile_RD = vectors_PD[span if rows_R is None else rows_R[span]]
            scores_QP[:, span] = score_tile(block_QD, tile_RD)
        yield scores_QP


def score_tile(
    queries_QD: NDArray[np.float32], rows_RD: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Scores of all pairs, float32 [Q, R], held in float64 meanwhile; equal to `exact_scores`.

    A matrix product in float64, recomputed exactly where its error could change the rounding.
    """
    rough_QR = queries_QD.astype(np.float64) @ rows_RD.astype(np.float64).T
    error = 1.01 * queries_QD.shape[1] * 2.0**-53
    scores_QR: NDArray[np.float32] = (rough_QR + error).astype(np.float32)
    unsure_Q, unsure_R = np.nonzero((rough_QR - error).astype(np.float32) != scores_QR)
    for start in range(0, len(unsure_Q), _PAIRS):
        q, r = unsure_Q[start : start + _PAIRS], unsure_R[start : start + _PAIRS]
        scores_QR[q, r] = exact_scores(queries_QD[q], rows_RD[r])
    return scores_QR
