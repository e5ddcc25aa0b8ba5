"""What ranks a corpus: a searcher, vectors at hand, or a run that another system wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.errors import DanglingId
from retrieval.metrics.ranking import precedence, top_columns
from retrieval.types import Query, QuerySet, Run, Scored
from retrieval.vectors import score_blocks

RUN_DEPTH = 1000
"""Passages a query in a TREC run."""


class Ranker(Protocol):
    """Anything that scores every passage of a corpus for a query."""

    @property
    def passage_ids(self) -> Sequence[str]:
        """Ids by row, each once."""
        ...

    @property
    def passage_languages(self) -> Sequence[str]:
        """Language codes by row."""
        ...

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """Consecutive blocks [q, P] with the score of every passage by row; higher is better.

        -inf: the ranking does not hold the passage.
        """
        ...


class RunRanker:
    """A run as a ranker: what it holds has its score, everything else is not in its ranking."""

    def __init__(
        self, run: Run, *, passage_ids: Sequence[str], passage_languages: Sequence[str]
    ) -> None:
        self.passage_ids = passage_ids
        self.passage_languages = passage_languages
        self._run = run
        self._row_of = {identifier: row for row, identifier in enumerate(passage_ids)}

    def score_blocks(
        self,
        queries: Sequence[Query],
        *,
        progress: bool = False,
    ) -> Iterator[NDArray[np.float32]]:
        """One query a block. Raises DanglingId where the run names an unknown passage."""
        disable = None if progress else True
        for query in tqdm(queries, unit="query", disable=disable, delay=1):
            scores_P = np.full((1, len(self._row_of)), -np.inf, dtype=np.float32)
            for scored in self._run.get(query.id, ()):
                if scored.id not in self._row_of:
                    raise DanglingId(
                        f"the run of query {query.id!r} names the unknown passage {scored.id!r}"
                    )
                scores_P[0, self._row_of[scored.id]] = scored.score
            yield scores_P

    def missing(self, query_set: QuerySet) -> int:
        """Number of judged queries that the run leaves out: they score 0."""
        return sum(query_id not in self._run for query_id in query_set.qrels)


class VectorRanker:
    """Exact scores of queries and passages that are encoded already.

    search_s: seconds that the scores given out so far have taken.
    """

    def __init__(
        self,
        *,
        passage_ids: Sequence[str],
        passage_languages: Sequence[str],
        passages_PD: NDArray[np.float32],
        query_ids: Sequence[str],
        queries_QD: NDArray[np.float32],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.passage_ids = passage_ids
        self.passage_languages = passage_languages
        self.search_s = 0.0
        self._passages_PD = passages_PD
        self._queries_QD = queries_QD
        self._row_of = {identifier: row for row, identifier in enumerate(query_ids)}
        self._clock = clock

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """Blocks [q, P] with the float32 scores of every passage by row."""
        rows = np.array([self._row_of[query.id] for query in queries], dtype=np.int64)
        blocks = score_blocks(self._queries_QD[rows], self._passages_PD)
        with tqdm(
            total=len(rows), unit="query", disable=None if progress else True, delay=1
        ) as bar:
            began = self._clock()
            for block_QP in blocks:
                self.search_s += self._clock() - began
                yield block_QP
                bar.update(len(block_QP))
                began = self._clock()


def rankings(
    queries: Sequence[Query], ranker: Ranker, *, depth: int = RUN_DEPTH, progress: bool = False
) -> Iterator[tuple[str, list[Scored]]]:
    """(query id, its first `depth` passages in the total order) of each query, for a TREC run."""
    ids = ranker.passage_ids
    precedence_P = precedence(ids)
    names = iter(queries)
    for block_QP in ranker.score_blocks(queries, progress=progress):
        for scores_P in block_QP:
            columns = top_columns(scores_P, precedence_P, depth).tolist()
            yield (
                next(names).id,
                [Scored(ids[column], float(scores_P[column])) for column in columns],
            )
