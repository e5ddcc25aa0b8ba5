"""What BM25 counts in a text: its subwords, and every pair of neighbouring subwords.

A pair stands for the words and phrases that a tokenizer cut up. It needs no word boundaries, so it
does for Chinese and Thai what words do for English. A feature is one int64: the id of a subword, or
`(left + 1) << 24 | right`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput

_BITS = 24

FIRST_PAIR = 1 << _BITS
"""The features below are subwords."""

_FEATURE_BITS = 2 * _BITS + 1

TEXTS_AT_ONCE = 1 << (63 - _FEATURE_BITS)
"""Texts that `count_features` takes: their numbers share an int64 with the features."""


def features_of(tokens: Sequence[int]) -> NDArray[np.int64]:
    """The features of one text, ascending, each as often as it occurs. Raises BadInput."""
    return np.sort(_features(np.array(tokens, dtype=np.int64)))


def count_features(
    texts: Sequence[Sequence[int]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """text_N, feature_N, count_N: how often a text has a feature; text, then feature, ascending.

    texts: token ids of at most TEXTS_AT_ONCE texts. Raises BadInput.
    """
    lengths_T = np.array([len(tokens) for tokens in texts], dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(texts), dtype=np.int64, count=int(lengths_T.sum()))
    text_W = np.repeat(np.arange(len(texts)), lengths_T)
    same_text = text_W[1:] == text_W[:-1]
    text_N = np.concatenate([text_W, text_W[1:][same_text]])
    keep = np.concatenate([np.ones(len(flat), dtype=bool), same_text])
    packed_N = text_N << _FEATURE_BITS | _features(flat)[keep]
    packed_N, count_N = np.unique(packed_N, return_counts=True)
    return packed_N >> _FEATURE_BITS, packed_N & ((1 << _FEATURE_BITS) - 1), count_N


def _features(tokens_W: NDArray[np.int64]) -> NDArray[np.int64]:
    """The subwords, then the pairs of neighbours."""
    if tokens_W.size and not 0 <= tokens_W.min() <= tokens_W.max() < FIRST_PAIR:
        raise BadInput(f"a token id is outside 0 .. {FIRST_PAIR - 1}")
    return np.concatenate([tokens_W, (tokens_W[:-1] + 1) << _BITS | tokens_W[1:]])
