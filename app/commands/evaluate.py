"""`synglot evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import (
    DEFAULT_MEASURES,
    BalanceOption,
    Compare,
    Csv,
    EncoderOption,
    Gates,
    Languages,
    Measures,
    ModeOption,
    ReportFile,
    RunFile,
    Seed,
    Strict,
    codes,
)
from indexer.options import DEFAULT_ROOT, Json, Root, VersionOption
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode


def evaluate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The corpus.")],
    queries: Annotated[list[str], typer.Option(metavar="F", help="Query files; repeatable.")],
    qrels: Annotated[
        list[str] | None, typer.Option(metavar="F", help="Judgement files; repeatable.")
    ] = None,
    measures: Measures = DEFAULT_MEASURES,
    layout: Annotated[
        str | None, typer.Option("--format", help="beir, trec, miracl, lareqa or json.")
    ] = None,
    domains: Annotated[
        Path | None, typer.Option(metavar="F", help="TSV: query id, domain.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(metavar="F", help="TSV: query id, item its translations share.")
    ] = None,
    ranked: Annotated[
        Path | None,
        typer.Option(
            "--from-run", metavar="F", help="Measure this TREC run instead of searching the corpus."
        ),
    ] = None,
    mode: ModeOption = Mode.DENSE,
    balance: BalanceOption = Balance.NONE,
    languages: Languages = "",
    root: Root = DEFAULT_ROOT,
    version: VersionOption = None,
    encoder: EncoderOption = None,
    run: RunFile = None,
    run_depth: Annotated[int, typer.Option(min=1, help="Passages a query in --run.")] = 1000,
    report: ReportFile = None,
    csv: Csv = None,
    json: Json = None,
    compare: Compare = None,
    gate: Gates = None,
    seed: Seed = 0,
    strict: Strict = False,
) -> None:
    """Measure a query set on a corpus: the same code as the service's /evaluate.

    Examples:
    synglot evaluate demo --queries queries.jsonl --qrels qrels/test.tsv --json before.json;
    synglot evaluate demo --queries queries.jsonl --qrels qrels/test.tsv --compare before.json
    --gate 'MRR@10 drop<=0.01 per language' --report report.html

    """
    from app.offline import Request, evaluate_offline
    from app.outcome import Wanted, publish
    from app.shell import report_as_text
    from retrieval.search import SearchOptions

    wanted = Wanted.of(json=json, csv=csv, report=report, run=run, compare=compare, gates=gate)
    request = Request(
        root=root,
        corpus=name,
        queries=queries,
        qrels=qrels or (),
        domains=domains,
        groups=groups,
        layout=layout,
        measures=measures,
        version=version,
        encoder=encoder,
        search=SearchOptions(mode=mode, balance=balance, languages=codes(languages)),
        ranked=ranked,
        run_depth=run_depth,
        seed=seed,
        strict=strict,
    )
    publish(evaluate_offline(request, wanted), wanted, report_as_text)
