"""Scores against slow arithmetic, to the last bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput
from retrieval.vectors import exact_scores, score_blocks, unit_rows
from tests.retrieval.vectors.oracle import Rows, crowded, true_score, unit


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 80),
    dim=st.sampled_from([1, 3, 8, 31, 64, 300]),
    queries=st.integers(1, 9),
    block_bytes=st.sampled_from([1, 500, 10**6]),
)
def test_blocks_hold_every_score_exactly(
    seed: int, rows: int, dim: int, queries: int, block_bytes: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors_PD = crowded(rng, rows, dim, max(1, rows // 2))
    vectors_PD[0] = 0
    queries_QD = unit(rng.standard_normal((queries, dim)))
    queries_QD[0] = np.eye(dim, dtype=np.float32)[0]
    blocks = list(score_blocks(queries_QD, vectors_PD, block_bytes=block_bytes))
    assert all(block.dtype == np.float32 for block in blocks)
    assert all(len(block) == 1 or block.nbytes <= block_bytes for block in blocks)
    expected = [[true_score(q, v) for v in vectors_PD] for q in queries_QD]
    assert np.concatenate(blocks).tolist() == expected


def test_blocks_of_no_query_are_none() -> None:
    assert list(score_blocks(np.empty((0, 4), np.float32), np.eye(4, dtype=np.float32))) == []


def test_a_score_on_the_edge_of_rounding_does_not_depend_on_the_order_of_summation() -> None:
    """Four terms of a quarter ulp each, lost one by one, lift the sum over a float32 midpoint."""
    tiny = 2.0**-28
    query_D = np.array([0.5, 0.5, tiny, tiny, tiny, tiny], dtype=np.float32)
    vector_D = np.array([0.5, 2.0**-25, tiny, tiny, tiny, tiny], dtype=np.float32)
    naive = set()
    for order in itertools.permutations(range(6)):
        left, right = query_D[list(order)], vector_D[list(order)]
        naive.add(float(np.float32(sum(float(x) * float(y) for x, y in zip(left, right)))))  # noqa: B905
        assert exact_scores(left, right[None])[0] == 0.25 + 2.0**-25
        [block] = score_blocks(left[None], right[None])
        assert block[0, 0] == 0.25 + 2.0**-25
    assert len(naive) == 2


def test_scores_are_those_of_a_plain_float64_product() -> None:
    rng = np.random.default_rng(4)
    vectors_PD, queries_QD = (
        unit(rng.standard_normal((700, 384))),
        unit(rng.standard_normal((40, 384))),
    )
    plain = (queries_QD.astype(np.float64) @ vectors_PD.astype(np.float64).T).astype(np.float32)
    [block] = score_blocks(queries_QD, vectors_PD)
    np.testing.assert_array_max_ulp(block, plain, maxulp=1)
    assert (block != plain).mean() < 1e-3


@pytest.mark.parametrize(
    "rows",
    [
        np.full((2, 4), np.nan, np.float32),
        np.full((2, 4), np.inf, np.float32),
        np.ones((2, 4), np.float32),
        np.zeros((2, 5), np.float32),
        np.zeros(4, np.float32),
    ],
    ids=["NaN", "infinite", "too long", "wrong dimension", "one row without an axis"],
)
def test_vectors_that_are_not_unit_rows_are_refused(rows: Rows) -> None:
    with pytest.raises(BadInput, match=r"expected"):
        unit_rows(rows, dim=4)
