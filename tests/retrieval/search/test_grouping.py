"""Grouping against ranking everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.search.grouping import best_of_groups
from retrieval.vectors import Ranking


class Ranker:
    """Ranks rows 0, 1, ... of a query in an order of its own; remembers what it was asked for."""

    def __init__(self, orders: Sequence[Sequence[int]]) -> None:
        self.orders = orders
        self.asked: list[tuple[list[int], int]] = []

    def __call__(self, queries: NDArray[np.int64], width: int) -> list[Ranking]:
        self.asked.append((queries.tolist(), width))
        return [
            Ranking(
                np.array(self.orders[query][:width], dtype=np.int64),
                -np.arange(len(self.orders[query][:width]), dtype=np.float32),
            )
            for query in queries
        ]


@settings(deadline=None)
@given(data=st.data(), rows=st.integers(0, 120), queries=st.integers(0, 3), k=st.integers(1, 9))
def test_groups_are_those_of_ranking_everything(
    data: st.DataObject, rows: int, queries: int, k: int
) -> None:
    groups = data.draw(st.lists(st.sampled_from("abcdefghij"), min_size=rows, max_size=rows))
    orders = [data.draw(st.permutations(range(rows))) for _ in range(queries)]
    find = Ranker(orders)
    found = best_of_groups(find, queries, k, lambda rows_C: [groups[row] for row in rows_C])
    assert len(found) == queries
    for order, ranking in zip(orders, found, strict=True):
        expected: dict[str, int] = {}
        for row in order:
            expected.setdefault(groups[row], row)
        assert ranking.rows.tolist() == list(expected.values())[:k]
        assert (-ranking.scores).tolist() == [order.index(row) for row in ranking.rows]


def test_only_queries_without_enough_groups_are_asked_again() -> None:
    one_group_first = [*range(50), 60, 70]
    find = Ranker([list(range(50, 100)), one_group_first])
    found = best_of_groups(
        find, 2, 3, lambda rows: ["a" if row < 50 else str(row) for row in rows.tolist()]
    )
    assert [ranking.rows.tolist() for ranking in found] == [[50, 51, 52], [0, 60, 70]]
    assert find.asked == [([0, 1], 12), ([1], 48), ([1], 192)]
