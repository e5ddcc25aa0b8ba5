"""A query set through a ranker: per-query values first, then the report."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput, DanglingId, DuplicateId
from retrieval.formats.qrels import check_passages, check_queries
from retrieval.metrics.measure import DEFAULT_MEASURES, Measure
from retrieval.metrics.parallel import parallel_bias
from retrieval.metrics.pool import Pool
from retrieval.metrics.ranked import RankedSet
from retrieval.metrics.ranking import judged_share, precedence, top_columns
from retrieval.metrics.statistics import cluster_intervals
from retrieval.types import UNDECLARED, Qrels, Query, QuerySet, Run, Scored

CONTRACT = "synglot-1"
"""Version of the rules by which measures are computed; it changes when a figure would."""

SHARE_CUTOFF = 10
"""First passages in which the report counts languages."""

RUN_DEPTH = 1000
"""Passages a query in a TREC run."""

Report = dict[str, object]
"""The JSON object of an evaluation."""


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
        progress: bool = False,  # noqa: ARG002
    ) -> Iterator[NDArray[np.float32]]:
        """One query a block. Raises DanglingId where the run names an unknown passage."""
        for query in queries:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A query set measured. values: measure name -> one value for each of `queries`, in order."""

    ranked: RankedSet
    values: Mapping[str, NDArray[np.float64]]
    report: Report

    @property
    def queries(self) -> tuple[Query, ...]:
        """The judged queries with at least one relevant passage: those that the means are over."""
        return self.ranked.queries

    def per_query(self) -> Iterator[dict[str, object]]:
        """`{"query", "lang", "domain", "group", measure: value, ...}` of each query."""
        for index, query in enumerate(self.queries):
            yield {
                "query": query.id,
                "lang": query.lang,
                "domain": query.domain,
                "group": query.group,
                **{name: float(value_Q[index]) for name, value_Q in self.values.items()},
            }


def evaluate(
    query_set: QuerySet,
    ranker: Ranker,
    *,
    corpus: str,
    version: str,
    encoder: object,
    measures: Sequence[Measure] = DEFAULT_MEASURES,
    missing: int = 0,
    seed: int = 0,
    progress: bool = False,
) -> Evaluation:
    """Measures of a query set over everything a ranker ranks, with the report of the JSON shape.

    corpus, version, encoder: names for the report; encoder may be any JSON value.
    missing: judged queries that the ranking leaves out (`RunRanker.missing`).
    seed: of the bootstrap. Raises what `rank_query_set` raises.
    """
    measures = tuple(dict.fromkeys(measures))
    ranked = rank_query_set(query_set, ranker, progress=progress)
    values = {str(measure): ranked.values(measure) for measure in measures}
    judged = sum(1 for judgements in query_set.qrels.values() if judgements)
    report: Report = {
        "corpus": corpus,
        "version": version,
        "encoder": encoder,
        "contract": CONTRACT,
        "queries": {
            "judged": judged,
            "without_positives": judged - len(ranked.queries),
            "missing": missing,
        },
        "measures": _overall(ranked, measures, values, seed),
        "by_language_pair": _by_language_pair(ranked, measures),
        "language_bias": _language_bias(ranked),
        "domains": _domains(ranked, values),
        "lint": lint(query_set),
        "seed": seed,
        "versions": _versions(),
    }
    return Evaluation(ranked=ranked, values=values, report=report)


def rank_query_set(query_set: QuerySet, ranker: Ranker, *, progress: bool = False) -> RankedSet:
    """Ranks of all judged passages of the queries that have a relevant one.

    Raises DanglingId where judgements name queries or passages that do not exist, DuplicateId where
    the ranker holds a passage id twice, BadInput where no query has a relevant passage or a score
    is not a number.
    """
    row_of = {identifier: row for row, identifier in enumerate(ranker.passage_ids)}
    if len(row_of) != len(ranker.passage_ids):
        raise DuplicateId("the corpus holds a passage id twice", fix="Index the corpus again.")
    check_queries(query_set.qrels, {query.id for query in query_set.queries})
    check_passages(query_set.qrels, row_of)
    queries = tuple(query for query in query_set.queries if _has_relevant(query_set.qrels, query))
    if not queries:
        raise BadInput("no query has a relevant passage", fix="Judge at least one passage 1.")
    query_N, row_N, relevance_N = _pairs(queries, query_set.qrels, row_of)
    pool = Pool.of(ranker.passage_ids, ranker.passage_languages)
    blocks = ranker.score_blocks(queries, progress=progress)
    try:
        ranks = pool.rank(blocks, query_N, row_N, share_cutoff=SHARE_CUTOFF)
    except ValueError as error:
        raise BadInput(f"the ranker's scores cannot be ranked: {error}") from error
    return RankedSet(
        queries=queries,
        languages=pool.languages,
        query_N=query_N,
        language_N=pool.language_P[pool.column_P[row_N]],
        relevance_N=relevance_N,
        ranks=ranks,
    )


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


