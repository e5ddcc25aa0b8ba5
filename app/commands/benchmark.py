"""`synglot benchmark`: published protocols on public data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import (
    Compare,
    Csv,
    EncoderOption,
    Gates,
    ReportFile,
    RunFile,
    Seed,
)
from indexer.cli import Json

commands = typer.Typer(help="Published protocols on public data.", no_args_is_help=True)


@commands.command("xquad-r")
def xquad_r(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of LANG.json[.gz].")],
    encoder: EncoderOption = None,
    measures: Annotated[
        str, typer.Option(help="Beside those of the protocol; separated by spaces.")
    ] = "nDCG@10 Recall@100",
    run: RunFile = None,
    report: ReportFile = None,
    csv: Csv = None,
    json: Json = None,
    compare: Compare = None,
    gate: Gates = None,
    seed: Seed = 0,
) -> None:
    """XQuAD-R (LAReQA): monolingual, cross-lingual and multilingual retrieval, exact search.

    Example: synglot benchmark xquad-r --data lareqa/xquad-r --json figures.json
    """
    from app.benchmarks import run_xquad_r
    from app.outcome import Wanted, publish
    from app.shell import benchmark_as_text

    wanted = Wanted.of(json=json, csv=csv, report=report, run=run, compare=compare, gates=gate)
    outcome = run_xquad_r(data, encoder, wanted, measures=measures, seed=seed)
    publish(outcome, wanted, benchmark_as_text)
