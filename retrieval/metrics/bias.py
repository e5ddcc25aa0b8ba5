"""Language bias over a pool of several languages, from mid-ranks.

Equal scores share their mean rank here: with ids that begin with a language code, any order of ties
by id would favour a language.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from retrieval.metrics.ranking import kth_largest


def rank_distance(
    query_N: NDArray[np.int64], mid_N: NDArray[np.float64], *, queries: int
) -> NDArray[np.float64]:
    """[Q] highest minus lowest mid-rank among the relevant passages of each query; 0.0 with none.

    query_N: index of the query of each relevant passage. mid_N: their mid-ranks over the full pool.
    Source: arXiv 2408.10536, section 4.3.
    """
    low_Q = np.full(queries, np.inf)
    high_Q = np.full(queries, -np.inf)
    np.minimum.at(low_Q, query_N, mid_N)
    np.maximum.at(high_Q, query_N, mid_N)
    return np.where(np.isfinite(low_Q), high_Q - low_Q, 0.0)


def language_share(
    scores_QP: NDArray[np.float32], language_P: NDArray[np.int64], *, languages: int, cutoff: int
) -> NDArray[np.float64]:
    """[Q, languages] share of each language in the first `cutoff` passages of each query.

    language_P: index of each passage's language. Passages tied at the cut-off share its last places
    evenly, so that no order of ties has a say. Rows sum to 1, or to less where a ranking holds
    fewer passages (the others have the score -inf).
    """
    share_QL = np.empty((len(scores_QP), languages))
    for row, scores_P in enumerate(scores_QP):
        share_QL[row] = _share(scores_P, language_P, languages, min(cutoff, len(scores_P)))
    return share_QL


def _share(
    scores_P: NDArray[np.float32], language_P: NDArray[np.int64], languages: int, cutoff: int
) -> NDArray[np.float64]:
    last = kth_largest(scores_P, cutoff)
    kept = np.flatnonzero((scores_P >= last) & (scores_P > -np.inf))
    above = scores_P[kept] > last
    certain = int(np.count_nonzero(above))
    weights = np.where(above, 1.0, (cutoff - certain) / max(len(kept) - certain, 1))
    total = np.bincount(language_P[kept], weights=weights, minlength=languages)
    return total.astype(np.float64, copy=False) / cutoff


def max_rank(
    query_N: NDArray[np.int64], last_N: NDArray[np.int64], *, queries: int
) -> NDArray[np.float64]:
    """[Q] rank by which all relevant passages of each query have been found; 0.0 with none.

    query_N: index of the query of each relevant passage. last_N: the last ranks of their ties over
    the full pool: no order of ties favours a language, and no rank is below the number found.
    Source: Max@R of arXiv 2604.05684; its Complete@k is 1 where this is at most k.
    """
    last_Q = np.zeros(queries)
    np.maximum.at(last_Q, query_N, last_N)
    return last_Q


def language_preference(
    query_N: NDArray[np.int64],
    mid_N: NDArray[np.float64],
    own_N: NDArray[np.bool_],
    *,
    queries: int,
) -> NDArray[np.float64]:
    """[Q] 1.0 where the best-ranked relevant passage is in the query's language, 0.0 where not.

    query_N, mid_N: as for `rank_distance`. own_N: the passage is in its query's language.
    Passages tied for the best rank share it: k of them, j in the query's language, count j / k, the
    mean over all orders of the tie. NaN for a query that has no choice to make: its relevant
    passages are all, or none of them, in its language.
    Source: language preference rate of MLAIRE, arXiv 2605.07249, among parallel answers.
    """
    best_Q = np.full(queries, np.inf)
    np.minimum.at(best_Q, query_N, mid_N)
    first_N = mid_N == best_Q[query_N]
    rate_Q = _shares(query_N, own_N, first_N, queries)
    own_Q = _shares(query_N, own_N, np.ones_like(first_N), queries)
    return np.where((own_Q > 0) & (own_Q < 1), rate_Q, np.nan)


def _shares(
    query_N: NDArray[np.int64], own_N: NDArray[np.bool_], among_N: NDArray[np.bool_], queries: int
) -> NDArray[np.float64]:
    """[Q] share of `own_N` in the passages of `among_N`; 0.0 where there is none."""
    own_Q = np.bincount(query_N[among_N & own_N], minlength=queries)
    all_Q = np.bincount(query_N[among_N], minlength=queries)
    shares_Q: NDArray[np.float64] = own_Q / np.maximum(all_Q, 1)
    return shares_Q


def peer(
    query_N: NDArray[np.int64],
    mid_N: NDArray[np.float64],
    language_N: NDArray[np.int64],
    relevance_N: NDArray[np.int64],
    *,
    queries: int,
    cutoff: int | None = None,
    weights: Mapping[int, float] | None = None,
) -> NDArray[np.float64]:
    """[Q] Probability of Equal Expected Rank: 1 where the languages' passages rank alike.

    query_N, mid_N, language_N, relevance_N: of the relevant passages; mid_N over the full pool.
    For each relevance level of a query, the p-value of `kruskal_wallis` over its passages' ranks,
    grouped by language; then the mean over levels, weighted by `weights` (0 for a level that is not
    named; by default every level counts the same). Ranks past `cutoff` are tied with each other.
    A level takes part where two languages have two passages each: with one a language the p-value
    is the same for every ranking. The weights of the levels that take part are scaled to sum to 1;
    NaN where none does.

    Source: Yang et al. 2024, arXiv 2405.00978. Equal to hltcoe/peer_measure on rankings without
    ties where every weighted level takes part and none of its passages is past the cut-off: the
    reference ties those at a rank that can be better than that of a passage within the cut-off.
    """
    query_S, level_S, sample_N = _distinct(query_N, relevance_N)
    rank_N = mid_N
    if cutoff is not None:
        rank_N = _tied_past(cutoff, mid_N, sample_N, samples=len(query_S))
    p_S = kruskal_wallis(rank_N, sample_N, language_N, samples=len(query_S))
    level_weight_S = [1.0 if weights is None else weights.get(n, 0.0) for n in level_S.tolist()]
    weight_S = np.where(_telling(sample_N, language_N, samples=len(query_S)), level_weight_S, 0.0)
    total_Q = np.bincount(query_S, weights=weight_S, minlength=queries)
    sum_Q = np.bincount(query_S, weights=weight_S * p_S, minlength=queries)
    value_Q = np.full(queries, np.nan)
    np.divide(sum_Q, total_Q, out=value_Q, where=total_Q > 0)
    return value_Q


def kruskal_wallis(
    rank_N: NDArray[np.float64],
    sample_N: NDArray[np.int64],
    group_N: NDArray[np.int64],
    *,
    samples: int,
) -> NDArray[np.float64]:
    """[S] p-value that the groups of each sample rank alike; 1.0 where no ranks or groups differ.

    H = (n - 1) * squares between the groups' means / all squares about the mean, chi-squared with
    one degree of freedom fewer than groups. Of mid-ranks 1 .. n within the sample it is the test of
    Kruskal and Wallis 1952 with their correction for ties; PEER takes ranks in the whole list.
    """
    sample_C, _, cell_N = _distinct(sample_N, group_N)
    n_S, size_C = np.bincount(sample_N, minlength=samples), np.bincount(cell_N)
    mean_S = np.bincount(sample_N, weights=rank_N, minlength=samples) / np.maximum(n_S, 1)
    mean_C = np.bincount(cell_N, weights=rank_N) / size_C
    all_S = np.bincount(sample_N, (rank_N - mean_S[sample_N]) ** 2, minlength=samples)
    between_S = np.bincount(sample_C, size_C * (mean_C - mean_S[sample_C]) ** 2, minlength=samples)
    freedom_S = np.bincount(sample_C, minlength=samples) - 1
    h_S = np.divide((n_S - 1) * between_S, all_S, out=np.zeros(samples), where=all_S > 0)
    # No difference, H = 0, has p = 1 with any degrees of freedom.
    p_S: NDArray[np.float64] = chdtrc(np.maximum(freedom_S, 1), np.where(freedom_S > 0, h_S, 0.0))
    return p_S


def _tied_past(
    cutoff: int, mid_N: NDArray[np.float64], sample_N: NDArray[np.int64], *, samples: int
) -> NDArray[np.float64]:
    """Ranks in which the passages of a sample past the cut-off share the places that follow it."""
    past_N = mid_N > cutoff
    past_S = np.bincount(sample_N[past_N], minlength=samples)
    return np.where(past_N, cutoff + (past_S[sample_N] + 1) / 2, mid_N)


def _telling(
    sample_N: NDArray[np.int64], language_N: NDArray[np.int64], *, samples: int
) -> NDArray[np.bool_]:
    """[S] whether two languages of the sample have two passages each."""
    sample_C, _, cell_N = _distinct(sample_N, language_N)
    return np.bincount(sample_C[np.bincount(cell_N) > 1], minlength=samples) > 1


def _distinct(
    first_N: NDArray[np.int64], second_N: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct pairs (first, second), ascending, and the index among them of each pair."""
    width = int(second_N.max(initial=0)) + 1
    key_D, index_N = np.unique(first_N * width + second_N, return_inverse=True)
    return key_D // width, key_D % width, index_N
