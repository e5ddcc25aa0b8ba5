"""What an index loses against exact search: never to be blamed on the encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.evaluation.evaluation import rank_query_set
from retrieval.evaluation.rankers import RUN_DEPTH, Ranker, RunRanker, rankings
from retrieval.metrics.measure import Measure
from retrieval.search import Searcher, SearchOptions
from retrieval.types import Query, QuerySet, Run, Scored
from retrieval.vectors import IndexKind

OVERLAP_CUTOFFS = (10, 100)
"""Depths at which the overlap with the exact ranking is counted."""


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

    exact: the first `depth` of the exact ranking of each judged query; index: what the index gave.
    A measure without a cut-off is computed to `depth` and so named, as in `AP@1000`.
    """
    cut = tuple(dict.fromkeys(_within(measure, depth) for measure in measures))
    values = [
        _means(
            query_set,
            RunRanker(
                run,
                passage_ids=ranker.passage_ids,
                passage_languages=ranker.passage_languages,
            ),
            cut,
        )
        for run in (exact, index)
    ]
    language_of = {query.id: query.lang for query in query_set.queries}
    cutoffs = [k for k in OVERLAP_CUTOFFS if k <= depth]
    overlaps = {k: dict(_overlaps(exact, index, k)) for k in cutoffs}
    return IndexLoss(
        depth=depth,
        queries=len(exact),
        recall={k: _mean(found) for k, found in overlaps.items()},
        recall_by_language={k: _by_language(f, language_of) for k, f in overlaps.items()},
        exact=values[0],
        index=values[1],
    )


def searcher_loss(
    query_set: QuerySet,
    searcher: Searcher,
    options: SearchOptions,
    *,
    measures: Sequence[Measure],
    depth: int = RUN_DEPTH,
    progress: bool = False,
) -> dict[str, object] | None:
    """`IndexLoss.to_json` of a searcher's version, None where its index is exact.

    Only dense search without balance asks the index for its first passages alone; for other modes
    the loss is that of dense search, on which they build.
    """
    if searcher.version.manifest.index.kind == IndexKind.FLAT:
        return None
    plain = SearchOptions(languages=options.languages)
    queries = judged_queries(query_set)
    ranker = searcher.ranker(plain)
    found = measure_index_loss(
        query_set,
        ranker,
        exact=dict(rankings(queries, ranker, depth=depth, progress=progress)),
        index=dict(searcher.index_run(queries, plain, depth=depth)),
        depth=depth,
        measures=measures,
    )
    index = searcher.version.manifest.index
    return {"kind": str(index.kind), **index.parameters, **found.to_json()}


def judged_queries(query_set: QuerySet) -> list[Query]:
    """The queries that a loss is measured on: those with a judgement."""
    return [query for query in query_set.queries if query_set.qrels.get(query.id)]


def _within(measure: Measure, depth: int) -> Measure:
    cutoff = depth if measure.cutoff is None else min(measure.cutoff, depth)
    return Measure(measure.kind, cutoff)


def _means(query_set: QuerySet, ranker: RunRanker, measures: Sequence[Measure]) -> dict[str, float]:
    ranked = rank_query_set(query_set, ranker)
    return {str(measure): float(ranked.values(measure).mean()) for measure in measures}


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
