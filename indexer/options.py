"""Options that several commands of `synglot index` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrieval.vectors import IndexKind

DEFAULT_ROOT = Path("synglot-data")

_KINDS = ", ".join(kind for kind in IndexKind if kind is not IndexKind.FACTORY)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The corpus.", show_default=False)]
Root = Annotated[Path, typer.Option(metavar="DIR", help="Folder that holds the corpora.")]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="F", help="Write the figures to a file as JSON, '-' to print."),
]
VersionOption = Annotated[
    str | None, typer.Option(metavar="V", help="A version; by default the active one.")
]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        metavar="PATH",
        help="File, folder, glob, or '-' for standard input; may be given again.",
    ),
]
LangOption = Annotated[
    str, typer.Option(metavar="CODE", help="Language of passages that declare none.")
]
Detect = Annotated[
    bool, typer.Option(help="Detect the language of passages that have none otherwise.")
]
KIND_HELP = f"Kind of index: auto (by size), {_KINDS}, or a string of faiss' index factory."
RECALL_HELP = "Recall@10 against exact search to tune an approximate index to."
Activate = Annotated[
    bool, typer.Option("--activate/--no-activate", help="Serve the new version at once.")
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Cut documents longer than N tokens between sentences, 0: never. By default "
        "where the encoder would not read all; text and Markdown files at 256.",
    ),
]
Overlap = Annotated[
    int,
    typer.Option(metavar="M", help="Begin each chunk with up to M tokens of the one before."),
]
