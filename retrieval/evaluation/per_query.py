"""Values of every query: what means, intervals and comparisons are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.measure import Measure
from retrieval.metrics.ranked import RankedSet
from retrieval.types import Query

POOL, MONOLINGUAL, CROSS_LINGUAL = "pool", "monolingual", "cross_lingual"
"""Views: all passages together; those in the query's language; those in each other language."""

RANK_DISTANCE = "rank_distance"
"""Column of the pool beside the measures; the one in which less is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One way to look at Q queries. values: measure -> [Q], NaN where the query has none.

    weight_Q: how much each query counts, so that the weighted mean is the mean that is reported.
    """

    values: Mapping[str, NDArray[np.float64]]
    weight_Q: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerQuery:
    """Q queries with their values in each view."""

    ids: tuple[str, ...]
    languages: tuple[str, ...]
    clusters: tuple[str, ...]
    domains: tuple[str, ...]
    views: Mapping[str, View]

    @classmethod
    def of(cls, ranked: RankedSet, measures: Sequence[Measure]) -> PerQuery:
        """The values of a ranked set; of the pool alone where it is all in one language."""
        views = {POOL: _pool(ranked, measures)}
        if len(ranked.languages) > 1:
            views |= _restricted(ranked, measures)
        return cls.named(ranked.queries, views)

    @classmethod
    def named(cls, queries: Sequence[Query], views: Mapping[str, View]) -> PerQuery:
        """Views over queries."""
        return cls(
            ids=tuple(query.id for query in queries),
            languages=tuple(query.lang for query in queries),
            clusters=tuple(query.cluster for query in queries),
            domains=tuple(query.domain for query in queries),
            views=views,
        )

    @classmethod
    def joined(cls, parts: Sequence[PerQuery]) -> PerQuery:
        """The queries of several sets, one after the other, in the views that all of them have."""
        shared = [v for v in parts[0].views if all(v in part.views for part in parts)]
        return cls(
            ids=tuple(i for part in parts for i in part.ids),
            languages=tuple(lang for part in parts for lang in part.languages),
            clusters=tuple(c for part in parts for c in part.clusters),
            domains=tuple(d for part in parts for d in part.domains),
            views={name: _joined([part.views[name] for part in parts]) for name in shared},
        )

    def rows(self) -> Iterator[dict[str, object]]:
        """`{"query", "lang", "domain", "group", measure: value, ...}` of each, over the pool."""
        values = self.views[POOL].values
        for row, identifier in enumerate(self.ids):
            yield {
                "query": identifier,
                "lang": self.languages[row],
                "domain": self.domains[row],
                "group": self.clusters[row],
                **{name: plain(float(value_Q[row])) for name, value_Q in values.items()},
            }

    def to_json(self) -> dict[str, object]:
        """Columns, queries in one order; null where a query has no value."""
        return {
            "query": list(self.ids),
            "lang": list(self.languages),
            "group": list(self.clusters),
            "domain": list(self.domains),
            "views": {
                name: {
                    "weight": view.weight_Q.tolist(),
                    "values": {m: _plain_list(value_Q) for m, value_Q in view.values.items()},
                }
                for name, view in self.views.items()
            },
        }


def plain(value: float) -> float | None:
    """The value, None (JSON's null) where there is none."""
    return None if np.isnan(value) else value


def _plain_list(value_Q: NDArray[np.float64]) -> list[float | None]:
    return [plain(value) for value in value_Q.tolist()]


def _pool(ranked: RankedSet, measures: Sequence[Measure]) -> View:
    values = {str(measure): ranked.values(measure) for measure in measures}
    if len(ranked.languages) > 1 and ranked.several_Q.any():
        values[RANK_DISTANCE] = np.where(ranked.several_Q, ranked.rank_distance_Q, np.nan)
    return View(values=values, weight_Q=np.ones(len(ranked.queries)))


def _restricted(ranked: RankedSet, measures: Sequence[Measure]) -> dict[str, View]:
    """Monolingual and cross-lingual views, if any query has a value in them.

    The value across languages is a mean over the other languages in which the query has a relevant
    passage. Weights make the mean over queries that over languages, or over ordered pairs of them.
    """
    own_QL = np.arange(len(ranked.languages)) == ranked.own_column_Q[:, None]
    judged_QL = ranked.relevant_QL > 0
    tables = {str(measure): ranked.values_QL(measure) for measure in measures}
    views: dict[str, View] = {}
    for name, chosen_QL in (
        (MONOLINGUAL, judged_QL & own_QL),
        (CROSS_LINGUAL, judged_QL & ~own_QL),
    ):
        weight_QL = _pair_weights(ranked, chosen_QL)
        weight_Q = weight_QL.sum(axis=1)
        if weight_Q.any():
            values = {m: _weighted(table_QL, weight_QL) for m, table_QL in tables.items()}
            views[name] = View(values=values, weight_Q=weight_Q)
    return views


def _pair_weights(ranked: RankedSet, chosen_QL: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[Q, L] weights under which every pair of languages counts the same, Q in all."""
    weight_QL = np.zeros(chosen_QL.shape)
    for index in ranked.queries_of.values():
        count_L = chosen_QL[index].sum(axis=0)
        weight_QL[index] = chosen_QL[index] / np.maximum(count_L, 1)
    total = weight_QL.sum()
    return weight_QL * (len(weight_QL) / total) if total else weight_QL


def _weighted(value_QL: NDArray[np.float64], weight_QL: NDArray[np.float64]) -> NDArray[np.float64]:
    """[Q] weighted mean over languages, NaN where every weight is zero."""
    total_Q = weight_QL.sum(axis=1)
    sum_Q = np.where(weight_QL > 0, value_QL * weight_QL, 0.0).sum(axis=1)
    mean_Q = np.full(len(total_Q), np.nan)
    np.divide(sum_Q, total_Q, out=mean_Q, where=total_Q > 0)
    return mean_Q


def _joined(views: Sequence[View]) -> View:
    names = [n for n in views[0].values if all(n in view.values for view in views)]
    return View(
        values={name: np.concatenate([view.values[name] for view in views]) for name in names},
        weight_Q=np.concatenate([view.weight_Q for view in views]),
    )
