"""Subwords and pairs of neighbours, against loops over the texts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import BadInput
from retrieval.lexical.features import FIRST_PAIR, count_features, features_of

TOKENS = st.lists(st.integers(0, 5) | st.just(FIRST_PAIR - 1), max_size=12)


def obvious(tokens: list[int]) -> Counter[int]:
    counts = Counter(tokens)
    for left, right in pairwise(tokens):
        counts[(left + 1) * 2**24 + right] += 1
    return counts


@given(st.lists(TOKENS, max_size=6))
def test_counts_are_those_of_a_loop_and_never_cross_from_one_text_to_the_next(
    texts: list[list[int]],
) -> None:
    expected = [
        (number, feature, count)
        for number, tokens in enumerate(texts)
        for feature, count in sorted(obvious(tokens).items())
    ]
    found = np.stack(count_features(texts), axis=1).tolist() if texts else []
    assert [tuple(entry) for entry in found] == expected


@given(TOKENS)
def test_a_query_has_the_features_a_text_would_have(tokens: list[int]) -> None:
    assert features_of(tokens).tolist() == sorted(obvious(tokens).elements())


@pytest.mark.parametrize("token", [-1, FIRST_PAIR])
def test_a_token_that_would_be_taken_for_a_pair_is_refused(token: int) -> None:
    with pytest.raises(BadInput, match="token id"):
        features_of([1, token])