def lint(query_set: QuerySet) -> list[str]:
    """What a reader of the figures should know about the query set: nothing that is an error."""
    judged = [query for query in query_set.queries if query_set.qrels.get(query.id)]
    notes = {
        "queries have no judgement and are left out": len(query_set.queries) - len(judged),
        "judged queries have no relevant passage and are left out": sum(
            not _has_relevant(query_set.qrels, query) for query in judged
        ),
        "judged queries declare no language": sum(query.lang == UNDECLARED for query in judged),
        "judged queries have the text of another one in their language": len(judged)
        - len({(query.lang, query.text) for query in judged}),
    }
    return [f"{count} {note}" for note, count in notes.items() if count]


def _has_relevant(qrels: Qrels, query: Query) -> bool:
    return any(relevance > 0 for relevance in qrels.get(query.id, {}).values())


def _pairs(
    queries: Sequence[Query], qrels: Qrels, row_of: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """query_N, row_N, relevance_N of all judged pairs, queries ascending."""
    pairs = [
        (index, row_of[passage_id], relevance)
        for index, query in enumerate(queries)
        for passage_id, relevance in qrels[query.id].items()
    ]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _overall(
    ranked: RankedSet,
    measures: Sequence[Measure],
    values: Mapping[str, NDArray[np.float64]],
    seed: int,
) -> dict[str, dict[str, object]]:
    values_QM = np.stack(list(values.values()), axis=1)
    clusters = [query.cluster for query in ranked.queries]
    intervals = cluster_intervals(values_QM, clusters, seed=seed)
    table: dict[str, dict[str, object]] = {}
    for measure, interval in zip(measures, intervals.tolist(), strict=True):
        value_Q = values[str(measure)]
        entry: dict[str, object] = {"mean": float(value_Q.mean()), "n": len(value_Q)}
        entry["ci95"] = interval
        if measure.cutoff is not None:
            entry["judged"] = float(judged_share(ranked.pool, measure.cutoff).mean())
        table[str(measure)] = entry
    return table


def _by_language_pair(ranked: RankedSet, measures: Sequence[Measure]) -> dict[str, object]:
    table = ranked.means_by_pair({str(measure): measure for measure in measures})
    return {f"{query}->{passage}": entry for (query, passage), entry in table.items()}


def _language_bias(ranked: RankedSet) -> dict[str, object]:
    """Empty for a pool of one language. Rank distance is over queries of two relevant passages."""
    if len(ranked.languages) < 2:
        return {}
    distances = ranked.means_by_language(ranked.rank_distance_Q, ranked.relevant_QL.sum(axis=1) > 1)
    share_L = ranked.ranks.share_QL.mean(axis=0).tolist()
    relevant_L = ranked.relevant_share_QL.mean(axis=0).tolist()
    own, expected = ranked.own_language(ranked.ranks.share_QL, ranked.relevant_share_QL)
    return {
        "rank_distance": float(np.mean(list(distances.values()))) if distances else None,
        "rank_distance_by_language": distances,
        f"share@{SHARE_CUTOFF}": {
            lang: {"share": share, "among_relevant": relevant}
            for lang, share, relevant in zip(ranked.languages, share_L, relevant_L, strict=True)
        },
        f"same_language_share@{SHARE_CUTOFF}": {"share": own, "among_relevant": expected},
        **parallel_bias(ranked),
    }


def _domains(
    ranked: RankedSet, values: Mapping[str, NDArray[np.float64]]
) -> dict[str, dict[str, object]]:
    """`n`, macro means over query languages and each language's means, of each tagged domain."""
    domain_Q = np.array([query.domain for query in ranked.queries], dtype=object)
    table: dict[str, dict[str, object]] = {}
    for domain in sorted({query.domain for query in ranked.queries} - {""}):
        inside_Q = domain_Q == domain
        by_name = {name: ranked.means_by_language(v, inside_Q) for name, v in values.items()}
        table[domain] = {
            "n": int(inside_Q.sum()),
            **{name: float(np.mean(list(means.values()))) for name, means in by_name.items()},
            "by_language": {
                lang: {name: means[lang] for name, means in by_name.items()}
                for lang in ranked.queries_of
                if inside_Q[ranked.queries_of[lang]].any()
            },
        }
    return table


def _versions() -> dict[str, str]:
    return {
        "synglot": library_version("synglot"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
