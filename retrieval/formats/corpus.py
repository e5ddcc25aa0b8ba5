"""Corpora: passages out of JSONL, BEIR, MIRACL, Parquet, CSV, TSV, LAReQA and text files.

A record is `{"id", "text", "title"?, "lang"?, "url"?, "metadata"?, "document"?, "start"?}`; its id
may also be called `_id` (BEIR) or `docid` (MIRACL), its metadata may be JSON in a cell, and its
other fields are kept as metadata. LAReQA's `LANG.json` holds a sentence a passage, with the id
`LANG-paragraph-sentence`. A text or Markdown file is one document (see `documents`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import orjson

from retrieval.errors import DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats import documents, lareqa, tables
from retrieval.formats.files import (
    Input,
    named_inputs,
    optional_text,
    parse_object,
    required_text,
)
from retrieval.languages import parse_language
from retrieval.types import UNDECLARED, Passage

ENDINGS = (*tables.ENDINGS, *lareqa.ENDINGS)

Split = Callable[[Passage, Path], Iterable[Passage]]
"""A passage and the file it was read from, to the passages it becomes: itself, or its chunks."""

_ID_FIELDS = ("id", "_id", "docid")
_OWN_FIELDS = frozenset(
    {*_ID_FIELDS, "text", "title", "lang", "url", "metadata", "document", "start"}
)


def corpus_inputs(inputs: Iterable[str]) -> list[Input]:
    """Files of a corpus named by paths, folders, globs or `-`.

    Of a folder, its records are taken; where it has none, its text and Markdown files.
    Raises BadInput for a name that matches nothing.
    """
    return named_inputs(inputs, endings=ENDINGS, otherwise=documents.ENDINGS)


def read_corpus(
    inputs: Iterable[Path | Input],
    *,
    default_lang: str = UNDECLARED,
    split: Split | None = None,
    on_empty: Callable[[Path], None] = lambda _: None,
) -> Iterator[Passage]:
    """Every passage of the files, in order, one at a time; only the ids stay in memory.

    default_lang: of passages that declare none.
    split: what cuts long passages; by default they stay whole.
    on_empty: hears of each text file that was skipped because nothing is in it.
    Raises MalformedFile, DuplicateId (over all files), UnknownLanguage, BadInput.
    """
    default_lang = parse_language(default_lang)
    seen: set[str] = set()
    for given in inputs:
        file = given if isinstance(given, Input) else Input(path=given, name=given.name)
        for line, passage in _passages(file, default_lang, on_empty):
            _claim(passage.id, seen, file.path, line)
            for part in split(passage, file.path) if split else (passage,):
                if part.id != passage.id:
                    _claim(part.id, seen, file.path, line)
                yield part


def _claim(identifier: str, seen: set[str], path: Path, line: int | None) -> None:
    if identifier in seen:
        raise DuplicateId(
            f"passage id {identifier!r} occurs twice",
            path=path,
            line=line,
            fix="Give every passage of a corpus its own id; "
            "the chunks of a document DOC are DOC#1, DOC#2 and so on.",
        )
    seen.add(identifier)


def write_corpus(passages: Iterable[Passage], path: Path) -> None:
    """Passages as plain JSONL; fields that are empty are left out."""
    with path.open("wb") as stream:
        for passage in passages:
            stream.write(orjson.dumps(_record(passage), option=orjson.OPT_APPEND_NEWLINE))


def parse_passage(
    record: dict[str, object], *, path: Path, line: int, default_lang: str = UNDECLARED
) -> Passage:
    """One record as a passage. Raises MalformedFile, UnknownLanguage."""
    return Passage(
        id=required_text(record, *_ID_FIELDS, path=path, line=line),
        text=required_text(record, "text", path=path, line=line),
        title=optional_text(record, "title", path=path, line=line),
        lang=_lang(record, default_lang, path=path, line=line),
        url=optional_text(record, "url", path=path, line=line),
        metadata=_metadata(record, path=path, line=line),
        document=optional_text(record, "document", path=path, line=line),
        start=_start(record, path=path, line=line),
    )


def _passages(
    file: Input, default_lang: str, on_empty: Callable[[Path], None]
) -> Iterator[tuple[int | None, Passage]]:
    path = file.path
    if path.name.endswith(lareqa.ENDINGS):
        for passage in lareqa.read_lareqa_file(path).passages:
            yield None, passage
    elif documents.is_document(path):
        record = documents.read_document(path, name=file.name)
        if record is None:
            on_empty(path)
        else:
            yield None, parse_passage(record, path=path, line=1, default_lang=default_lang)
    else:
        for line, record in tables.read_records(path):
            yield line, parse_passage(record, path=path, line=line, default_lang=default_lang)


def _start(record: dict[str, object], *, path: Path, line: int) -> int:
    found = record.get("start", 0)
    cell = isinstance(found, str) and found.isdecimal()  # of a table
    if not cell and (not isinstance(found, int) or isinstance(found, bool) or found < 0):
        raise MalformedFile(
            f"field 'start' is {found!r:.40}, expected a number of characters", path=path, line=line
        )
    return int(str(found))


def _lang(record: dict[str, object], default_lang: str, *, path: Path, line: int) -> str:
    try:
        declared = parse_language(record.get("lang"))
    except UnknownLanguage as error:
        raise UnknownLanguage(error.what, path=path, line=line, fix=error.fix) from error
    return default_lang if declared == UNDECLARED else declared


def _metadata(record: dict[str, object], *, path: Path, line: int) -> dict[str, object]:
    declared = record.get("metadata") or {}
    if isinstance(declared, str):  # a cell of a table
        declared = parse_object(declared, path=path, line=line)
    if not isinstance(declared, dict):
        raise MalformedFile(
            f"field 'metadata' is {type(declared).__name__}, expected an object",
            path=path,
            line=line,
        )
    others = {name: value for name, value in record.items() if name not in _OWN_FIELDS}
    kept = {name: value for name, value in others.items() if value is not None} | declared
    return {name: _plain(value) for name, value in kept.items()}


def _plain(value: object) -> object:
    """`value` where JSON has its type, else as text: Parquet and YAML know dates, and more."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _record(passage: Passage) -> dict[str, object]:
    record: dict[str, object] = {"id": passage.id, "text": passage.text}
    optional = {"title": passage.title, "url": passage.url, "metadata": dict(passage.metadata)}
    record |= {name: value for name, value in optional.items() if value}
    if passage.lang != UNDECLARED:
        record["lang"] = passage.lang
    if passage.document:
        record |= {"document": passage.document, "start": passage.start}
    return record
