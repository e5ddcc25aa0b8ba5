"""What a report says of bias among parallel answers: passages of several languages, one query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.ranked import RankedSet

COMPLETE_CUTOFFS = (10, 100)
"""Ranks by which the report asks for all parallel answers: 11 languages need more than 10."""

PEER_CUTOFF = 20
"""Rank past which PEER takes passages as equal: that of the reference's own example."""


def parallel_bias(ranked: RankedSet) -> dict[str, object]:
    """Measure -> `{"mean", "n", "by_language"}`, or None where no query can tell.

    mean: macro mean over query languages. n: queries that can tell. The preference rate also has
    the rate `expected` of rankings that know no language.
    """
    peer_Q = ranked.peer_Q(cutoff=PEER_CUTOFF)
    return {
        "language_preference_rate": _preference(ranked),
        "max@r": _macro(ranked, ranked.max_rank_Q, ranked.parallel_Q),
        **{f"complete@{cutoff}": _complete(ranked, cutoff) for cutoff in COMPLETE_CUTOFFS},
        f"peer@{PEER_CUTOFF}": _macro(ranked, peer_Q, ~np.isnan(peer_Q)),
    }


def _preference(ranked: RankedSet) -> dict[str, object] | None:
    choice_Q = ~np.isnan(ranked.language_preference_Q)
    rate = _macro(ranked, ranked.language_preference_Q, choice_Q)
    expected = _macro(ranked, ranked.expected_preference_Q, choice_Q)
    if rate is None or expected is None:
        return None
    return {**rate, "expected": expected["mean"]}


def _complete(ranked: RankedSet, cutoff: int) -> dict[str, object] | None:
    """Share of queries with all parallel answers in the first `cutoff`; None if none has room."""
    answers_Q = ranked.relevant_QL.sum(axis=1)
    if not (answers_Q[ranked.parallel_Q] <= cutoff).any():
        return None
    return _macro(ranked, ranked.complete_Q(cutoff=cutoff).astype(np.float64), ranked.parallel_Q)


def _macro(
    ranked: RankedSet, value_Q: NDArray[np.float64], include_Q: NDArray[np.bool_]
) -> dict[str, object] | None:
    means = ranked.means_by_language(value_Q, include_Q)
    if not means:
        return None
    mean = float(np.mean(list(means.values())))
    return {"mean": mean, "n": int(include_Q.sum()), "by_language": means}
