"""Queries with the ranks of their judged passages, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.bias import language_preference, max_rank, peer, rank_distance
from retrieval.metrics.measure import Measure
from retrieval.metrics.pool import PoolRanks
from retrieval.metrics.ranking import UNRANKED, JudgedRanks, measure_values
from retrieval.types import Query


@dataclass(frozen=True)
class RankedSet:
    """Q queries with the ranks of their N judged passages, over a pool of L languages.

    queries: those with at least one relevant passage. languages: passage languages, ascending.
    query_N, language_N: index of the query and of the passage's language of each judged pair.
    """

    queries: tuple[Query, ...]
    languages: tuple[str, ...]
    query_N: NDArray[np.int64]
    language_N: NDArray[np.int64]
    relevance_N: NDArray[np.int64]
    ranks: PoolRanks

    @cached_property
    def pool(self) -> JudgedRanks:
        """Ranks over the whole pool."""
        return JudgedRanks.of(
            self.query_N, self.ranks.pool.rank_N, self.relevance_N, queries=len(self.queries)
        )

    @cached_property
    def by_language(self) -> JudgedRanks:
        """Ranks over the passages of one language: Q x L queries, language changing fastest."""
        return JudgedRanks.of(
            self.query_N * len(self.languages) + self.language_N,
            self.ranks.within.rank_N,
            self.relevance_N,
            queries=len(self.queries) * len(self.languages),
        )

    @cached_property
    def relevant_QL(self) -> NDArray[np.int64]:
        """[Q, L] number of relevant passages of each query in each language."""
        return self.by_language.relevant.pairs_Q.reshape(-1, len(self.languages))

    @cached_property
    def rank_distance_Q(self) -> NDArray[np.float64]:
        """[Q] highest minus lowest mid-rank among the relevant passages."""
        query_N, mid_N, _ = self._relevant
        return rank_distance(query_N, mid_N, queries=len(self.queries))

    @cached_property
    def several_Q(self) -> NDArray[np.bool_]:
        """[Q] whether two passages are relevant: those that a rank distance is defined for."""
        several_Q: NDArray[np.bool_] = self.relevant_QL.sum(axis=1) > 1
        return several_Q

    @cached_property
    def max_rank_Q(self) -> NDArray[np.float64]:
        """[Q] rank by which all relevant passages have been found."""
        keep = self.relevance_N > 0
        last_N = self.ranks.pool.last_N[keep]
        return max_rank(self.query_N[keep], last_N, queries=len(self.queries))

    def complete_Q(self, *, cutoff: int) -> NDArray[np.bool_]:
        """[Q] whether all relevant passages are in the ranking, the last one within `cutoff`."""
        # In a small pool the last rank of what a ranking leaves out can be within the cut-off.
        left_out_N = (self.relevance_N > 0) & (self.ranks.pool.rank_N == UNRANKED)
        left_out_Q = np.bincount(self.query_N[left_out_N], minlength=len(self.queries))
        complete_Q: NDArray[np.bool_] = (left_out_Q == 0) & (self.max_rank_Q <= cutoff)
        return complete_Q

    @cached_property
    def parallel_Q(self) -> NDArray[np.bool_]:
        """[Q] whether passages of two languages are relevant."""
        parallel_Q: NDArray[np.bool_] = (self.relevant_QL > 0).sum(axis=1) > 1
        return parallel_Q

    @cached_property
    def language_preference_Q(self) -> NDArray[np.float64]:
        """[Q] share of the query's language in the best rank; NaN where there is no choice."""
        query_N, mid_N, _ = self._relevant
        return language_preference(query_N, mid_N, self._own_N, queries=len(self.queries))

    @cached_property
    def expected_preference_Q(self) -> NDArray[np.float64]:
        """[Q] the same if all relevant passages were tied."""
        query_N, mid_N, _ = self._relevant
        tied_N = np.zeros_like(mid_N)
        return language_preference(query_N, tied_N, self._own_N, queries=len(self.queries))

    def peer_Q(self, *, cutoff: int) -> NDArray[np.float64]:
        """[Q] Probability of Equal Expected Rank, levels of equal weight; NaN where undefined."""
        query_N, mid_N, language_N = self._relevant
        relevance_N = self.relevance_N[self.relevance_N > 0]
        return peer(
            query_N, mid_N, language_N, relevance_N, queries=len(self.queries), cutoff=cutoff
        )

    @cached_property
    def _relevant(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """query_N, mid_N over the pool, language_N of the relevant passages."""
        keep = self.relevance_N > 0
        return self.query_N[keep], self.ranks.pool.mid_N[keep], self.language_N[keep]

    @cached_property
    def _own_N(self) -> NDArray[np.bool_]:
        """Whether each relevant passage is in its query's language."""
        query_N, _, language_N = self._relevant
        own_N: NDArray[np.bool_] = self.own_column_Q[query_N] == language_N
        return own_N

    @cached_property
    def queries_of(self) -> dict[str, NDArray[np.int64]]:
        """Indices of the queries of each query language, languages ascending."""
        groups: dict[str, list[int]] = {query.lang: [] for query in self.queries}
        for index, query in enumerate(self.queries):
            groups[query.lang].append(index)
        return {lang: np.array(groups[lang], dtype=np.int64) for lang in sorted(groups)}

    def values(self, measure: Measure) -> NDArray[np.float64]:
        """[Q] value over the whole pool."""
        return measure_values(self.pool, measure)

    @cached_property
    def first_rank_Q(self) -> NDArray[np.int64]:
        """[Q] rank of the first relevant passage over the whole pool; UNRANKED without one."""
        first_Q = np.full(len(self.queries), UNRANKED)
        relevant = self.pool.relevant
        np.minimum.at(first_Q, relevant.query_N, relevant.rank_N)
        return first_Q

    @cached_property
    def own_column_Q(self) -> NDArray[np.int64]:
        """[Q] index of each query's language among the passage languages, -1 if it is none."""
        column_of = {lang: column for column, lang in enumerate(self.languages)}
        return np.array([column_of.get(query.lang, -1) for query in self.queries], dtype=np.int64)

    def values_QL(self, measure: Measure) -> NDArray[np.float64]:
        """[Q, L] value with the corpus restricted to a language; NaN where nothing is relevant."""
        value_QL = measure_values(self.by_language, measure).reshape(self.relevant_QL.shape)
        return np.where(self.relevant_QL > 0, value_QL, np.nan)

    def means_by_pair(
        self, measures: Mapping[str, Measure]
    ) -> dict[tuple[str, str], dict[str, float | int]]:
        """(query language, passage language) -> `{"n", name: mean, ...}`, the corpus restricted.

        A query without a relevant passage in a language is left out of that pair.
        """
        by_name = {name: self.values_QL(measure) for name, measure in measures.items()}
        table: dict[tuple[str, str], dict[str, float | int]] = {}
        for query_lang, index in self.queries_of.items():
            for column, passage_lang in enumerate(self.languages):
                rows = index[self.relevant_QL[index, column] > 0]
                if len(rows):
                    means = {name: float(v[rows, column].mean()) for name, v in by_name.items()}
                    table[query_lang, passage_lang] = {"n": len(rows), **means}
        return table

    def means_by_language(
        self, value_Q: NDArray[np.float64], include_Q: NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """Mean of each query language over those of its queries in `include_Q`, if any."""
        table: dict[str, float] = {}
        for lang, index in self.queries_of.items():
            rows = index if include_Q is None else index[include_Q[index]]
            if len(rows):
                table[lang] = float(value_Q[rows].mean())
        return table

    @cached_property
    def relevant_share_QL(self) -> NDArray[np.float64]:
        """[Q, L] share of each language among the relevant passages of each query."""
        share_QL: NDArray[np.float64] = self.relevant_QL / self.relevant_QL.sum(axis=1)[:, None]
        return share_QL

    def own_language(self, *tables_QL: NDArray[np.float64]) -> list[float | None]:
        """Mean of each table over the entries of each query's own language; None without any."""
        row_N = np.flatnonzero(self.own_column_Q >= 0)
        if not len(row_N):
            return [None] * len(tables_QL)
        column_N = self.own_column_Q[row_N]
        return [float(table_QL[row_N, column_N].mean()) for table_QL in tables_QL]
