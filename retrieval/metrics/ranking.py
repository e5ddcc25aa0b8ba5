"""Ranks of judged passages by counting, and measures from those ranks.

The contract: a ranking is the total order *score descending, then passage id descending* over
scores compared as float32, as trec_eval's. Legend of array suffixes: Q queries, P passages (the
columns of a block of scores), N judged pairs of a query and a passage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.measure import Kind, Measure

UNRANKED = int(np.iinfo(np.int64).max)
"""Rank of a passage that a ranking of limited depth does not hold."""


def precedence(ids: Sequence[str]) -> NDArray[np.int64]:
    """[len(ids)] place of each id in descending order: among equal scores the lower goes first."""
    order_P = np.array(sorted(range(len(ids)), key=ids.__getitem__, reverse=True), dtype=np.int64)
    precedence_P = np.empty_like(order_P)
    precedence_P[order_P] = np.arange(len(ids), dtype=np.int64)
    return precedence_P


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """1-based ranks of N passages: in the total order, and the mean and last over their ties.

    rank_N: int64. mid_N, last_N: the mean and the last rank of all passages of the same score,
    float64 and int64.
    """

    rank_N: NDArray[np.int64]
    mid_N: NDArray[np.float64]
    last_N: NDArray[np.int64]


def count_ranks(
    scores_QP: NDArray[np.float32],
    row_N: NDArray[np.int64],
    column_N: NDArray[np.int64],
    precedence_P: NDArray[np.int64],
    *,
    start_N: NDArray[np.int64] | None = None,
    stop_N: NDArray[np.int64] | None = None,
) -> Ranks:
    """Rank of passage `column` in the ranking of query `row`, for each pair, without sorting.

    scores_QP: no NaN; -inf where the ranking does not hold the passage (its rank is UNRANKED).
    precedence_P: see `precedence`. start_N, stop_N: rank only within the columns [start, stop),
    which must hold the passage; the whole row by default.
    A rank is 1 + the greater scores + the equal scores of lower precedence: for the few judged
    passages of a query that is several times cheaper than sorting thousands.
    """
    rank_N = np.empty(len(row_N), dtype=np.int64)
    mid_N = np.empty(len(row_N), dtype=np.float64)
    last_N = np.empty(len(row_N), dtype=np.int64)
    starts = [0] * len(row_N) if start_N is None else start_N.tolist()
    stops = [scores_QP.shape[1]] * len(row_N) if stop_N is None else stop_N.tolist()
    pairs = zip(row_N.tolist(), column_N.tolist(), starts, stops, strict=True)
    for n, (row, column, start, stop) in enumerate(pairs):
        scores_P = scores_QP[row, start:stop]
        score = scores_QP[row, column]
        above = np.count_nonzero(scores_P > score)
        tied = np.count_nonzero(scores_P == score)
        rank_N[n] = above + 1
        if tied > 1:
            first_P = precedence_P[start:stop] < precedence_P[column]
            rank_N[n] += np.count_nonzero((scores_P == score) & first_P)
        if score == -np.inf:
            rank_N[n] = UNRANKED
        mid_N[n] = above + (tied + 1) / 2
        last_N[n] = above + tied
    return Ranks(rank_N=rank_N, mid_N=mid_N, last_N=last_N)


def kth_largest(scores_P: NDArray[np.float32], k: int) -> np.float32:
    """The k-th largest score, 1 <= k <= P.

    The k-th largest of the maxima of disjoint groups is no larger, so that only the few scores that
    reach it need to be partitioned: six times faster for k = 10 of 13,000.
    """
    groups = 4 * k
    length = len(scores_P) // groups
    if length >= 8:
        maxima = scores_P[: groups * length].reshape(groups, length).max(axis=1)
        scores_P = scores_P[scores_P >= np.partition(maxima, groups - k)[groups - k]]
    place = len(scores_P) - k
    last: np.float32 = np.partition(scores_P, place)[place]
    return last


def top_columns(
    scores_P: NDArray[np.float32], precedence_P: NDArray[np.int64], depth: int
) -> NDArray[np.int64]:
    """Columns of the first `depth` passages of one query in the total order; -inf is left out."""
    last = kth_largest(scores_P, min(depth, len(scores_P)))
    kept = np.flatnonzero((scores_P >= last) & (scores_P > -np.inf))
    return kept[np.lexsort((precedence_P[kept], -scores_P[kept]))][:depth]


@dataclass(frozen=True)
class JudgedRanks:
    """Where the judged passages of Q queries stand. Build it with `JudgedRanks.of`.

    query_N: int64 index of the pair's query, ascending. rank_N: 1-based, ascending within a query,
    UNRANKED where the ranking does not hold the passage. relevance_N: > 0 is relevant.
    """

    queries: int
    query_N: NDArray[np.int64]
    rank_N: NDArray[np.int64]
    relevance_N: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        query_N: NDArray[np.int64],
        rank_N: NDArray[np.int64],
        relevance_N: NDArray[np.int64],
        *,
        queries: int,
    ) -> JudgedRanks:
        """Judged pairs in any order, of the queries 0 .. queries - 1."""
        order = np.lexsort((rank_N, query_N))
        return cls(queries, query_N[order], rank_N[order], relevance_N[order])

    @cached_property
    def relevant(self) -> JudgedRanks:
        """The pairs of relevance > 0 alone."""
        keep = self.relevance_N > 0
        return JudgedRanks(
            self.queries, self.query_N[keep], self.rank_N[keep], self.relevance_N[keep]
        )

    @cached_property
    def pairs_Q(self) -> NDArray[np.int64]:
        """Number of pairs of each query."""
        return np.bincount(self.query_N, minlength=self.queries)

    @cached_property
    def ordinal_N(self) -> NDArray[np.int64]:
        """1-based place of each pair among those of its query."""
        first_Q = np.cumsum(self.pairs_Q) - self.pairs_Q
        return np.arange(1, len(self.query_N) + 1) - first_Q[self.query_N]

    def total_Q(self, value_N: NDArray[np.float64], *, cutoff: int) -> NDArray[np.float64]:
        """Sum of `value_N` over each query's pairs ranked within `cutoff`."""
        within_N = np.where(self.rank_N <= cutoff, value_N, 0.0)
        total_Q = np.bincount(self.query_N, weights=within_N, minlength=self.queries)
        return total_Q.astype(np.float64, copy=False)


