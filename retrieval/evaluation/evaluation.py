"""A query set through a ranker: per-query values first, then the report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as library_version
from typing import Any

import numpy as np
import orjson
import scipy
from numpy.typing import NDArray

from retrieval.errors import BadInput, DuplicateId
from retrieval.evaluation import sections
from retrieval.evaluation.lint import check_strict, lint
from retrieval.evaluation.per_query import PerQuery
from retrieval.evaluation.rankers import Ranker
from retrieval.formats.qrels import check_passages, check_queries
from retrieval.metrics.measure import DEFAULT_MEASURES, Measure
from retrieval.metrics.pool import Pool
from retrieval.metrics.ranked import RankedSet
from retrieval.types import Qrels, Query, QuerySet

CONTRACT = "synglot-1"
"""Version of the rules by which measures are computed; it changes when a figure would."""

Report = dict[str, Any]
"""The JSON object of an evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A query set measured."""

    ranked: RankedSet
    per_query: PerQuery
    report: Report

    @property
    def queries(self) -> tuple[Query, ...]:
        """The judged queries with at least one relevant passage: those that the means are over."""
        return self.ranked.queries

    def to_json(self) -> Report:
        """The report with the value of every query: what a comparison starts from."""
        return {**self.report, "per_query": self.per_query.to_json()}


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
    strict: bool = False,
    progress: bool = False,
) -> Evaluation:
    """Measures of a query set over everything a ranker ranks, with the report of the JSON shape.

    corpus, version, encoder: names for the report; encoder may be any JSON value.
    missing: judged queries that the ranking leaves out (`RunRanker.missing`).
    seed: of the bootstrap. strict: a warning of the lint is an error.
    Raises what `rank_query_set` raises.
    """
    measures = tuple(dict.fromkeys(measures))
    findings = lint(query_set, passage_ids=ranker.passage_ids)
    if strict:
        check_strict(findings)
    ranked = rank_query_set(query_set, ranker, progress=progress)
    per_query = PerQuery.of(ranked, measures)
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
        **sections.measured(ranked, per_query, measures, seed=seed),
        "lint": [finding.to_json() for finding in findings],
        "seed": seed,
        "data": {"query_set": query_set_digest(query_set)},
        "versions": versions(),
    }
    return Evaluation(ranked=ranked, per_query=per_query, report=report)


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
        ranks = pool.rank(blocks, query_N, row_N, share_cutoff=sections.SHARE_CUTOFF)
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


def query_set_digest(query_set: QuerySet) -> str:
    """SHA-256 over queries and judgements, whatever files and order they came in."""
    queries = sorted((q.id, q.lang, q.group, q.domain, q.text) for q in query_set.queries)
    judged = {query: dict(sorted(found.items())) for query, found in query_set.qrels.items()}
    return hashlib.sha256(orjson.dumps([queries, judged], option=orjson.OPT_SORT_KEYS)).hexdigest()


def versions() -> dict[str, str]:
    """Of everything that a figure depends on, given the scores."""
    return {
        "synglot": library_version("synglot"),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


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
