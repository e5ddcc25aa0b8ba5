"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrieval.search.balance import Balance
from retrieval.search.pool import Mode

EncoderOption = Annotated[
    str | None, typer.Option(metavar="PATH", help="Encoder folder or hub name.")
]
ModeOption = Annotated[
    Mode, typer.Option(help="How passages are scored: by vectors, by BM25 over subwords, by both.")
]
BalanceOption = Annotated[Balance, typer.Option(help="How languages share the ranking.")]
Languages = Annotated[
    str, typer.Option(metavar="CODES", help="Only passages in these, as in de,th.")
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="F", help="Write the figures as one tidy table.")
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="F.html", help="Write a report to read offline or print."),
]
RunFile = Annotated[Path | None, typer.Option("--run", metavar="F", help="Write a TREC run.")]
Compare = Annotated[
    Path | None,
    typer.Option(
        metavar="OTHER.json",
        help="Compare with an earlier evaluation of the same queries, saved with --json.",
    ),
]
Gates = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="RULE",
        help="Exit with 1 where a measure dropped against --compare, as in "
        "'MRR@10 drop<=0.01 per language' (or overall); repeatable.",
    ),
]
Seed = Annotated[int, typer.Option(help="Of resampling: the same seed gives the same intervals.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Treat what is doubtful about the query set as an error.")
]
Measures = Annotated[str, typer.Option(help="Names separated by spaces.")]


def codes(languages: str) -> tuple[str, ...]:
    """Language codes separated by commas."""
    return tuple(code.strip() for code in languages.split(",") if code.strip())


DEFAULT_MEASURES = "MRR@10 mAP nDCG@10 Recall@100"
