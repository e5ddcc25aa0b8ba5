"""Every passage of a pool scored for a query, in the order in which search would serve it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.metrics.ranking import precedence, top_columns
from retrieval.search.balance import Balance, balanced_order, shares_of
from retrieval.search.fusion import DEPTH, fuse, lexical_scale
from retrieval.search.ordering import as_scores
from retrieval.search.pool import EncodedQueries, Mode, Pool
from retrieval.types import Query
from retrieval.vectors import BLOCK_BYTES, RowFilter, score_blocks


class PoolScorer:
    """Full rankings of a pool, as scores.

    allowed: only these rows have a place. min_score: nor have those whose score in the mode is
    lower. quota: language -> share, for that balance. Raises BadInput where the pool lacks what
    mode or balance need.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        mode: Mode = Mode.DENSE,
        balance: Balance = Balance.NONE,
        quota: Mapping[str, float] | None = None,
        allowed: RowFilter | None = None,
        min_score: float | None = None,
    ) -> None:
        pool.check(mode, balance)
        self._pool = pool
        self._mode = mode
        self._balance = balance
        self._min_score = min_score
        self._allowed_P = np.ones(len(pool.language_P), dtype=bool)
        if allowed is not None:
            self._allowed_P[:] = False
            self._allowed_P[allowed.rows] = True
        passages_L = np.bincount(pool.language_P[self._allowed_P], minlength=len(pool.languages))
        self._shares_L = shares_of(balance, pool.languages, passages_L, quota or {})

    def score_blocks(self, queries: EncodedQueries) -> Iterator[NDArray[np.float32]]:
        """Consecutive blocks [q, P] of queries: higher goes first, -inf has no place, float32.

        With balance `none` the scores are the mode's own; else they only say the order.
        """
        if self._is_plain:
            yield from self._raw_blocks(queries)
            return
        done = 0
        for block_QP in self._raw_blocks(queries):
            for scores_P in block_QP:
                self._score(scores_P, queries.tokens_Q, queries.languages_Q, done)
                done += 1
            yield block_QP

    @property
    def _is_plain(self) -> bool:
        """Whether the raw scores are the answer already."""
        plain = (Mode.DENSE, Balance.NONE, None)
        return (self._mode, self._balance, self._min_score) == plain and bool(self._allowed_P.all())

    def _raw_blocks(self, queries: EncodedQueries) -> Iterator[NDArray[np.float32]]:
        """Dense scores, or room for lexical ones."""
        if self._mode is not Mode.LEXICAL:
            yield from score_blocks(queries.vectors_QD, self._pool.vectors_PD)
            return
        passages, total = len(self._pool.language_P), len(queries.tokens_Q)
        height = max(1, BLOCK_BYTES // (4 * max(1, passages)))
        for start in range(0, total, height):
            yield np.empty((min(height, total - start), passages), dtype=np.float32)

    def _score(
        self,
        scores_P: NDArray[np.float32],
        tokens_Q: Sequence[Sequence[int]],
        languages_Q: Sequence[str],
        query: int,
    ) -> None:
        """Turn a row of `_raw_blocks` into what `score_blocks` promises, in place."""
        if self._mode is Mode.LEXICAL:
            scores_P[:] = self._pool.lexical_index.all_scores(tokens_Q[query])
            scores_P[scores_P <= 0] = -np.inf
        scores_P[~self._allowed_P] = -np.inf
        if self._mode is Mode.HYBRID:
            for lang in self._pool.own(languages_Q[query], tokens_Q[query]):
                self._fuse(scores_P, lang, tokens_Q[query])
        if self._min_score is not None:
            scores_P[scores_P < self._min_score] = -np.inf
        if self._balance is not Balance.NONE:
            self._rebalance(scores_P)

    def _fuse(self, scores_P: NDArray[np.float32], lang: str, tokens: Sequence[int]) -> None:
        rows_R = self._pool.rows[lang]
        lexical_R = self._pool.lexical_index.scores(tokens, lang)
        dense_R, precedence_R = scores_P[rows_R], self._precedence_P[rows_R]
        by_meaning = top_columns(dense_R, precedence_R, DEPTH)
        evidence_R = np.where((lexical_R > 0) & self._allowed_P[rows_R], lexical_R, -np.inf)
        by_words = top_columns(evidence_R.astype(np.float32), precedence_R, DEPTH)
        chosen = np.union1d(by_meaning, by_words)
        scores_P[rows_R[chosen]] = fuse(
            dense_R[chosen],
            lexical_R[chosen],
            dense_scale=self._pool.calibration(Mode.DENSE).of(lang).scale,
            lexical_scale=lexical_scale(lexical_R),
        )

    def _rebalance(self, scores_P: NDArray[np.float32]) -> None:
        rows = np.flatnonzero(scores_P > -np.inf)
        language_C, scores_C = self._pool.language_P[rows], scores_P[rows]
        if self._balance is Balance.CALIBRATED:
            calibration = self._pool.calibration(self._mode)
            scores_P[rows] = as_scores(
                calibration.standardised(scores_C, language_C, self._pool.languages)
            )
            return
        order = balanced_order(scores_C, language_C, self._precedence_P[rows], self._shares_L)
        # Every float32 down to -2**24 is a whole number: a place of its own for each passage.
        scores_P[rows[order]] = -np.arange(1, len(order) + 1, dtype=np.float32)

    @cached_property
    def _precedence_P(self) -> NDArray[np.int64]:
        return precedence(self._pool.ids_at(np.arange(len(self._pool.language_P))))


class PoolRanker:
    """A pool with queries that are encoded already, as evaluation takes it.

    query_ids: of `queries`, in their order. search_s: seconds that the scores given out so far
    have taken.
    """

    def __init__(
        self,
        scorer: PoolScorer,
        pool: Pool,
        *,
        query_ids: Sequence[str],
        queries: EncodedQueries,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.passage_ids = pool.ids_at(np.arange(len(pool.language_P)))
        self.passage_languages = [pool.languages[place] for place in pool.language_P.tolist()]
        self.search_s = 0.0
        self._scorer = scorer
        self._queries = queries
        self._row_of = {identifier: row for row, identifier in enumerate(query_ids)}
        self._clock = clock

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """Blocks [q, P] as `PoolScorer.score_blocks` makes them, of some of the queries."""
        rows = [self._row_of[query.id] for query in queries]
        blocks = self._scorer.score_blocks(self._queries.taken(rows))
        disable = None if progress else True
        with tqdm(total=len(rows), unit="query", disable=disable, delay=1) as bar:
            began = self._clock()
            for block_QP in blocks:
                self.search_s += self._clock() - began
                yield block_QP
                bar.update(len(block_QP))
                began = self._clock()
