"""Benchmarks from the shell: the protocol, then what was asked for beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from app.evaluations import parse_measures
from app.outcome import Outcome, Wanted, check_gates, conclude, provenance
from retrieval.benchmark.domain_report import compare_strategies, strategy_figures
from retrieval.benchmark.domain_saved import SavedDomainShift, read_domain_shift
from retrieval.benchmark.domain_shift import (
    OUT_OF_DOMAIN,
    DomainShiftConfig,
    header,
    load_domain_shift,
    measure_strategies,
    strategy_pairs,
)
from retrieval.benchmark.miracl import MEASURES, benchmark_miracl, find_miracl
from retrieval.benchmark.xquad_r import POOLED, RESTRICTED, Benchmarked, benchmark_xquad_r
from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadInput
from retrieval.evaluation import rankings
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.gate import GateRule
from retrieval.evaluation.worst import worst_queries
from retrieval.formats.runs import write_run
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode

_WORST_BY = "MRR@10"


def run_xquad_r(
    data: Path,
    encoder: str | None,
    wanted: Wanted,
    *,
    mode: Mode,
    balance: Balance,
    measures: str,
    seed: int,
) -> Outcome:
    """The XQuAD-R protocol over `data`; a TREC run of the pool is written where one is wanted."""
    extra = parse_measures(measures) if measures.strip() else ()
    wanted.check_measures((*POOLED.values(), *RESTRICTED.values(), *extra))
    with TemporaryDirectory(prefix="synglot-xquad-r-") as scratch:
        done = benchmark_xquad_r(
            data,
            Encoder.load(encoder or COMPACT),
            mode=mode,
            balance=balance,
            scratch=Path(scratch),
            measures=extra,
            seed=seed,
            progress=True,
        )
        if wanted.run is not None:
            write_run(rankings(done.query_set.queries, done.ranker, progress=True), wanted.run)
        report = {**done.to_json(), "worst": _worst(done)}
    return conclude(
        report,
        done.evaluation.per_query,
        wanted,
        files=done.files,
        index={"kind": "exact", "passages": len(done.passages)},
        seed=seed,
    )


def _worst(done: Benchmarked) -> dict[str, object]:
    queries = worst_queries(
        done.evaluation.ranked,
        done.evaluation.per_query,
        done.ranker,
        done.query_set.qrels,
        measure=_WORST_BY,
        passage_at=done.passages.__getitem__,
    )
    return {"measure": _WORST_BY, "queries": queries}


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
    wanted.check_measures((*MEASURES, *extra))
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
    earlier = None if compare is None else _earlier(config, compare, rules)
    domains, strategies = measure_strategies(config, Encoder.load, progress=_say)
    pairs = strategy_pairs(list(strategies), config.baseline)
    report: dict[str, object] = {
        **header(config, domains),
        "strategies": {
            name: strategy_figures(runs, seed=config.seed) for name, runs in strategies.items()
        },
        "comparisons": compare_strategies(strategies, pairs, seed=config.seed),
        "provenance": provenance([config_file, *domains.files], {"kind": "exact"}),
    }
    if earlier is None:
        return Outcome(report=report)
    earlier.check_same_pool(domains)
    comparisons = {
        name: compare_per_query(runs.mean(OUT_OF_DOMAIN), values, seed=config.seed)
        for name, runs in strategies.items()
        if (values := earlier.strategies.get(name)) is not None
    }
    verdicts = [(name, r.check(found)) for name, found in comparisons.items() for r in rules]
    report["comparison"] = {name: found.to_json() for name, found in comparisons.items()}
    report["gates"] = [{"strategy": name, **verdict.to_json()} for name, verdict in verdicts]
    return Outcome(report=report, verdicts=verdicts)


def _earlier(
    config: DomainShiftConfig, compare: Path, rules: Sequence[GateRule]
) -> SavedDomainShift:
    """The earlier result. Raises BadInput where nothing of it can be compared, before the work."""
    earlier = read_domain_shift(compare)
    shared = [name for name in config.strategies if name in earlier.strategies]
    if not shared:
        raise BadInput("it has none of these strategies", path=compare)
    Wanted(rules=tuple(rules)).check_measures(config.to_measures())
    for name in shared:
        check_gates(rules, earlier.strategies[name], compare)
    return earlier


def _say(line: str) -> None:
    """Progress, where somebody is watching."""
    if sys.stderr.isatty():
        typer.echo(line, err=True)
