"""Orders as scores: nothing merged, nothing split, nothing swapped."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from retrieval.search.ordering import as_scores, first_columns

# Neighbours in float64 that are one number in float32, and both signs around zero.
VALUES = hnp.arrays(
    np.float64,
    st.integers(0, 30),
    elements=st.sampled_from([0.5, 0.5 + 1e-15, 0.5 - 1e-15, -0.5, 1e-45, -1e-45, 0.0, -0.0, 3.0])
    | st.floats(-100, 100),
)


@given(VALUES)
def test_scores_compare_as_the_values_do(values: NDArray[np.float64]) -> None:
    scores = as_scores(values)
    assert scores.dtype == np.float32
    assert np.array_equal(
        np.sign(np.subtract.outer(scores, scores)), np.sign(np.subtract.outer(values, values))
    )
    np.testing.assert_allclose(scores, values, rtol=1e-5, atol=1e-5)


@given(VALUES, st.integers(0, 2**32 - 1))
def test_levels_are_dealt_out_in_the_order_of_the_values(
    values: NDArray[np.float64], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.choice(np.array([0.1, 0.2, 0.25, -0.3], dtype=np.float32), len(values))
    scores = as_scores(values, levels)
    assert np.array_equal(
        np.sign(np.subtract.outer(scores, scores)), np.sign(np.subtract.outer(values, values))
    )
    if len(np.unique(values)) == len(values):
        np.testing.assert_allclose(np.sort(scores), np.sort(levels), rtol=1e-5)


@given(st.lists(st.sampled_from([-np.inf, 0.1, 0.2, 0.3]), max_size=40), st.integers(1, 50))
def test_the_first_columns_are_those_of_a_sort(values: list[float], k: int) -> None:
    scores = np.array(values, dtype=np.float32)
    ids = [f"p{(7 * i) % 41}" for i in range(len(values))]
    found = first_columns(scores, k, lambda columns: [ids[c] for c in columns])
    ranked = sorted(
        (c for c in range(len(values)) if scores[c] > -np.inf),
        key=lambda c: (scores[c], ids[c]),
        reverse=True,
    )
    assert found.tolist() == ranked[:k]
