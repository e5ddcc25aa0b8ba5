"""The commands of `synglot index` that make a version from another, and that remove old ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

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
from indexer.printing import build_lines, empty_lines, show_figures
from indexer.update import (
    UpdateOptions,
    add_passages,
    reindex_corpus,
    remove_passages,
    same_index,
)
from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.formats.corpus import corpus_inputs, read_corpus
from retrieval.formats.files import check_target, read_lines
from retrieval.store import Store
from retrieval.types import UNDECLARED, Passage
from retrieval.vectors import IndexOptions

Kind = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help=f"{KIND_HELP} By default as that version's.",
    ),
]
Recall = Annotated[
    float | None, typer.Option(metavar="R", help=f"{RECALL_HELP} By default as that version's.")
]


def add(
    name: Name,
    inputs: Inputs,
    version: VersionOption = None,
    lang: LangOption = UNDECLARED,
    detect: Detect = True,
    root: Root = DEFAULT_ROOT,
    kind: Kind = None,
    recall: Recall = None,
    activate: Activate = True,
    max_tokens: MaxTokens = None,
    overlap: Overlap = 0,
    json: Json = None,
) -> None:
    """Add passages to corpus NAME; those with an id that it has replace the old ones.

    The result is a new version; the old one stays for a rollback. Files are read as `index build`
    reads them. A document that is given again replaces all chunks of the old one.
    Only texts that the old version does not have are encoded.
    Where another version became active meanwhile, nothing is published: run it again.

    Example: synglot index add city --input more.jsonl --lang de
    Example: synglot index add handbook --input docs/ --no-activate
    """
    check_target(json)
    store, files = Store(root), corpus_inputs(inputs)
    chunk_options = ChunkOptions(max_tokens=max_tokens, overlap=overlap)
    options = _options(store, name, version, kind, recall, activate=activate)
    encoder = store.load_encoder(name, options.version)
    languages, chunker = Languages(detect=detect), Chunker(encoder, chunk_options)
    records: set[str] = set()
    empty: list[Path] = []

    def split(passage: Passage, path: Path) -> Iterable[Passage]:
        records.add(passage.id)
        return chunker.split(passage, path)

    passages = read_corpus(files, default_lang=lang, split=split, on_empty=empty.append)
    report = add_passages(
        name,
        languages.of(passages),
        store=store,
        encoder=encoder,
        records=records,
        options=options,
    )
    skipped: dict[str, object] = {"empty_files": [str(path) for path in empty]}
    figures = report.to_json() | languages.to_json() | chunker.to_json() | skipped
    notes = [*languages.lines(), *chunker.lines(), *empty_lines(empty)]
    show_figures(figures, [*build_lines(report), *notes], json)


def remove(
    name: Name,
    identifiers: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="A passage or a document; may be given again."),
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with an id a line.")
    ] = None,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Pass over ids that the corpus does not have.")
    ] = False,
    version: VersionOption = None,
    root: Root = DEFAULT_ROOT,
    kind: Kind = None,
    recall: Recall = None,
    activate: Activate = True,
    json: Json = None,
) -> None:
    """Remove passages from corpus NAME; the id of a document removes all of its chunks.

    The result is a new version; nothing is encoded. `index prune` removes the old texts from disk.

    Example: synglot index remove city --id de-1 --id de-2
    Example: synglot index remove city --ids outdated.txt --missing-ok
    """
    check_target(json)
    wanted = {*(identifiers or ()), *_ids_in(ids)}
    if not wanted:
        raise BadInput("no ids to remove", fix="Give --id ID or --ids FILE.")
    store = Store(root)
    options = _options(store, name, version, kind, recall, activate=activate)
    report = remove_passages(
        name,
        wanted,
        store=store,
        encoder=store.load_encoder(name, options.version),
        missing_ok=missing_ok,
        options=options,
    )
    if report is None:
        figures: dict[str, object] = {"corpus": name, "version": options.version, "removed": 0}
        show_figures(figures, [f"{name} has none of them; no version was published"], json)
    else:
        show_figures(report.to_json(), build_lines(report), json)


def reindex(
    name: Name,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Encoder folder or hub name; by default the same one."),
    ] = None,
    version: VersionOption = None,
    root: Root = DEFAULT_ROOT,
    kind: Kind = None,
    recall: Recall = None,
    activate: Activate = True,
    json: Json = None,
) -> None:
    """Make a new version of corpus NAME with another kind of index, or another encoder.

    Passages are those stored, so no file is read again. With the same encoder, nothing is encoded.

    Example: synglot index reindex city --kind hnsw --recall .99
    Example: synglot index reindex city --encoder runs/hybrid --no-activate
    """
    check_target(json)
    store = Store(root)
    options = _options(store, name, version, kind, recall, activate=activate)
    loaded = store.load_encoder(name, options.version) if encoder is None else Encoder.load(encoder)
    report = reindex_corpus(name, store=store, encoder=loaded, options=options)
    show_figures(report.to_json(), build_lines(report), json)


def prune(
    name: Name,
    keep: Annotated[int, typer.Option(metavar="N", help="Keep the newest N versions.")] = 2,
    root: Root = DEFAULT_ROOT,
    json: Json = None,
) -> None:
    """Remove old versions of corpus NAME, and encoders that no version needs any more.

    The active version and the one that a rollback would go to always stay.

    Example: synglot index prune city --keep 3
    """
    check_target(json)
    pruned = Store(root).prune(name, keep=keep)
    figures: dict[str, object] = {
        "corpus": name,
        "versions": list(pruned.versions),
        "encoders": list(pruned.encoders),
        "bytes": pruned.bytes,
    }
    removed = f"removed: {', '.join(pruned.versions) or 'no version'}"
    encoders = f"; encoders {', '.join(pruned.encoders)}" if pruned.encoders else ""
    show_figures(figures, [f"{name}: {removed}{encoders}; {pruned.bytes:,} bytes freed"], json)


def _options(
    store: Store,
    name: str,
    version: str | None,
    kind: str | None,
    recall: float | None,
    *,
    activate: bool,
) -> UpdateOptions:
    """With both versions resolved at once, so that encoder and passages belong together."""
    active = store.manifest(name).version
    manifest = store.manifest(name, version or active)
    same = same_index(manifest)
    index = IndexOptions(
        kind=same.kind if kind is None else kind,
        target_recall=same.target_recall if recall is None else recall,
    )
    return UpdateOptions(
        version=manifest.version, active=active, index=index, activate=activate, progress=True
    )


def _ids_in(path: Path | None) -> list[str]:
    """The ids of a file, one a line. Raises BadInput where it cannot be read."""
    if path is None:
        return []
    return [line for _, line in read_lines(path)]
