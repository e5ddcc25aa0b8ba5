from __future__ import annotations

import numpy as np

from retrieval.metrics.pool import Pool
from retrieval.metrics.ranked import RankedSet
from retrieval.types import Query


def one_query(scores: list[float], languages: list[str], relevant: list[int]) -> RankedSet:
    """An English query with the relevant passages of the rows given."""
    ids = [f"{lang}-{row}" for row, lang in enumerate(languages)]
    pool = Pool.of(ids, languages)
    row_N, query_N = np.array(relevant), np.zeros(len(relevant), dtype=np.int64)
    return RankedSet(
        queries=(Query(id="q", text="", lang="en"),),
        languages=pool.languages,
        query_N=query_N,
        language_N=pool.language_P[pool.column_P[row_N]],
        relevance_N=np.ones_like(query_N),
        ranks=pool.rank([np.array([scores], dtype=np.float32)], query_N, row_N, share_cutoff=3),
    )


def test_complete_is_where_the_last_answer_is_within_the_cut_off() -> None:
    ranked = one_query([0.9, 0.8, 0.7, 0.6], ["de", "en", "en", "th"], [0, 1, 3])
    assert [ranked.complete_Q(cutoff=k).tolist() for k in (1, 3, 4, 9)] == [
        [False],
        [False],
        [True],
        [True],
    ]


def test_answers_cannot_all_be_found_before_as_many_passages_were_read() -> None:
    ranked = one_query([0.9, 0.9, 0.9, 0.1], ["de", "en", "th", "th"], [0, 1, 2])
    assert ranked.max_rank_Q.tolist() == [3.0]
    assert not ranked.complete_Q(cutoff=2).any()
