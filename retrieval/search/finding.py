"""The first passages of a pool for a query, found without scoring every passage where it can be.

What is found is what `PoolScorer` ranks first, score for score: both call the same functions for
fusion and balance, on the same candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.ranking import precedence
from retrieval.search.balance import Balance, balanced_order, shares_of
from retrieval.search.fusion import DEPTH, fuse, lexical_scale
from retrieval.search.ordering import first_columns
from retrieval.search.pool import EncodedQueries, Mode, Pool
from retrieval.vectors import Ranking, RowFilter, VectorIndex, exact_scores


class PoolFinder:
    """Search over a pool. The options are those of `PoolScorer`; `index` is over its vectors.

    exhaustive: score every allowed passage, whatever kind the index is.
    """

    def __init__(
        self,
        pool: Pool,
        index: VectorIndex,
        *,
        mode: Mode = Mode.DENSE,
        balance: Balance = Balance.NONE,
        quota: Mapping[str, float] | None = None,
        allowed: RowFilter | None = None,
        min_score: float | None = None,
        exhaustive: bool = False,
    ) -> None:
        pool.check(mode, balance)
        self._pool = pool
        self._index = index
        self._mode = mode
        self._balance = balance
        self._min_score = -np.inf if min_score is None else min_score
        self._exhaustive = exhaustive
        self._allowed_P = None
        if allowed is not None:
            self._allowed_P = np.zeros(len(pool.language_P), dtype=bool)
            self._allowed_P[allowed.rows] = True
        allowed_P = pool.language_P if allowed is None else pool.language_P[allowed.rows]
        sizes_L = np.bincount(allowed_P, minlength=len(pool.languages))
        self._shares_L = shares_of(balance, pool.languages, sizes_L, quota or {})

    def find(
        self, queries: EncodedQueries, k: int, *, places: Sequence[int] | None = None
    ) -> list[Ranking]:
        """The first `k` passages of each query, with their scores in the mode.

        places: of the queries to search for, by default all.
        """
        if places is None:
            places = range(len(queries.languages_Q))
        return [self._find(queries, query, k) for query in places]

    def _find(self, queries: EncodedQueries, query: int, k: int) -> Ranking:
        parts = self._parts(queries, query, k)
        rows_C = np.concatenate([part.rows for part in parts])
        scores_C = np.concatenate([part.scores for part in parts])
        kept = (scores_C >= self._min_score) & self._could_be_served(rows_C, scores_C, k)
        rows_C, scores_C = rows_C[kept], scores_C[kept]
        order = self._order(rows_C, scores_C)[:k]
        return Ranking(rows_C[order], scores_C[order])

    def _could_be_served(
        self, rows_C: NDArray[np.int64], scores_C: NDArray[np.float32], k: int
    ) -> NDArray[np.bool_]:
        """Whether a candidate scores among the first `k` of its language, ties included."""
        language_C = self._pool.language_P[rows_C]
        lowest_L = np.full(len(self._pool.languages), -np.inf, dtype=np.float32)
        for place in np.flatnonzero(np.bincount(language_C) > k):
            lowest_L[place] = np.partition(scores_C[language_C == place], -k)[-k]
        served_C: NDArray[np.bool_] = scores_C >= lowest_L[language_C]
        return served_C

    def _order(self, rows_C: NDArray[np.int64], scores_C: NDArray[np.float32]) -> NDArray[np.int64]:
        language_C = self._pool.language_P[rows_C]
        values_C: NDArray[np.floating] = scores_C
        if self._balance is Balance.CALIBRATED:
            calibration = self._pool.calibration(self._mode)
            values_C = calibration.standardised(scores_C, language_C, self._pool.languages)
        precedence_C = precedence(self._pool.ids_at(rows_C))
        return balanced_order(values_C, language_C, precedence_C, self._shares_L)

    def _parts(self, queries: EncodedQueries, query: int, k: int) -> list[Ranking]:
        """The first `k` of each of some groups of languages that cover all; more do no harm."""
        vector_D, tokens = queries.vectors_QD[query], queries.tokens_Q[query]
        places = set(range(len(self._pool.languages)))
        if self._mode is Mode.LEXICAL:
            return [self._lexical(tokens, place, k) for place in sorted(places)]
        own: set[int] = set()
        if self._mode is Mode.HYBRID:
            names = self._pool.own(queries.languages_Q[query], tokens)
            own = {self._pool.languages.index(name) for name in names}
        fused = [self._fused(vector_D, tokens, place, k) for place in sorted(own)]
        if self._balance is Balance.NONE:
            return [*fused, self._dense(vector_D, self._filter(*sorted(places - own)), k)]
        return fused + [
            self._dense(vector_D, self._filter(place), k) for place in sorted(places - own)
        ]

    def _dense(self, vector_D: NDArray[np.float32], allowed: RowFilter, k: int) -> Ranking:
        if not allowed.rows.size:
            return Ranking(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        return self._index.search(
            vector_D[None],
            k,
            ids_of=self._pool.ids_at,
            allowed=allowed,
            exhaustive=self._exhaustive,
        )[0]

    def _lexical(self, tokens: Sequence[int], place: int, k: int) -> Ranking:
        scores_R = self._pool.lexical_index.scores(tokens, self._pool.languages[place])
        return self._by_words(scores_R, place, k)

    def _by_words(self, scores_R: NDArray[np.float32], place: int, k: int) -> Ranking:
        """The first `k` allowed passages of a language that share a subword with the query."""
        rows_R = self._pool.rows[self._pool.languages[place]]
        counts_R = scores_R > 0
        if self._allowed_P is not None:
            counts_R &= self._allowed_P[rows_R]
        evidence_R = np.where(counts_R, scores_R, np.float32(-np.inf))
        columns = first_columns(evidence_R, k, lambda chosen: self._pool.ids_at(rows_R[chosen]))
        return Ranking(rows_R[columns], scores_R[columns])

    def _fused(
        self, vector_D: NDArray[np.float32], tokens: Sequence[int], place: int, k: int
    ) -> Ranking:
        """The candidates of fusion, and enough others to hold the first `k` of the language."""
        lang = self._pool.languages[place]
        rows_R = self._pool.rows[lang]
        lexical_R = self._pool.lexical_index.scores(tokens, lang)
        dense = self._dense(vector_D, self._filter(place), k + 2 * DEPTH)
        by_words = self._by_words(lexical_R, place, DEPTH).rows
        chosen = np.union1d(dense.rows[:DEPTH], by_words)
        fused = fuse(
            exact_scores(vector_D, self._pool.vectors_PD[chosen]),
            lexical_R[np.searchsorted(rows_R, chosen)],
            dense_scale=self._pool.calibration(Mode.DENSE).of(lang).scale,
            lexical_scale=lexical_scale(lexical_R),
        )
        others = ~np.isin(dense.rows, chosen)
        return Ranking(
            np.concatenate([chosen, dense.rows[others]]),
            np.concatenate([fused, dense.scores[others]]),
        )

    def _filter(self, *places: int) -> RowFilter:
        """The allowed rows of some languages."""
        if self._allowed_P is None:
            return self._pool.filter_of(places)
        return RowFilter.from_mask(self._pool.mask_of(places) & self._allowed_P)
