from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from retrieval.metrics.bias import language_share, rank_distance


def test_rank_distance_is_highest_minus_lowest_rank_of_each_query() -> None:
    query_N = np.array([0, 0, 0, 2])
    mid_N = np.array([7.0, 2.5, 4.0, 9.0])
    assert rank_distance(query_N, mid_N, queries=3).tolist() == [4.5, 0.0, 0.0]


def test_language_share_counts_the_first_passages() -> None:
    scores_QP = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    language_P = np.array([0, 1, 1, 2])
    share_QL = language_share(scores_QP, language_P, languages=3, cutoff=2)
    assert share_QL.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]


def test_passages_tied_at_the_cut_off_share_its_places_as_over_all_orders_of_ties() -> None:
    scores = (0.9, 0.5, 0.5, 0.5, 0.1)
    languages = (0, 0, 1, 1, 2)
    counted: Counter[int] = Counter()
    orders = [o for o in permutations(range(5)) if [scores[i] for i in o] == sorted(scores)[::-1]]
    for order in orders:
        counted.update(languages[index] for index in order[:2])
    expected = [counted[language] / len(orders) / 2 for language in range(3)]
    share_QL = language_share(
        np.array([scores], dtype=np.float32), np.array(languages), languages=3, cutoff=2
    )
    assert share_QL[0].tolist() == pytest.approx(expected)


def test_shares_of_a_pool_smaller_than_the_cut_off_sum_to_one() -> None:
    scores_QP = np.array([[0.1, 0.2, 0.3]], dtype=np.float32)
    share_QL = language_share(scores_QP, np.array([0, 0, 1]), languages=2, cutoff=10)
    assert share_QL[0].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_passages_that_a_ranking_does_not_hold_have_no_share() -> None:
    scores_QP = np.array([[0.1, -np.inf, -np.inf]], dtype=np.float32)
    share_QL = language_share(scores_QP, np.array([0, 0, 1]), languages=2, cutoff=2)
    assert share_QL[0].tolist() == [0.5, 0.0]
