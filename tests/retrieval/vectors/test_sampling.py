"""Samples give every language its share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.vectors.sampling import sample_rows, shares


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40), st.integers(0, 10**6))
def test_places_are_all_shared_out_and_nobody_gets_more_than_there_are(
    counts: list[int], total: int
) -> None:
    counts_L = np.array(counts, dtype=np.int64)
    quota_L = shares(counts_L, total)
    assert (quota_L >= 0).all()
    assert (quota_L <= counts_L).all()
    assert quota_L.sum() == min(total, sum(counts))


def test_places_go_by_the_square_root() -> None:
    assert shares(np.array([1_000_000, 10_000, 10_000]), 1_200).tolist() == [1_000, 100, 100]


def test_what_a_small_language_cannot_fill_goes_to_the_others() -> None:
    few, many, some = shares(np.array([4, 40_000, 10_000]), 3_004).tolist()
    assert few == 4
    assert abs(many - 2_000) <= 1
    assert abs(some - 1_000) <= 1


def test_a_sample_is_of_distinct_rows_by_language_and_of_its_seed() -> None:
    languages_P = np.random.default_rng(0).permutation(np.repeat([7, 3, -1], [900, 100, 500]))
    rows = sample_rows(languages_P, 400, rng=np.random.default_rng(1))
    assert rows.tolist() == sorted(set(rows.tolist()))
    drawn = dict(zip(*np.unique(languages_P[rows], return_counts=True), strict=True))
    assert drawn == {3: 100, 7: 300}
    again = sample_rows(languages_P, 400, rng=np.random.default_rng(1))
    assert rows.tolist() == again.tolist()
    assert rows.tolist() != sample_rows(languages_P, 400, rng=np.random.default_rng(2)).tolist()


def test_a_sample_of_everything_is_everything_but_what_is_excluded() -> None:
    languages_P = np.array([0, -1, 2, 0, -1])
    assert sample_rows(languages_P, 99, rng=np.random.default_rng(0)).tolist() == [0, 2, 3]
    assert sample_rows(languages_P[1:2], 99, rng=np.random.default_rng(0)).tolist() == []
