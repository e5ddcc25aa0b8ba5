"""An evaluation from the shell: the same reading, ranking and measuring as the service's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.evaluations import parse_layout, parse_measures
from app.outcome import Outcome, Wanted, conclude
from app.shell import open_searcher
from retrieval.errors import BadInput
from retrieval.evaluation import RUN_DEPTH, Evaluation, Ranker, RunRanker, evaluate, rankings
from retrieval.evaluation.worst import worst_queries
from retrieval.formats.files import expand_inputs
from retrieval.formats.packing import STDIN
from retrieval.formats.query_sets import read_query_set
from retrieval.formats.runs import read_run, write_run
from retrieval.search import Searcher
from retrieval.types import QuerySet

_QUERY_ENDINGS = (".jsonl", ".jsonl.gz", ".tsv", ".tsv.gz", ".json", ".json.gz", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to measure: a query set on a version of a corpus.

    queries, qrels: files, folders or globs. measures: names separated by spaces.
    ranked: a TREC run of another system, measured in place of the corpus' own ranking.
    """

    root: Path
    corpus: str
    queries: Sequence[str]
    qrels: Sequence[str] = ()
    domains: Path | None = None
    groups: Path | None = None
    layout: str | None = None
    measures: str = ""
    version: str | None = None
    encoder: str | None = None
    ranked: Path | None = None
    run_depth: int = RUN_DEPTH
    seed: int = 0
    strict: bool = False


def evaluate_offline(request: Request, wanted: Wanted) -> Outcome:
    """Read, check, rank, measure, compare; a TREC run is written where one is wanted.

    Raises BadInput and its kin, with file and line.
    """
    query_files, qrels_files = _files(request.queries), _files(request.qrels)
    query_set = read_query_set(
        query_files,
        qrels_files,
        layout=parse_layout(request.layout),
        domains=request.domains,
        groups=request.groups,
    )
    measures = parse_measures(request.measures)
    wanted.check_measures(measures)
    searcher = open_searcher(request.root, request.corpus, request.version, request.encoder)
    ranker, missing = _ranker(request, searcher, query_set)
    evaluation = evaluate(
        query_set,
        ranker,
        corpus=request.corpus,
        version=searcher.version.id,
        encoder=None if request.ranked else searcher.encoder.fingerprint,
        measures=measures,
        missing=missing,
        seed=request.seed,
        strict=request.strict,
        progress=True,
    )
    if wanted.run is not None:
        ranked = rankings(query_set.queries, ranker, depth=request.run_depth, progress=True)
        write_run(ranked, wanted.run)
    tags = [path for path in (request.domains, request.groups, request.ranked) if path is not None]
    return conclude(
        {**evaluation.to_json(), "worst": _worst(evaluation, ranker, query_set, searcher)},
        evaluation.per_query,
        wanted,
        files=[*query_files, *qrels_files, *tags],
        index=_index(searcher),
        seed=request.seed,
    )


def _files(names: Sequence[str]) -> list[Path]:
    files = expand_inputs(names, endings=_QUERY_ENDINGS)
    if STDIN in files:
        raise BadInput(
            "a query set is read more than once, which standard input cannot be",
            fix="Save it in a file.",
        )
    return files


def _ranker(request: Request, searcher: Searcher, query_set: QuerySet) -> tuple[Ranker, int]:
    """What ranks, and how many judged queries it leaves out."""
    if request.ranked is None:
        return searcher, 0
    ranker = RunRanker(
        read_run(request.ranked, passages=set(searcher.passage_ids)),
        passage_ids=searcher.passage_ids,
        passage_languages=searcher.passage_languages,
    )
    missing = ranker.missing(query_set)
    if missing == len(query_set.qrels):
        raise BadInput(
            "the run holds none of the judged queries",
            path=request.ranked,
            fix="Give a run of the same query ids.",
        )
    return ranker, missing


def _worst(
    evaluation: Evaluation, ranker: Ranker, query_set: QuerySet, searcher: Searcher
) -> dict[str, object]:
    measure = next(iter(evaluation.per_query.views["pool"].values))
    queries = worst_queries(
        evaluation.ranked,
        evaluation.per_query,
        ranker,
        query_set.qrels,
        measure=measure,
        passage_at=searcher.version.passages.__getitem__,
    )
    return {"measure": measure, "queries": queries}


def _index(searcher: Searcher) -> Mapping[str, Any]:
    manifest = searcher.version.manifest
    return {
        "kind": str(manifest.index.kind),
        "passages": manifest.counts.total,
        "dimensions": manifest.dim,
        "created": manifest.created.isoformat(timespec="seconds"),
        "vectors_sha256": manifest.files["vectors.npy"].sha256,
        "passages_sha256": manifest.files["passages.arrow"].sha256,
    }
