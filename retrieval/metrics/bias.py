"""Language bias over a pool of several languages, from mid-ranks.

Equal scores share their mean rank here: with ids that begin with a language code, any order of ties
by id would favour a language.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
