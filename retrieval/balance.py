"""How the passage languages share the first places. One function orders; all else calls it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Balance(StrEnum):
    """How languages share the hits.

    NONE: by score alone.
    ROUND_ROBIN: the first of each language, then the second of each, ...; by score within a round.
    QUOTA: as many of each language as its share says, in every prefix (Webster's method).
    CALIBRATED: by scores standardised within each passage language.
    """

    NONE = "none"
    ROUND_ROBIN = "round_robin"
    QUOTA = "quota"
    CALIBRATED = "calibrated"


def balanced_order(
    scores_C: NDArray[np.floating],
    language_C: NDArray[np.int64],
    precedence_C: NDArray[np.int64],
    shares_L: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Candidates in the order they are served.

    scores_C: what orders candidates within a language, and between languages where `shares_L` is
    None. language_C: 0 .. L - 1. precedence_C: among equal scores the lower goes first.
    shares_L: how many places a language gets beside the others; those of share 0 come last. The
    n-th candidate of a language (from 1) stands at (n - 1/2) / share; equal standings go by score.
    """
    if shares_L is None:
        return np.lexsort((precedence_C, -scores_C))
    standing_C = np.full(len(scores_C), np.inf)
    share_C = shares_L[language_C]
    place_C = _places_within(scores_C, language_C, precedence_C)
    np.divide(place_C - 0.5, share_C, out=standing_C, where=share_C > 0)
    return np.lexsort((precedence_C, -scores_C, standing_C))


def shares_of(
    balance: Balance,
    languages: tuple[str, ...],
    passages_L: NDArray[np.int64],
    quota: Mapping[str, float],
) -> NDArray[np.float64] | None:
    """What `balanced_order` takes: None for orders by score.

    passages_L: the passages of each language that may be returned, by which hits are shared where
    `quota` is empty; languages that `quota` leaves out get no share.
    """
    if balance is Balance.ROUND_ROBIN:
        return np.ones(len(languages))
    if balance is not Balance.QUOTA:
        return None
    if not quota:
        return passages_L.astype(np.float64)
    return np.array([quota.get(lang, 0.0) for lang in languages])


def _places_within(
    scores_C: NDArray[np.floating], language_C: NDArray[np.int64], precedence_C: NDArray[np.int64]
) -> NDArray[np.int64]:
    """1-based place of each candidate among those of its language."""
    order = np.lexsort((precedence_C, -scores_C, language_C))
    sizes = np.bincount(language_C)
    place_C = np.empty(len(order), dtype=np.int64)
    place_C[order] = 1 + np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place_C
