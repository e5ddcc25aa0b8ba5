"""`synglot index`: build and manage corpora. Each command parses and calls one function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer import updating
from indexer.build import build_corpus, choose_encoder
from indexer.chunking import Chunker, ChunkOptions
from indexer.languages import Languages
from indexer.options import (
    DEFAULT_ROOT,
    KIND_HELP,
    RECALL_HELP,
    Activate,
    Detect,
    Inputs,
    Json,
    LangOption,
    MaxTokens,
    Name,
    Overlap,
    Root,
    VersionOption,
)
from indexer.printing import build_lines, empty_lines, manifest_lines, show_figures, starred
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, CorruptVersion
from retrieval.formats.corpus import corpus_inputs, read_corpus
from retrieval.formats.files import check_target
from retrieval.store import Store, check_name
from retrieval.types import UNDECLARED
from retrieval.vectors import AUTO, TARGET_RECALL, IndexOptions

app = typer.Typer(
    help="Build and manage corpora: searchable, versioned collections of passages.",
    no_args_is_help=True,
)


@app.command()
def build(
    name: Name,
    inputs: Inputs,
    lang: LangOption = UNDECLARED,
    detect: Detect = True,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Encoder folder or hub name; by default the corpus' own, else the bundled one.",
        ),
    ] = None,
    root: Root = DEFAULT_ROOT,
    kind: Annotated[str, typer.Option(metavar="KIND", help=KIND_HELP)] = AUTO,
    recall: Annotated[float, typer.Option(metavar="R", help=RECALL_HELP)] = TARGET_RECALL,
    lexical: Annotated[
        bool,
        typer.Option("--lexical/--no-lexical", help="Keep a BM25 index for hybrid search."),
    ] = True,
    activate: Activate = True,
    max_tokens: MaxTokens = None,
    overlap: Overlap = 0,
    json: Json = None,
) -> None:
    """Build a new version of corpus NAME from files and publish it.

    A passage is a line such as
    {"id": "de-1", "text": "Der Bus fährt alle zehn Minuten.", "lang": "de"};
    BEIR, MIRACL, CSV, TSV, Parquet and LAReQA files are read, too, .gz and .zst included.
    A text or Markdown file is one document; its id is its path in the folder given.
    A language that nobody declares is detected; where it cannot be told, it stays und.
    Until the new version is complete, readers see the old one; it stays for a rollback.

    The index is exact while that is fast, approximate beyond; the output says which and why, and
    how much of the exact results it finds, overall and in the language that fares worst.

    Example: synglot index build city --input passages.jsonl --lang de
    Example: synglot index build handbook --input docs/ --max-tokens 200 --overlap 30
    Example: synglot index build city --input passages.jsonl --kind hnsw --recall .99
    """
    check_target(json)
    check_name(name)
    index = IndexOptions(kind=kind, target_recall=recall)
    store = Store(root)
    files = corpus_inputs(inputs)
    options = ChunkOptions(max_tokens=max_tokens, overlap=overlap)
    loaded = Encoder.load(choose_encoder(store, name, encoder))
    languages, chunker = Languages(detect=detect), Chunker(loaded, options)
    empty: list[Path] = []
    passages = read_corpus(files, default_lang=lang, split=chunker.split, on_empty=empty.append)
    report = build_corpus(
        name,
        languages.of(passages),
        store=store,
        encoder=loaded,
        index=index,
        lexical=lexical,
        activate=activate,
        progress=True,
    )
    skipped: dict[str, object] = {"empty_files": [str(path) for path in empty]}
    figures = report.to_json() | languages.to_json() | chunker.to_json() | skipped
    notes = [*languages.lines(), *chunker.lines(), *empty_lines(empty)]
    show_figures(figures, [*build_lines(report), *notes], json)


@app.command("list")
def list_corpora(root: Root = DEFAULT_ROOT, json: Json = None) -> None:
    """List the corpora with their versions; '*' marks the active one.

    Example: synglot index list --root ./synglot-data --json -
    """
    store = Store(root)
    corpora = [_listed(store, name) for name in store.corpora()]
    lines = [
        f"{c['name']}: {starred(c['versions'], c['active'])} {c.get('trouble', '')}".rstrip()
        for c in corpora
    ]
    show_figures({"corpora": corpora}, lines or [f"no corpora under {root}"], json)


@app.command()
def show(
    name: Name, version: VersionOption = None, root: Root = DEFAULT_ROOT, json: Json = None
) -> None:
    """Describe a version: passages by language, encoder, index, size.

    Example: synglot index show city --version v000002
    """
    manifest = Store(root).manifest(name, version)
    show_figures(manifest.model_dump(mode="json"), manifest_lines(manifest), json)


@app.command()
def verify(name: Name, version: VersionOption = None, root: Root = DEFAULT_ROOT) -> None:
    """Compare every file of a version with its checksum, and ask it some of its own passages.

    Stored vectors that are searched for must find themselves, and counts must agree.

    Example: synglot index verify city
    """
    store = Store(root)
    manifest = store.verify(name, version)
    store.verified_encoder(name, manifest.version)
    typer.echo(
        f"{name} {manifest.version}: {manifest.counts.total:,} passages, "
        "all files and the encoder intact, and its vectors find themselves"
    )


@app.command()
def activate(
    name: Name,
    version: Annotated[str, typer.Argument(metavar="VERSION", show_default=False)],
    root: Root = DEFAULT_ROOT,
) -> None:
    """Make VERSION the one that is searched.

    Example: synglot index activate city v000002
    """
    Store(root).activate(name, version)
    typer.echo(f"{name}: {version} is active")


@app.command()
def rollback(name: Name, root: Root = DEFAULT_ROOT) -> None:
    """Go back to the version published before the active one.

    Example: synglot index rollback city
    """
    typer.echo(f"{name}: {Store(root).rollback(name)} is active")


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Remove corpus NAME with all its versions.

    Example: synglot index delete city --yes
    """
    store = Store(root)
    versions = store.versions(name)
    if not yes:
        _confirm(f"Remove {name} with its {len(versions)} version(s)?")
    store.delete(name)
    typer.echo(f"{name} is removed")


def _confirm(question: str) -> None:
    """Ask; anything but yes ends the command. Raises BadInput where nobody is there to answer."""
    try:
        agreed = typer.confirm(question)
    except typer.Abort as error:
        raise BadInput("nobody answered", fix="Give --yes to go on without asking.") from error
    if not agreed:
        raise typer.Exit(1)


def _listed(store: Store, name: str) -> dict[str, object]:
    """What the list tells of a corpus; one that is damaged is listed with its trouble."""
    versions = store.versions(name)
    try:
        return {"name": name, "active": store.active(name), "versions": versions}
    except CorruptVersion as error:
        return {"name": name, "active": None, "versions": versions, "trouble": str(error)}


for _command in (updating.add, updating.remove, updating.reindex, updating.prune):
    app.command()(_command)
