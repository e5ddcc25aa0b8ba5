"""Search over stored unit vectors, whatever engine proposes the candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.vectors.faiss_engine import FaissEngine, scan
from retrieval.vectors.ranking import NOBODY, Candidates, Engine, IdsOf, Ranking, RowFilter, best
from retrieval.vectors.scores import exact_scores, score_blocks, score_tile, sum_error

EXACT_ROWS = 10_000
"""A filter that leaves no more rows is searched exactly: 3 ms a query at 512 dimensions."""

# The same as a share of all rows. An index must look at 1 / share times as many rows to find as
# many allowed ones: at this share, of 200,000 x 512, a graph takes 13 ms and the allowed rows .6.
_EXACT_SHARE = 1 / 50

# Rows beyond k that are asked for. A complete engine settles nearly every boundary of real corpora
# with 32; others need some against rough scores that differ in their last bits.
_SLACK = 32
_SLACK_APPROXIMATE = 8
_WIDEN = 4
# On busy cores a second thread cost 15 ms of waiting (13,014 x 512, one query: 0.9 ms with one
# thread, 16 ms with two); this many products take about 10 ms.
_PRODUCTS_A_THREAD = 2**26
_QUERIES_A_THREAD = 16

_Propose = Callable[[NDArray[np.float32], int], Candidates]


class VectorIndex:
    """Inner-product search over stored unit vectors; values and order of what it returns are exact.

    The engine only proposes candidates; they are scored again from `vectors_PD`. Where the engine
    is complete, more candidates are fetched until no row left out could reach the k-th score, so
    that the answer is the exact one. The same is done, by a scan of the stored vectors, where the
    search is exhaustive, where the engine cannot filter, where a filter leaves few rows, and for
    each query to which the engine proposes fewer than k allowed rows.
    """

    def __init__(
        self,
        engine: Engine,
        vectors_PD: NDArray[np.float32],
        *,
        threads: int,
        exact_rows: int = EXACT_ROWS,
    ) -> None:
        """exact_rows: filters that leave at most so many rows never reach the engine."""
        self._engine = engine
        self._vectors_PD = vectors_PD
        self._threads = threads
        self._exact_rows = exact_rows
        self._error = sum_error(vectors_PD.shape[1])

    @classmethod
    def read(
        cls,
        path: Path,
        vectors_PD: NDArray[np.float32],
        *,
        threads: int,
        parameters: Mapping[str, str] | None = None,
    ) -> VectorIndex:
        """The index in `path` over the vectors it was built from, memory-mapped.

        parameters: those that its build recorded, such as how hard to search.
        The file must have been verified: faiss trusts what it reads. Raises BadInput where it is
        no index of these vectors.
        """
        engine = FaissEngine.read(path, vectors_PD.shape, parameters=parameters or {})
        return cls(engine, vectors_PD, threads=threads)

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
        exhaustive: compare every allowed row, whatever the engine is.
        """
        if self._engine.complete and not exhaustive:
            return self._settle(queries_QD, k, ids_of, allowed, self._ask(allowed))
        if exhaustive or self._must_scan(k, allowed):
            return self._settle(queries_QD, k, ids_of, allowed, self._scan(allowed))
        found = self._rescore(queries_QD, k, ids_of, allowed)
        starved = [q for q, ranking in enumerate(found) if ranking is None]
        if starved:
            settled = self._settle(queries_QD[starved], k, ids_of, allowed, self._scan(allowed))
            for q, ranking in zip(starved, settled, strict=True):
                found[q] = ranking
        return [ranking for ranking in found if ranking is not None]

    def _must_scan(self, k: int, allowed: RowFilter | None) -> bool:
        """Whether the allowed rows are searched exactly rather than through the engine."""
        rows = len(self._vectors_PD)
        if allowed is not None:
            few = max(self._exact_rows, int(rows * _EXACT_SHARE) if self._exact_rows else 0)
            if len(allowed.rows) <= few or not self._engine.can_filter():
                return True
            rows = len(allowed.rows)
        return 4 * self._width(k) > rows

    def _width(self, k: int) -> int:
        return max(k * self._engine.oversample, k + _SLACK_APPROXIMATE)

    def _rescore(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        ids_of: IdsOf,
        allowed: RowFilter | None,
    ) -> list[Ranking | None]:
        """The best of what the engine proposes; None where it proposes too few."""
        threads = max(1, min(self._threads, len(queries_QD) // _QUERIES_A_THREAD))
        _, rows_QC = self._engine.propose(
            queries_QD, self._width(k), allowed=allowed, threads=threads
        )
        rankings: list[Ranking | None] = []
        for query_D, proposed_C in zip(queries_QD, rows_QC, strict=True):
            rows_C = proposed_C[proposed_C != NOBODY]
            if allowed is not None:
                rows_C = rows_C[allowed.holds(rows_C)]
            if len(rows_C) < k:
                rankings.append(None)
                continue
            [scores_C] = score_tile(query_D[None], self._vectors_PD[rows_C])
            rankings.append(best(scores_C, rows_C, k, ids_of))
        return rankings

    def _ask(self, allowed: RowFilter | None) -> _Propose:
        return lambda queries_QD, width: self._engine.propose(
            queries_QD, width, allowed=allowed, threads=self._threads_for(len(queries_QD))
        )

    def _scan(self, allowed: RowFilter | None) -> _Propose:
        rows_R = None if allowed is None else allowed.rows
        return lambda queries_QD, width: scan(
            queries_QD,
            self._vectors_PD,
            width,
            rows_R=rows_R,
            threads=self._threads_for(len(queries_QD)),
        )

    def _settle(
        self,
        queries_QD: NDArray[np.float32],
        k: int,
        ids_of: IdsOf,
        allowed: RowFilter | None,
        propose: _Propose,
    ) -> list[Ranking]:
        """The exact answer, from a `propose` that compares every allowed row."""
        rows = len(self._vectors_PD) if allowed is None else len(allowed.rows)
        rankings: dict[int, Ranking] = {}
        open_Q = np.arange(len(queries_QD))
        width = k + _SLACK
        while open_Q.size and width < rows:
            candidates = propose(queries_QD[open_Q], width)
            found = self._settled(queries_QD[open_Q], candidates, k, ids_of)
            rankings |= {int(open_Q[i]): ranking for i, ranking in found.items()}
            open_Q = np.array([q for q in open_Q if q not in rankings], dtype=np.int64)
            width *= _WIDEN
        if open_Q.size:
            found_all = self._exhaust(queries_QD[open_Q], k, ids_of, allowed)
            rankings |= dict(zip(open_Q.tolist(), found_all, strict=True))
        return [rankings[q] for q in range(len(queries_QD))]

    def _settled(
        self, queries_QD: NDArray[np.float32], candidates: Candidates, k: int, ids_of: IdsOf
    ) -> dict[int, Ranking]:
        """Rankings of those queries for which the candidates settle the top k."""
        settled: dict[int, Ranking] = {}
        rough_QC, rows_QC = candidates
        for q, rows_C in enumerate(rows_QC):
            scores_C = exact_scores(queries_QD[q], self._vectors_PD[rows_C])
            kth = np.partition(scores_C, -k)[-k]
            # Every row left out scores at most this; an equal score could win by its id.
            if kth > np.float32(rough_QC[q, -1] + self._error):
                settled[q] = best(scores_C, rows_C, k, ids_of)
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
                yield best(scores_R, rows_R, k, ids_of)
