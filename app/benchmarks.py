"""Benchmarks from the shell: the protocol, then what was asked for beside it."""

from __future__ import annotations

from pathlib import Path

from app.evaluations import parse_measures
from app.outcome import Outcome, Wanted, conclude
from retrieval.benchmark.xquad_r import benchmark_xquad_r
from retrieval.encoder import COMPACT, Encoder
from retrieval.evaluation import rankings
from retrieval.evaluation.worst import worst_queries
from retrieval.formats.runs import write_run

_WORST_BY = "MRR@10"


def run_xquad_r(
    data: Path, encoder: str | None, wanted: Wanted, *, measures: str, seed: int
) -> Outcome:
    """The XQuAD-R protocol over `data`; a TREC run of the pool is written where one is wanted."""
    extra = parse_measures(measures) if measures.strip() else ()
    done = benchmark_xquad_r(
        data, Encoder.load(encoder or COMPACT), measures=extra, seed=seed, progress=True
    )
    if wanted.run is not None:
        write_run(rankings(done.query_set.queries, done.ranker, progress=True), wanted.run)
    worst = worst_queries(
        done.evaluation.ranked,
        done.evaluation.per_query,
        done.ranker,
        done.query_set.qrels,
        measure=_WORST_BY,
        passage_at=done.passages.__getitem__,
    )
    return conclude(
        {**done.to_json(), "worst": {"measure": _WORST_BY, "queries": worst}},
        done.evaluation.per_query,
        wanted,
        files=done.files,
        index={"kind": "exact", "passages": len(done.passages)},
        seed=seed,
    )
