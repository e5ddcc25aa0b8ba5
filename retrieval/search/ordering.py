"""Orders as scores: float32 numbers that say exactly which goes first and which are tied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_SIGN = np.int64(0x8000_0000)


def first_columns(
    scores_C: NDArray[np.float32], k: int, ids_of: Callable[[NDArray[np.int64]], Sequence[str]]
) -> NDArray[np.int64]:
    """The first `k` columns: score descending, then id descending; -inf is left out.

    ids_of: columns to ids, asked only for those that could be among the first.
    """
    columns = np.flatnonzero(scores_C > -np.inf)
    if len(columns) > k:
        kth = np.partition(scores_C[columns], -k)[-k]
        columns = columns[scores_C[columns] >= kth]
    keys = list(zip(scores_C[columns].tolist(), ids_of(columns), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)[:k]
    return columns[np.array(order, dtype=np.int64)]


def as_scores(
    values_C: NDArray[np.float64], levels_C: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """float32 scores that order and tie `values_C` exactly as they are, float64 included.

    levels_C: what the scores are to be, up to the last bits: the n-th highest value gets the n-th
    highest level, those tied with it too; by default the values themselves, rounded.
    """
    order = np.argsort(-values_C, kind="stable")
    ranked = values_C[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    level = (ranked if levels_C is None else -np.sort(-levels_C))[new].astype(np.float32)
    group = np.cumsum(new) - 1
    scores_C = np.empty(len(order), dtype=np.float32)
    scores_C[order] = _strictly_falling(level)[group]
    return scores_C


def _strictly_falling(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Falling levels, each lowered by as few last bits as make it differ from the one before."""
    places = np.arange(len(levels))
    return _from_grid(np.minimum.accumulate(_to_grid(levels) + places) - places)


def _to_grid(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The number of each float32 among all float32, ascending; zero is 0."""
    bits = np.ascontiguousarray(scores).view(np.int32).astype(np.int64)
    numbers: NDArray[np.int64] = np.where(bits < 0, -(bits + _SIGN), bits)
    return numbers


def _from_grid(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    bits = np.where(numbers < 0, _SIGN - numbers, numbers)
    scores: NDArray[np.float32] = bits.astype(np.uint32).view(np.float32)
    return scores
