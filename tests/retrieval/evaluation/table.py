"""Evaluations of random collections: scores at hand in place of a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation import Evaluation, Ranker, evaluate
from retrieval.metrics.measure import parse_measures
from retrieval.types import Query, QuerySet
from tests.retrieval.metrics.oracle import LANGUAGES, Collection

TREC_NAMES = {"mAP": "map", "nDCG@10": "ndcg_cut_10", "Recall@30": "recall_30"}
MEASURES = parse_measures("mAP nDCG@10 Recall@30 MRR@10")


class TableRanker:
    """A ranker over scores at hand, in blocks of `block` queries."""

    def __init__(self, collection: Collection, *, block: int = 4) -> None:
        self.passage_ids: Sequence[str] = collection.passages
        self.passage_languages: Sequence[str] = collection.languages
        self._scores_QP = collection.scores_QP
        self._row_of = {name: row for row, name in enumerate(collection.queries)}
        self._block = block

    def score_blocks(
        self,
        queries: Sequence[Query],
        *,
        progress: bool = False,  # noqa: ARG002
    ) -> Iterator[NDArray[np.float32]]:
        rows = [self._row_of[query.id] for query in queries]
        for start in range(0, len(rows), self._block):
            yield self._scores_QP[rows[start : start + self._block]]


def query_set_of(collection: Collection) -> QuerySet:
    queries = tuple(
        Query(
            id=name,
            text=f"text of {name}",
            lang=LANGUAGES[index % 2],
            domain=("law", "news", "")[index % 3],
            group=f"group {index // 2}",
        )
        for index, name in enumerate(collection.queries)
    )
    return QuerySet(queries=queries, qrels=collection.qrels)


def evaluated(query_set: QuerySet, ranker: Ranker, *, seed: int = 0) -> Evaluation:
    return evaluate(
        query_set, ranker, corpus="c", version="v1", encoder="e", measures=MEASURES, seed=seed
    )
