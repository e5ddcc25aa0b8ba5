"""`synglot benchmark`: published protocols on public data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import (
    BalanceOption,
    Compare,
    Csv,
    EncoderOption,
    Gates,
    ModeOption,
    ReportFile,
    RunFile,
    Seed,
)
from indexer.options import Json
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode

commands = typer.Typer(help="Published protocols on public data.", no_args_is_help=True)


@commands.command("xquad-r")
def xquad_r(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of LANG.json[.gz].")],
    encoder: EncoderOption = None,
    mode: ModeOption = Mode.DENSE,
    balance: BalanceOption = Balance.NONE,
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
    outcome = run_xquad_r(
        data, encoder, wanted, mode=mode, balance=balance, measures=measures, seed=seed
    )
    publish(outcome, wanted, benchmark_as_text)


@commands.command("miracl")
def miracl(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with topics, qrels and corpora below it.")
    ],
    languages: Annotated[str, typer.Option(metavar="CODES", help="Only these, as in yo,sw.")] = "",
    split: Annotated[str, typer.Option(help="dev, or another that the folder has.")] = "dev",
    encoder: EncoderOption = None,
    measures: Annotated[
        str, typer.Option(help="Beside those of the protocol; separated by spaces.")
    ] = "",
    report: ReportFile = None,
    csv: Csv = None,
    json: Json = None,
    compare: Compare = None,
    gate: Gates = None,
    seed: Seed = 0,
) -> None:
    """MIRACL: each language's topics on its own corpus, nDCG@10 and Recall@100, exact search.

    Example: synglot benchmark miracl --data miracl --languages yo,sw
    """
    from app.benchmarks import run_miracl
    from app.outcome import Wanted, publish
    from app.shell import miracl_as_text

    wanted = Wanted.of(json=json, csv=csv, report=report, compare=compare, gates=gate)
    outcome = run_miracl(
        data,
        encoder,
        wanted,
        split=split,
        languages=[code.strip() for code in languages.split(",") if code.strip()],
        measures=measures,
        seed=seed,
    )
    publish(outcome, wanted, miracl_as_text)


@commands.command("domain-shift")
def domain_shift(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    json: Json = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="OTHER.json", help="An earlier result of this command."),
    ] = None,
    gate: Gates = None,
) -> None:
    """Strategies in and out of the domain they were trained on: MRR, drops, paired comparisons.

    The configuration names parallel files (in domain), a folder of LAReQA's layout (out of domain)
    and the encoders of each strategy, one a seed; docs/examples/domain-shift.yaml is one.

    Example: synglot benchmark domain-shift shift.yaml --json shift.json
    """
    from app.benchmarks import run_domain_shift
    from app.outcome import Wanted, parse_gates, publish
    from app.shell import domain_shift_as_text

    wanted = Wanted.of(json=json, csv=None, report=None, compare=None, gates=None)
    outcome = run_domain_shift(config, compare=compare, rules=parse_gates(gate, compare))
    publish(outcome, wanted, domain_shift_as_text)
