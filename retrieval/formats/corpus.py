"""Corpora: passages out of JSONL, BEIR, MIRACL, Parquet, CSV, TSV and LAReQA files.

A record is `{"id", "text", "title"?, "lang"?, "url"?, "metadata"?}`; its id may also be called
`_id` (BEIR) or `docid` (MIRACL), its metadata may be JSON in a cell, and its other fields are kept
as metadata. LAReQA's `LANG.json` holds a sentence a passage, with the id `LANG-paragraph-sentence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from retrieval.errors import DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats import lareqa, tables
from retrieval.formats.files import optional_text, parse_object, required_text
from retrieval.languages import parse_language
from retrieval.types import UNDECLARED, Passage

ENDINGS = (*tables.ENDINGS, *lareqa.ENDINGS)

_ID_FIELDS = ("id", "_id", "docid")
_OWN_FIELDS = frozenset({*_ID_FIELDS, "text", "title", "lang", "url", "metadata"})


def read_corpus(paths: Iterable[Path], *, default_lang: str = UNDECLARED) -> Iterator[Passage]:
    """Every passage of the files, in order, one at a time; only the ids stay in memory.

    default_lang: of passages that declare none.
    Raises MalformedFile, DuplicateId (over all files), UnknownLanguage, BadInput.
    """
    default_lang = parse_language(default_lang)
    seen: set[str] = set()
    for path in paths:
        for line, passage in _passages(path, default_lang):
            if passage.id in seen:
                raise DuplicateId(
                    f"passage id {passage.id!r} occurs twice",
                    path=path,
                    line=line,
                    fix="Give every passage of a corpus its own id.",
                )
            seen.add(passage.id)
            yield passage


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
    )


def _passages(path: Path, default_lang: str) -> Iterator[tuple[int | None, Passage]]:
    if path.name.endswith(lareqa.ENDINGS):
        for passage in lareqa.read_lareqa_file(path).passages:
            yield None, passage
        return
    for line, record in tables.read_records(path):
        yield line, parse_passage(record, path=path, line=line, default_lang=default_lang)


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
    """`value` where JSON has its type, else as text: Parquet knows dates, decimals and bytes."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _record(passage: Passage) -> dict[str, object]:
    record: dict[str, object] = {"id": passage.id, "text": passage.text}
    optional = {"title": passage.title, "url": passage.url, "metadata": dict(passage.metadata)}
    record |= {name: value for name, value in optional.items() if value}
    if passage.lang != UNDECLARED:
        record["lang"] = passage.lang
    return record
