"""Unit vectors, their scores and the index over them: the one file that imports faiss.

A score is a function of two vectors alone: their inner product as a real number, rounded to
float64 and then to float32. It does not depend on the batch, the block or the thread that computed
it, so equal vectors have equal scores and every path through this file agrees to the last bit.

Legend of suffixes: Q queries, P rows of the corpus, R some of those rows, C candidates of one
query, N pairs of a query and a row, D dimensions. A row is the 0-based position of a passage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput, MachineFailure

IdsOf = Callable[[NDArray[np.int64]], Sequence[str]]
"""Rows to the passage ids that break ties."""

BLOCK_BYTES = 128 * 2**20
"""Size of one block of scores, where the caller names none."""

# Rows beyond k that faiss is asked for: on real corpora they settle nearly every boundary at once.
_SLACK = 32
_WIDEN = 4
_TILE_BYTES = 32 * 2**20
_PAIRS = 4096
_ADD_ROWS = 65_536
# On busy cores a second thread cost 15 ms of waiting (13,014 x 512, one query: 0.9 ms with one
# thread, 16 ms with two); this many products take about 10 ms.
_PRODUCTS_A_THREAD = 2**26
# float32 normalisation is off by 1e-7; what is further off was never normalised.
_LONGEST = 1.001
# Partial sums of multiples of 2**-52 are exact in float64 while they stay below 2.
_GRAIN = 2.0**-52


class IndexKind(StrEnum):
    """How candidates are found."""

    FLAT = "flat"


@dataclass(frozen=True, slots=True, eq=False)
class RowFilter:
    """The rows a search may return.

    rows: int64, ascending, each once.  bitmap: bit i of byte i // 8 is set for row i.
    """

    rows: NDArray[np.int64]
    bitmap: NDArray[np.uint8]

    @classmethod
    def from_mask(cls, mask_P: NDArray[np.bool_]) -> RowFilter:
        """The rows where `mask_P` is true."""
        return cls(np.flatnonzero(mask_P), np.packbits(mask_P, bitorder="little"))


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows found, score descending, then passage id descending. rows int64, scores float32."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex:
    """Inner-product search over stored unit vectors, exact in values and order.

    faiss only proposes candidates; what is returned is scored from `vectors_PD`, and more
    candidates are fetched until no row left out could reach the k-th score.
    """

    def __init__(
        self, index: faiss.Index, vectors_PD: NDArray[np.float32], *, threads: int
    ) -> None:
        self._index = index
        self._vectors_PD = vectors_PD
        self._threads = threads
        # |float32 sum - real sum| <= D 2**-24 / (1 - D 2**-24) for unit vectors, in any order of
        # summation; 1.01 covers lengths a hair over one.
        self._error = 1.01 * vectors_PD.shape[1] * 2.0**-24

    @classmethod
    def read(cls, path: Path, vectors_PD: NDArray[np.float32], *, threads: int) -> VectorIndex:
        """The index in `path` over the vectors it was built from, memory-mapped.

        The file must have been verified: faiss trusts what it reads. Raises BadInput where it is
        no index of these vectors.
        """
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise BadInput(
                f"faiss cannot read the index ({_first_line(error)})", path=path
            ) from error
        if (index.ntotal, index.d) != vectors_PD.shape:
            raise BadInput(
                f"the index holds {index.ntotal} x {index.d}, the vectors are "
                f"{vectors_PD.shape[0]} x {vectors_PD.shape[1]}",
                path=path,
            )
        return cls(index, vectors_PD, threads=threads)

    def search(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        *,
        ids_of: IdsOf,
        allowed: RowFilter | None = None,
        exhaustive: bool = False,
    ) -> list[Ranking]:
        """The `k` best rows of each query (fewer where fewer are allowed), best first.

        queries_QD: unit float32 rows (see `unit_rows`). k >= 1.
        allowed: only these rows compete; applied before the top k is taken.
        exhaustive: score every allowed row without asking faiss; the answer is the same.
        """
        rows = len(self._vectors_PD) if allowed is None else len(allowed.rows)
        rankings: dict[int, Ranking] = {}
        open_Q = np.arange(len(queries_QD))
        width = k + _SLACK
        while open_Q.size and width < rows and not exhaustive:
            found = self._propose(queries_QD[open_Q], k, width, ids_of, allowed)
            rankings |= {int(open_Q[i]): ranking for i, ranking in found.items()}
            open_Q = np.array([q for q in open_Q if q not in rankings], dtype=np.int64)
            width *= _WIDEN
        if open_Q.size:
            found_all = self._exhaust(queries_QD[open_Q], k, ids_of, allowed)
            rankings |= dict(zip(open_Q.tolist(), found_all, strict=True))
        return [rankings[q] for q in range(len(queries_QD))]

    def _propose(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        width: int,
        ids_of: IdsOf,
        allowed: RowFilter | None,
    ) -> dict[int, Ranking]:
        """Rankings of those queries for which `width` candidates settle the top k."""
        with _faiss_threads(self._threads_for(len(queries_QD))):
            rough_QC, rows_QC = self._index.search(queries_QD, width, params=_parameters(allowed))
        settled: dict[int, Ranking] = {}
        for q, rows_C in enumerate(rows_QC):
            scores_C = exact_scores(queries_QD[q], self._vectors_PD[rows_C])
            kth = np.partition(scores_C, -k)[-k]
            # Every row left out scores at most this; an equal score could win by its id.
            if kth > np.float32(rough_QC[q, -1] + self._error):
                settled[q] = _best(scores_C, rows_C, k, ids_of)
        return settled

    def _threads_for(self, queries: int) -> int:
        """A flat scan is shared out by query, so one query gains nothing from a second thread."""
        products = queries * self._vectors_PD.size
        return max(1, min(self._threads, queries, products // _PRODUCTS_A_THREAD))

    def _exhaust(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        ids_of: IdsOf,
        allowed: RowFilter | None,
    ) -> Iterator[Ranking]:
        rows_R = np.arange(len(self._vectors_PD)) if allowed is None else allowed.rows
        some = None if allowed is None else rows_R
        for block_QR in score_blocks(queries_QD, self._vectors_PD, rows_R=some):
            for scores_R in block_QR:
                yield _best(scores_R, rows_R, k, ids_of)


def build_index(vectors_PD: NDArray[np.float32], path: Path, *, kind: IndexKind) -> dict[str, str]:
    """Index the rows of `vectors_PD` (memory-mapped or not) into the file `path`.

    Returns the parameters to record. Raises MachineFailure where the file cannot be written.
    """
    index = {IndexKind.FLAT: faiss.IndexFlatIP}[kind](vectors_PD.shape[1])
    for start in range(0, len(vectors_PD), _ADD_ROWS):
        index.add(np.ascontiguousarray(vectors_PD[start : start + _ADD_ROWS]))
    try:
        faiss.write_index(index, str(path))
        # faiss reports a failed write, but not a failed close: what was last in its buffer may be
        # missing, which reading finds.
        faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise MachineFailure(
            f"cannot write the index ({_first_line(error)})",
            path=path,
            fix="Look for a full disk or a missing permission.",
        ) from error
    return {"faiss": faiss.__version__}


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
            scores_QP[:, span] = _score_tile(block_QD, tile_RD)
        yield scores_QP


def _score_tile(
    queries_QD: NDArray[np.float32], rows_RD: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A matrix product in float64, recomputed exactly where its error could change the rounding."""
    rough_QR = queries_QD.astype(np.float64) @ rows_RD.astype(np.float64).T
    error = 1.01 * queries_QD.shape[1] * 2.0**-53
    scores_QR: NDArray[np.float32] = (rough_QR + error).astype(np.float32)
    unsure_Q, unsure_R = np.nonzero((rough_QR - error).astype(np.float32) != scores_QR)
    for start in range(0, len(unsure_Q), _PAIRS):
        q, r = unsure_Q[start : start + _PAIRS], unsure_R[start : start + _PAIRS]
        scores_QR[q, r] = exact_scores(queries_QD[q], rows_RD[r])
    return scores_QR


def _best(
    scores_C: NDArray[np.float32], rows_C: NDArray[np.int64], k: int, ids_of: IdsOf
) -> Ranking:
    if len(scores_C) > k:
        keep = scores_C >= np.partition(scores_C, -k)[-k]
        scores_C, rows_C = scores_C[keep], rows_C[keep]
    keys = list(zip(scores_C.tolist(), ids_of(rows_C), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)[:k]
    return Ranking(rows_C[order].astype(np.int64), scores_C[order])


def _parameters(allowed: RowFilter | None) -> Any:
    # faiss' stubs describe the constructors of C++, not those of Python.
    loose: Any = faiss
    selector = None if allowed is None else loose.IDSelectorBitmap(allowed.bitmap)
    return loose.SearchParameters(sel=selector)


@contextmanager
def _faiss_threads(threads: int) -> Iterator[None]:
    """The one place where faiss' threads are bounded; the bound holds for the calling thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:200]
