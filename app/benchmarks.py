"""Benchmarks from the shell: the protocol, then what was asked for beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from app.evaluations import parse_measures
from app.outcome import Outcome, Wanted, conclude, provenance
from retrieval.benchmark.domain_report import compare_strategies, strategy_figures
from retrieval.benchmark.domain_shift import (
    OUT_OF_DOMAIN,
    header,
    load_domain_shift,
    measure_strategies,
    read_domain_shift,
    strategy_pairs,
)
from retrieval.benchmark.miracl import benchmark_miracl, find_miracl
from retrieval.benchmark.xquad_r import benchmark_xquad_r
from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadInput
from retrieval.evaluation import rankings
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.gate import GateRule, GateVerdict
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


def run_miracl(
    data: Path,
    encoder: str | None,
    wanted: Wanted,
    *,
    split: str,
    languages: Sequence[str],
    measures: str,
    seed: int,
) -> Outcome:
    """MIRACL's protocol over the languages of `data`."""
    extra = parse_measures(measures) if measures.strip() else ()
    files = find_miracl(data, split=split, languages=languages)
    done = benchmark_miracl(
        files, Encoder.load(encoder or COMPACT), measures=extra, seed=seed, progress=True
    )
    return conclude(
        done.report, done.per_query, wanted, files=done.files, index={"kind": "exact"}, seed=seed
    )


def run_domain_shift(
    config_file: Path, *, compare: Path | None, rules: Sequence[GateRule]
) -> Outcome:
    """Strategies in and out of their domain.

    compare: an earlier result; the strategies that both have are compared out of domain, and the
    rules say whether one dropped.
    """
    config = load_domain_shift(config_file)
    earlier = {} if compare is None else read_domain_shift(compare)
    domains, strategies = measure_strategies(config, Encoder.load, progress=_say)
    pairs = strategy_pairs(list(strategies), config.baseline)
    report: dict[str, object] = {
        **header(config, domains),
        "strategies": {
            name: strategy_figures(runs, seed=config.seed) for name, runs in strategies.items()
        },
        "comparisons": compare_strategies(strategies, pairs, seed=config.seed),
        "provenance": provenance([config_file], {"kind": "exact"}),
    }
    shared = {name: earlier[name] for name in strategies if name in earlier}
    if compare is not None and not shared:
        raise BadInput("it has none of these strategies", path=compare)
    verdicts: list[GateVerdict] = []
    comparisons = {
        name: compare_per_query(strategies[name].mean(OUT_OF_DOMAIN), values, seed=config.seed)
        for name, values in shared.items()
    }
    for comparison in comparisons.values():
        verdicts += [rule.check(comparison) for rule in rules]
    if compare is not None:
        report["comparison"] = {name: found.to_json() for name, found in comparisons.items()}
        report["gates"] = [verdict.to_json() for verdict in verdicts]
    return Outcome(report=report, verdicts=verdicts)


def _say(line: str) -> None:
    """Progress, where somebody is watching."""
    if sys.stderr.isatty():
        typer.echo(line, err=True)
