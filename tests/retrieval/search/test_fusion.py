"""Fusion against the obvious way: sort by the sum, hand out the sorted dense scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.search.fusion import fuse, lexical_scale, own_languages

EVIDENCE = st.lists(
    st.tuples(st.integers(-64, 64), st.sampled_from([0.0, 0.5, 2.0, 7.5])),
    min_size=1,
    max_size=30,
    unique_by=lambda pair: pair[0],
)


@given(EVIDENCE)
def test_the_dense_scores_are_dealt_out_in_the_order_of_the_sum(
    evidence: list[tuple[int, float]],
) -> None:
    dense = np.array([d / 64 for d, _ in evidence], dtype=np.float32)
    lexical = np.array([x for _, x in evidence], dtype=np.float32)
    fused = fuse(dense, lexical, dense_scale=0.125, lexical_scale=2.0)
    sums = [d / 64 / 0.125 + x / 2 for d, x in evidence]
    levels = sorted(dense.tolist(), reverse=True)
    order = sorted(sums, reverse=True)
    expected = [levels[order.index(total)] for total in sums]
    np.testing.assert_allclose(fused, expected, rtol=1e-5, atol=1e-6)
    assert (
        np.sign(np.subtract.outer(fused, fused)) == np.sign(np.subtract.outer(sums, sums))
    ).all()


def test_without_lexical_evidence_nothing_changes() -> None:
    dense = np.array([0.1, 0.7, 0.7], dtype=np.float32)
    nothing = np.zeros(3, dtype=np.float32)
    assert fuse(dense, nothing, dense_scale=0.1, lexical_scale=0.0) is dense
    assert lexical_scale(nothing) == 0.0


def test_the_first_by_words_overtakes_and_the_scores_of_the_language_stay() -> None:
    dense = np.array([0.6, 0.5, 0.4], dtype=np.float32)
    lexical = np.array([0.0, 0.0, 9.0], dtype=np.float32)
    fused = fuse(dense, lexical, dense_scale=0.1, lexical_scale=3.0)
    assert fused.tolist() == np.array([0.5, 0.4, 0.6], dtype=np.float32).tolist()


@pytest.mark.parametrize(
    ("query", "passages", "own"),
    [
        ("de", ["de", "th"], ["de"]),
        ("zh", ["zh-Hans", "zh-Hant", "th"], ["zh-Hans", "zh-Hant"]),
        ("zh-Hant", ["zh", "zh-Hant"], ["zh-Hant"]),
        ("pt-BR", ["pt", "es"], ["pt"]),
        ("fr", ["de", "und"], ["und"]),
        ("fr", ["de", "th"], []),
    ],
)
def test_lexical_evidence_counts_in_the_query_language_alone(
    query: str, passages: list[str], own: list[str]
) -> None:
    assert own_languages(query, passages) == own
