"""Queries with the ranks of their judged passages, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.bias import rank_distance
from retrieval.metrics.measure import Measure
from retrieval.metrics.pool import PoolRanks
from retrieval.metrics.ranking import JudgedRanks, measure_values
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
        keep = self.relevance_N > 0
        return rank_distance(
            self.query_N[keep], self.ranks.pool.mid_N[keep], queries=len(self.queries)
        )

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

    def means_by_pair(
        self, measures: Mapping[str, Measure]
    ) -> dict[tuple[str, str], dict[str, float | int]]:
        """(query language, passage language) -> `{"n", name: mean, ...}`, the corpus restricted.

        A query without a relevant passage in a language is left out of that pair.
        """
        by_name = {
            name: measure_values(self.by_language, measure).reshape(self.relevant_QL.shape)
            for name, measure in measures.items()
        }
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
        column_of = {lang: column for column, lang in enumerate(self.languages)}
        own = [
            (row, column_of[q.lang]) for row, q in enumerate(self.queries) if q.lang in column_of
        ]
        if not own:
            return [None] * len(tables_QL)
        row_N, column_N = np.array(own).T
        return [float(table_QL[row_N, column_N].mean()) for table_QL in tables_QL]
