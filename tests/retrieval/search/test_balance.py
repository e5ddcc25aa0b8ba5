"""Balance: the same passages, shared out as promised."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.search.balance import Balance, balanced_order, shares_of

CANDIDATES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.integers(0, 2)), min_size=1, max_size=40
)
SHARES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]), min_size=3, max_size=3)
Candidates = list[tuple[float, int]]


def order_of(candidates: Candidates, shares_L: NDArray[np.float64] | None) -> list[int]:
    scores = np.array([score for score, _ in candidates], dtype=np.float32)
    language = np.array([lang for _, lang in candidates], dtype=np.int64)
    order: list[int] = balanced_order(scores, language, np.arange(len(scores)), shares_L).tolist()
    return order


def by_score(candidates: Candidates) -> list[int]:
    return sorted(range(len(candidates)), key=lambda c: (-candidates[c][0], c))


@given(CANDIDATES, SHARES | st.none())
def test_the_same_candidates_in_their_language_in_the_same_order(
    candidates: Candidates, shares: list[float] | None
) -> None:
    order = order_of(candidates, None if shares is None else np.array(shares))
    assert sorted(order) == list(range(len(candidates)))
    for lang in range(3):
        expected = [c for c in by_score(candidates) if candidates[c][1] == lang]
        assert [c for c in order if candidates[c][1] == lang] == expected


@given(CANDIDATES)
def test_round_robin_takes_one_of_each_language_in_turn_the_best_first(
    candidates: Candidates,
) -> None:
    shares = shares_of(Balance.ROUND_ROBIN, ("a", "b", "c"), np.array([1, 1, 1]), {})
    queues = [[c for c in by_score(candidates) if candidates[c][1] == lang] for lang in range(3)]
    expected: list[int] = []
    while any(queues):
        heads = [queue.pop(0) for queue in queues if queue]
        expected += sorted(heads, key=lambda c: (-candidates[c][0], c))
    assert order_of(candidates, shares) == expected


@given(CANDIDATES, SHARES.filter(any), st.integers(1, 5))
def test_so_many_rounds_hold_so_many_times_the_quota_rounded(
    candidates: Candidates, quota: list[float], rounds: int
) -> None:
    names = ("a", "b", "c")
    shares = shares_of(
        Balance.QUOTA, names, np.array([9, 9, 9]), dict(zip(names, quota, strict=True))
    )
    assert shares is not None
    served = Counter(candidates[c][1] for c in order_of(candidates, shares))
    wanted = {
        lang: min(served[lang], int(np.ceil(rounds * share - 0.5)))
        for lang, share in enumerate(shares)
    }
    first = order_of(candidates, shares)[: sum(wanted.values())]
    assert Counter(candidates[c][1] for c in first) == Counter(
        {lang: count for lang, count in wanted.items() if count}
    )


@given(CANDIDATES, SHARES.filter(lambda shares: shares[1] > 0))
def test_with_one_language_every_balance_is_none(
    candidates: Candidates, shares: list[float]
) -> None:
    one = [(score, 1) for score, _ in candidates]
    assert order_of(one, np.array(shares)) == order_of(one, None) == by_score(one)


def test_without_a_quota_languages_share_as_the_corpus_does() -> None:
    shares = shares_of(Balance.QUOTA, ("a", "b", "c"), np.array([60, 20, 0]), {})
    assert shares is not None
    assert shares.tolist() == [1.5, 0.5, 0.0]


@pytest.mark.parametrize("balance", [Balance.NONE, Balance.CALIBRATED])
def test_orders_by_score_have_no_shares(balance: Balance) -> None:
    assert shares_of(balance, ("a",), np.array([3]), {}) is None


def test_a_quota_of_nothing_leaves_the_order_by_score() -> None:
    shares = shares_of(Balance.QUOTA, ("a", "b"), np.array([3, 3]), {"c": 1.0})
    assert order_of([(0.1, 0), (0.3, 1), (0.2, 0)], shares) == [1, 2, 0]
