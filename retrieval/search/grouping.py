"""One hit a document: the best passage of each, over any way of ranking passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from retrieval.vectors import Ranking

Find = Callable[[NDArray[np.int64], int], Sequence[Ranking]]
"""The places of some queries and a width, to the first `width` passages of each of these queries.

Fewer than `width` mean that there are no others. A wider ranking begins with a narrower one.
"""

GroupOf = Callable[[NDArray[np.int64]], Sequence[str]]
"""Rows to what they are grouped by."""

# Of a document's chunks a few are near each other: most queries are settled at once.
_FIRST = 4
_WIDEN = 4


class GroupBy(StrEnum):
    """What hits are grouped by."""

    DOCUMENT = "document"


def best_of_groups(find: Find, queries: int, k: int, group_of: GroupOf) -> list[Ranking]:
    """The `k` best groups of each of so many queries, each by its best passage, best first.

    The answer is that of ranking every passage and keeping the first of each group: rankings are
    widened until they hold `k` groups or end. There are fewer than `k` only where fewer exist.
    """
    settled: dict[int, Ranking] = {}
    open_Q = np.arange(queries, dtype=np.int64)
    width = _FIRST * k
    while open_Q.size:
        for query, ranking in zip(open_Q.tolist(), find(open_Q, width), strict=True):
            first = _first_of_groups(group_of(ranking.rows), k)
            if len(first) == k or len(ranking.rows) < width:
                settled[query] = Ranking(ranking.rows[first], ranking.scores[first])
        open_Q = np.array([q for q in open_Q.tolist() if q not in settled], dtype=np.int64)
        width *= _WIDEN
    return [settled[query] for query in range(queries)]


def _first_of_groups(groups_C: Sequence[str], k: int) -> list[int]:
    """The places of the first of each of the first `k` groups."""
    first: dict[str, int] = {}
    for place, group in enumerate(groups_C):
        if group not in first:
            if len(first) == k:
                break
            first[group] = place
    return list(first.values())