def measure_values(judged: JudgedRanks, measure: Measure) -> NDArray[np.float64]:
    """[Q] value of the measure for each query, in [0, 1]; 0.0 for one without a relevant passage.

    Such queries are to be left out of a mean: `judged.relevant.pairs_Q > 0` tells the others.
    """
    # A passage that was not retrieved must not count within "no cut-off" either.
    cutoff = UNRANKED - 1 if measure.cutoff is None else measure.cutoff
    return _FUNCTIONS[measure.kind](judged.relevant, cutoff)


def judged_share(judged: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """[Q] share of the first `cutoff` places that hold a judged passage, of any relevance.

    A ranking that is shorter leaves places empty, as for P@k.
    """
    return judged.total_Q(np.ones(len(judged.rank_N)), cutoff=cutoff) / cutoff


def _reciprocal_rank(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """1 / rank of the first relevant passage. Source: Voorhees 1999; trec_eval's recip_rank."""
    first_N = (relevant.ordinal_N == 1).astype(np.float64)
    return relevant.total_Q(first_N / relevant.rank_N, cutoff=cutoff)


def _average_precision(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """Mean over all relevant passages of the precision at their ranks; trec_eval's map, map_cut."""
    total_Q = relevant.total_Q(relevant.ordinal_N / relevant.rank_N, cutoff=cutoff)
    return total_Q / np.maximum(relevant.pairs_Q, 1)


def _ndcg(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """Discounted gain over that of the ideal ranking: linear gain, log2(rank + 1).

    Source: Järvelin and Kekäläinen 2002; trec_eval's ndcg and ndcg_cut.
    """
    gain_N = relevant.relevance_N.astype(np.float64)
    found_Q = relevant.total_Q(gain_N / np.log2(relevant.rank_N + 1.0), cutoff=cutoff)
    by_gain = np.lexsort((-relevant.relevance_N, relevant.query_N))
    ideal = JudgedRanks(
        relevant.queries, relevant.query_N, relevant.ordinal_N, relevant.relevance_N[by_gain]
    )
    ideal_N = ideal.relevance_N / np.log2(ideal.rank_N + 1.0)
    ideal_Q = ideal.total_Q(ideal_N, cutoff=cutoff)
    return np.divide(found_Q, ideal_Q, out=np.zeros_like(found_Q), where=ideal_Q > 0)


def _recall(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """Share of the relevant passages within the cut-off; trec_eval's recall."""
    return _found(relevant, cutoff) / np.maximum(relevant.pairs_Q, 1)


def _success(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """1.0 where any relevant passage is within the cut-off; trec_eval's success."""
    return (_found(relevant, cutoff) > 0).astype(np.float64)


def _precision(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    """Relevant passages within the cut-off over the cut-off; trec_eval's P."""
    return _found(relevant, cutoff) / cutoff


def _found(relevant: JudgedRanks, cutoff: int) -> NDArray[np.float64]:
    return relevant.total_Q(np.ones(len(relevant.rank_N)), cutoff=cutoff)


_FUNCTIONS: dict[Kind, Callable[[JudgedRanks, int], NDArray[np.float64]]] = {
    Kind.RECIPROCAL_RANK: _reciprocal_rank,
    Kind.AVERAGE_PRECISION: _average_precision,
    Kind.NDCG: _ndcg,
    Kind.RECALL: _recall,
    Kind.SUCCESS: _success,
    Kind.PRECISION: _precision,
}
