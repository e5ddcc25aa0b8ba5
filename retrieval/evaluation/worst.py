"""The queries that went worst, with what was found instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.per_query import POOL, PerQuery
from retrieval.evaluation.rankers import Ranker
from retrieval.metrics.ranked import RankedSet
from retrieval.metrics.ranking import UNRANKED, precedence, top_columns
from retrieval.types import Passage, Qrels

WORST = 20
"""Queries in a report."""

HITS = 5
"""First passages of each."""

_TEXT = 300
"""Characters of a passage in a report."""


def worst_queries(
    ranked: RankedSet,
    per_query: PerQuery,
    ranker: Ranker,
    qrels: Qrels,
    *,
    measure: str,
    passage_at: Callable[[int], Passage],
    count: int = WORST,
    hits: int = HITS,
) -> list[dict[str, object]]:
    """The `count` queries of the lowest value, worst first, as JSON objects.

    Among equal values the one whose first relevant passage stands lowest is worse; then by id.
    Each has `{"query", "lang", "text", "value", "first_rank", "hits", "best_relevant"}`; a hit has
    `{"id", "lang", "score", "relevance", "text"}`, relevance null where the passage is not judged.
    passage_at: the passage in a row of the corpus.
    """
    value_Q = per_query.views[POOL].values[measure]
    keys = (np.array(per_query.ids), -ranked.first_rank_Q, value_Q)
    chosen = np.lexsort(keys)[:count].tolist()
    queries = [ranked.queries[index] for index in chosen]
    precedence_P = precedence(ranker.passage_ids)
    row_of = {identifier: row for row, identifier in enumerate(ranker.passage_ids)}
    scores = (row for block_QP in ranker.score_blocks(queries) for row in block_QP)
    table: list[dict[str, object]] = []
    for index, query, scores_P in zip(chosen, queries, scores, strict=True):
        judged = qrels[query.id]
        first = int(ranked.first_rank_Q[index])
        best = _best_relevant(judged, row_of, scores_P, precedence_P)
        table.append(
            {
                "query": query.id,
                "lang": query.lang,
                "text": query.text,
                "value": float(value_Q[index]),
                "first_rank": None if first == UNRANKED else first,
                "hits": [
                    _hit(passage_at(row), scores_P[row], judged)
                    for row in top_columns(scores_P, precedence_P, hits).tolist()
                ],
                "best_relevant": _hit(passage_at(best), scores_P[best], judged),
            }
        )
    return table


def _best_relevant(
    judged: Mapping[str, int],
    row_of: Mapping[str, int],
    scores_P: NDArray[np.float32],
    precedence_P: NDArray[np.int64],
) -> int:
    """The row of the relevant passage that stands highest."""
    relevant = [row_of[passage] for passage, relevance in judged.items() if relevance > 0]
    return min(relevant, key=lambda row: (-scores_P[row], precedence_P[row]))


def _hit(passage: Passage, score: np.float32, judged: Mapping[str, int]) -> dict[str, object]:
    text = passage.to_encode
    return {
        "id": passage.id,
        "lang": passage.lang,
        "score": float(score) if np.isfinite(score) else None,
        "relevance": judged.get(passage.id),
        "text": text if len(text) <= _TEXT else text[: _TEXT - 1] + "…",
    }
