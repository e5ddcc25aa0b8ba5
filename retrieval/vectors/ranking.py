"""What a search takes and gives, and what a search engine must offer: names no engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IdsOf = Callable[[NDArray[np.int64]], Sequence[str]]
"""Rows to the passage ids that break ties."""

Candidates = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Rough scores and rows, [Q, C] each, best first; row -1 where there is none."""

NOBODY = -1
"""The row of a candidate that does not exist."""


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

    def holds(self, rows_C: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of `rows_C` (none negative) is allowed."""
        bits: NDArray[np.bool_] = (
            self.bitmap[rows_C >> 3] >> (rows_C & 7).astype(np.uint8)
        ) & 1 > 0
        return bits


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows found, score descending, then passage id descending. rows int64, scores float32."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class Engine(Protocol):
    """What proposes candidates: one implementation an engine, under one contract suite.

    An engine knows rows and vectors, never passages. Its scores are rough: what a search returns
    is scored again from the stored vectors.
    """

    @property
    def complete(self) -> bool:
        """Whether it compares every row by the float32 inner product itself (see `sum_error`)."""
        ...

    @property
    def oversample(self) -> int:
        """How many times as many candidates as hits it must be asked for."""
        ...

    def can_filter(self) -> bool:
        """Whether `propose` honours `allowed` at all."""
        ...

    def propose(
        self,
        queries_QD: NDArray[np.float32],
        width: int,
        *,
        allowed: RowFilter | None = None,
        threads: int = 1,
    ) -> Candidates:
        """The `width` rows it thinks best for each query, at most `threads` at work."""
        ...


def best(
    scores_C: NDArray[np.float32], rows_C: NDArray[np.int64], k: int, ids_of: IdsOf
) -> Ranking:
    """The `k` best of some rows in the total order: score, then passage id, descending."""
    if len(scores_C) > k:
        keep = scores_C >= np.partition(scores_C, -k)[-k]
        scores_C, rows_C = scores_C[keep], rows_C[keep]
    keys = list(zip(scores_C.tolist(), ids_of(rows_C), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)[:k]
    return Ranking(rows_C[order].astype(np.int64), scores_C[order])
