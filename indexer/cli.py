"""`synglot index`: build and manage corpora. Each command parses and calls one function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.build import BuildReport, build_corpus, choose_encoder
from indexer.chunking import Chunker, ChunkOptions
from indexer.languages import Languages
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, CorruptVersion
from retrieval.formats.corpus import corpus_inputs, read_corpus
from retrieval.formats.files import check_target, write_json
from retrieval.store import Manifest, RecallRecord, SpeedRecord, Store, check_name
from retrieval.types import UNDECLARED
from retrieval.vectors import AS_ASKED, AUTO, TARGET_RECALL, IndexKind, IndexOptions

app = typer.Typer(
    help="Build and manage corpora: searchable, versioned collections of passages.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The corpus.", show_default=False)]
Root = Annotated[Path, typer.Option(metavar="DIR", help="Folder that holds the corpora.")]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="F", help="Write the figures to a file as JSON, '-' to print."),
]
VersionOption = Annotated[
    str | None, typer.Option(metavar="V", help="A version; by default the active one.")
]

_KINDS = ", ".join(kind for kind in IndexKind if kind is not IndexKind.FACTORY)

DEFAULT_ROOT = Path("synglot-data")


@app.command()
def build(
    name: Name,
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            metavar="PATH",
            help="File, folder, glob, or '-' for standard input; may be given again.",
        ),
    ],
    lang: Annotated[
        str, typer.Option(metavar="CODE", help="Language of passages that declare none.")
    ] = UNDECLARED,
    detect: Annotated[
        bool, typer.Option(help="Detect the language of passages that have none otherwise.")
    ] = True,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Encoder folder or hub name; by default the corpus' own, else the bundled one.",
        ),
    ] = None,
    root: Root = DEFAULT_ROOT,
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help=f"Kind of index: auto (by size), {_KINDS}, or a string of faiss' index factory.",
        ),
    ] = AUTO,
    recall: Annotated[
        float,
        typer.Option(
            metavar="R", help="Recall@10 against exact search to tune an approximate index to."
        ),
    ] = TARGET_RECALL,
    lexical: Annotated[
        bool,
        typer.Option("--lexical/--no-lexical", help="Keep a BM25 index for hybrid search."),
    ] = True,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Serve the new version at once.")
    ] = True,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Cut documents longer than N tokens between sentences, 0: never. [default: where "
            "the encoder would not read all; text and Markdown files at 256]",
        ),
    ] = None,
    overlap: Annotated[
        int,
        typer.Option(metavar="M", help="Begin each chunk with up to M tokens of the one before."),
    ] = 0,
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
    notes = [*languages.lines(), *chunker.lines(), *_empty_lines(empty)]
    _show(figures, [*_build_lines(report), *notes], json)


@app.command("list")
def list_corpora(root: Root = DEFAULT_ROOT, json: Json = None) -> None:
    """List the corpora with their versions; '*' marks the active one.

    Example: synglot index list --root ./synglot-data --json -
    """
    store = Store(root)
    corpora = [_listed(store, name) for name in store.corpora()]
    lines = [
        f"{c['name']}: {_starred(c['versions'], c['active'])} {c.get('trouble', '')}".rstrip()
        for c in corpora
    ]
    _show({"corpora": corpora}, lines or [f"no corpora under {root}"], json)


@app.command()
def show(
    name: Name, version: VersionOption = None, root: Root = DEFAULT_ROOT, json: Json = None
) -> None:
    """Describe a version: passages by language, encoder, index, size.

    Example: synglot index show city --version v000002
    """
    manifest = Store(root).manifest(name, version)
    _show(manifest.model_dump(mode="json"), _manifest_lines(manifest), json)


@app.command()
def verify(name: Name, version: VersionOption = None, root: Root = DEFAULT_ROOT) -> None:
    """Compare every file of a version with its checksum and open it.

    Example: synglot index verify city
    """
    store = Store(root)
    manifest = store.verify(name, version)
    store.verified_encoder(name, manifest.version)
    typer.echo(
        f"{name} {manifest.version}: {manifest.counts.total:,} passages, "
        "all files and the encoder intact"
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


def _show(figures: dict[str, object], lines: list[str], json: str | None) -> None:
    """Figures to where `--json` points; the lines for a reader unless JSON is printed."""
    if json is not None:
        write_json(figures, json)
    if json != "-":
        typer.echo("\n".join(lines))


def _build_lines(report: BuildReport) -> list[str]:
    state = "active" if report.active else "waiting: activate it with `synglot index activate`"
    seconds = f"built in {report.seconds:.1f} s, {state}"
    return [*_manifest_lines(report.manifest), seconds]


def _empty_lines(empty: list[Path]) -> list[str]:
    if not empty:
        return []
    shown = ", ".join(map(str, empty[:3])) + (", ..." if len(empty) > 3 else "")
    return [f"skipped: {len(empty):,} empty files ({shown})"]


def _manifest_lines(manifest: Manifest) -> list[str]:
    languages = sorted(manifest.counts.languages.items(), key=lambda item: (-item[1], item[0]))
    return [
        f"{manifest.corpus} {manifest.version}: {manifest.counts.total:,} passages",
        "languages: " + ", ".join(f"{code} {count:,}" for code, count in languages),
        f"encoder: {manifest.encoder.fingerprint} ({manifest.encoder.path})",
        *_index_lines(manifest),
    ]


def _index_lines(manifest: Manifest) -> list[str]:
    """The index, why it is the one, and what its build measured."""
    index = manifest.index
    size = f"{manifest.dim} dimensions, {manifest.size / 1e6:,.1f} MB"
    settings = [f"{key} {value}" for key, value in index.parameters.items() if key != "faiss"]
    detail = f" ({', '.join(settings)})" if settings else ""
    because = "" if index.reason in ("", AS_ASKED) else f" because {index.reason}"
    lines = [f"index: {index.kind}{detail}, {size}{because}"]
    if index.recall is not None and index.speed is not None:
        lines += [_recall_line(index.recall), _speed_line(index.speed)]
    return lines


def _recall_line(recall: RecallRecord) -> str:
    below = "" if recall.overall >= recall.target else f", below the {recall.target:g} asked for"
    worst = ""
    if recall.worst is not None:
        code, found = recall.worst
        worst = f", lowest in {code}: {found.recall:.3f} ({found.queries} queries)"
    return (
        f"recall@{recall.k} against exact search: {recall.overall:.3f}{below}{worst}; "
        f"{recall.queries} passages as queries"
    )


def _speed_line(speed: SpeedRecord) -> str:
    return (
        f"one query on one core: {speed.ms:.2f} ms, exact search {speed.exact_ms:.2f} ms "
        f"({speed.ratio:.1f} x)"
    )


def _starred(versions: object, active: object) -> str:
    names = versions if isinstance(versions, list) else []
    return ", ".join(f"{name}*" if name == active else str(name) for name in names)
