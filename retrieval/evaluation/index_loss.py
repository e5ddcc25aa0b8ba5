"""What an index loses against exact search: never to be blamed on the encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.evaluation import rank_query_set
from retrieval.evaluation.rankers import RUN_DEPTH, Ranker, RunRanker, rankings
from retrieval.metrics.measure import Measure
from retrieval.search import Searcher, SearchOptions
from retrieval.types import Query, QuerySet, Run, Scored
from retrieval.vectors import IndexKind

OVERLAP_CUTOFFS = (10, 100)
"""Depths at which the overlap with the exact ranking is counted."""

# Queries whose two runs of a thousand passages are in memory at a time.
_SLICE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexLoss:
    """An index against exact search on the same queries, both cut at `depth`.

    recall: k -> share of the exact first k that the index found, mean over queries.
    recall_by_language: k -> query language -> the same.
    exact, index: measure -> mean value.
    """

    depth: int
    queries: int
    recall: Mapping[int, float]
    recall_by_language: Mapping[int, Mapping[str, float]]
    exact: Mapping[str, float]
    index: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """`{"depth", "queries", "recall@k": {"mean", "by_language"}, "measures": {...}}`."""
        return {
            "depth": self.depth,
            "queries": self.queries,
            **{
                f"recall@{k}": {"mean": mean, "by_language": dict(self.recall_by_language[k])}
                for k, mean in self.recall.items()
            },
            "measures": {
                name: {
                    "exact": value,
                    "index": self.index[name],
                    "loss": value - self.index[name],
                }
                for name, value in self.exact.items()
            },
        }


def measure_index_loss(
    query_set: QuerySet,
    ranker: Ranker,
    *,
    exact: Run,
    index: Run,
    depth: int,
    measures: Sequence[Measure],
) -> IndexLoss:
    """Compare two runs of `depth` passages a query over the corpus that `ranker` ranks.

    exact: the first `depth` of the exact ranking of each query of the set; index: what the index
    gave. A measure without a cut-off is computed to `depth` and so named, as in `AP@1000`.
    """
    return _combined([_part(query_set, ranker, exact, index, depth, measures)], query_set, depth)


def searcher_loss(
    query_set: QuerySet,
    searcher: Searcher,
    options: SearchOptions,
    *,
    measures: Sequence[Measure],
    depth: int = RUN_DEPTH,
) -> dict[str, object] | None:
    """`IndexLoss.to_json` of a searcher's version, None where its index is exact.

    Only dense search without balance asks the index for its first passages alone; for other modes
    the loss is that of dense search, on which they build. Some queries at a time are in memory.
    """
    manifest = searcher.version.manifest
    if manifest.index.kind == IndexKind.FLAT:
        return None
    plain = SearchOptions(languages=options.languages)
    ranker = searcher.ranker(plain)
    queries = answerable_queries(query_set)
    parts = []
    for start in range(0, len(queries), _SLICE):
        some = queries[start : start + _SLICE]
        part = QuerySet(queries=tuple(some), qrels={q.id: query_set.qrels[q.id] for q in some})
        exact = dict(rankings(some, ranker, depth=depth))
        index = dict(searcher.index_run(some, plain, depth=depth))
        parts.append(_part(part, ranker, exact, index, depth, measures))
    found = _combined(parts, query_set, depth)
    return {"kind": str(manifest.index.kind), **manifest.index.parameters, **found.to_json()}


def answerable_queries(query_set: QuerySet) -> list[Query]:
    """The queries that a loss is measured on: those with a relevant passage."""
    return [
        query
        for query in query_set.queries
        if any(relevance > 0 for relevance in query_set.qrels.get(query.id, {}).values())
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some queries. overlaps: k -> query id -> share. exact, index: measure -> a value a query."""

    overlaps: Mapping[int, Mapping[str, float]]
    exact: Mapping[str, NDArray[np.float64]]
    index: Mapping[str, NDArray[np.float64]]


def _part(
    query_set: QuerySet,
    ranker: Ranker,
    exact: Run,
    index: Run,
    depth: int,
    measures: Sequence[Measure],
) -> _Part:
    cut = tuple(dict.fromkeys(_within(measure, depth) for measure in measures))
    exact_values, index_values = (
        _values(
            query_set,
            RunRanker(
                run,
                passage_ids=ranker.passage_ids,
                passage_languages=ranker.passage_languages,
            ),
            cut,
        )
        for run in (exact, index)
    )
    cutoffs = [k for k in OVERLAP_CUTOFFS if k <= depth]
    return _Part(
        overlaps={k: dict(_overlaps(exact, index, k)) for k in cutoffs},
        exact=exact_values,
        index=index_values,
    )


def _combined(parts: Sequence[_Part], query_set: QuerySet, depth: int) -> IndexLoss:
    language_of = {query.id: query.lang for query in query_set.queries}
    overlaps = {
        k: {query: share for part in parts for query, share in part.overlaps[k].items()}
        for k in parts[0].overlaps
    }
    return IndexLoss(
        depth=depth,
        queries=sum(len(next(iter(part.exact.values()))) for part in parts),
        recall={k: _mean(found) for k, found in overlaps.items()},
        recall_by_language={k: _by_language(f, language_of) for k, f in overlaps.items()},
        exact=_means([part.exact for part in parts]),
        index=_means([part.index for part in parts]),
    )


def _within(measure: Measure, depth: int) -> Measure:
    cutoff = depth if measure.cutoff is None else min(measure.cutoff, depth)
    return Measure(measure.kind, cutoff)


def _values(
    query_set: QuerySet, ranker: RunRanker, measures: Sequence[Measure]
) -> dict[str, NDArray[np.float64]]:
    ranked = rank_query_set(query_set, ranker)
    return {str(measure): ranked.values(measure) for measure in measures}


def _means(parts: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
    return {name: float(np.concatenate([p[name] for p in parts]).mean()) for name in parts[0]}


def _overlaps(exact: Run, index: Run, k: int) -> Iterator[tuple[str, float]]:
    """(query id, share of its exact first k among the first k of the index)."""
    for query_id, ranking in exact.items():
        wanted = _ids(ranking, k)
        if wanted:
            yield query_id, len(wanted & _ids(index.get(query_id, ()), k)) / len(wanted)


def _ids(ranking: Sequence[Scored], k: int) -> set[str]:
    return {scored.id for scored in ranking[:k]}


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _by_language(values: Mapping[str, float], language_of: Mapping[str, str]) -> dict[str, float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for query_id, value in values.items():
        groups[language_of[query_id]].append(value)
    return {lang: float(np.mean(groups[lang])) for lang in sorted(groups)}
