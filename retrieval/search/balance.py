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
    QUOTA: rounds of as many places as there are languages, shared out in proportion; by score
    within a round.
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
    shares_L: the places that each language gets in a round. The n-th candidate of a language (from
    1) is in round floor((n - 1/2) / share), so that the first R rounds hold R * share of it,
    rounded (Webster's method). Languages of share 0 come last.
    """
    if shares_L is None:
        return np.lexsort((precedence_C, -scores_C))
    round_C = np.full(len(scores_C), np.inf)
    share_C = shares_L[language_C]
    place_C = _places_within(scores_C, language_C, precedence_C)
    np.divide(place_C - 0.5, share_C, out=round_C, where=share_C > 0)
    return np.lexsort((precedence_C, -scores_C, np.floor(round_C)))


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
    shares_L = passages_L.astype(np.float64)
    if quota:
        shares_L = np.array([quota.get(lang, 0.0) for lang in languages])
    total = float(shares_L.sum())
    return shares_L * (np.count_nonzero(shares_L) / total if total else 0.0)


def _places_within(
    scores_C: NDArray[np.floating], language_C: NDArray[np.int64], precedence_C: NDArray[np.int64]
) -> NDArray[np.int64]:
    """1-based place of each candidate among those of its language."""
    order = np.lexsort((precedence_C, -scores_C, language_C))
    sizes = np.bincount(language_C)
    place_C = np.empty(len(order), dtype=np.int64)
    place_C[order] = 1 + np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place_C
