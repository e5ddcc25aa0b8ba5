"""Parallel training data: one question and its passage, each in several languages.

A line of JSONL (plain, .gz or .zst) is a question with its passage,
`{"id", "source", "query": {lang: text}, "passage": {lang: text}, "negatives"?: {lang: [text]},
"group"?}`, or a plain translation unit, `{"id", "source", "text": {lang: text}}`. Parquet files
hold the same fields as columns. Other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from retrieval.errors import DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.files import optional_text, read_objects, required_text
from retrieval.formats.tables import read_records
from retrieval.languages import parse_language
from retrieval.types import ParallelItem

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")


def read_parallel(paths: Iterable[Path]) -> Iterator[ParallelItem]:
    """Every item of the files, in order. Raises MalformedFile, DuplicateId, UnknownLanguage."""
    seen: set[str] = set()
    for path in paths:
        for line, record in _records(path):
            item = parse_item(record, path=path, line=line)
            if item.id in seen:
                raise DuplicateId(f"item id {item.id!r} occurs twice", path=path, line=line)
            seen.add(item.id)
            yield item


def write_parallel(items: Iterable[ParallelItem], path: Path) -> None:
    """Items as plain JSONL."""
    with path.open("wb") as stream:
        for item in items:
            stream.write(orjson.dumps(_record(item), option=orjson.OPT_APPEND_NEWLINE))


def parse_item(record: dict[str, object], *, path: Path, line: int) -> ParallelItem:
    """One record as an item. Raises MalformedFile, UnknownLanguage."""
    identifier = required_text(record, "id", path=path, line=line)
    source = optional_text(record, "source", path=path, line=line) or path.name.split(".")[0]
    group = optional_text(record, "group", path=path, line=line)
    if record.get("text") is not None:
        text = _texts(record, "text", path=path, line=line)
        if len(text) < 2:
            raise MalformedFile(
                "a translation unit needs at least two languages", path=path, line=line
            )
        return ParallelItem(
            id=identifier,
            source=source,
            query=text,
            passage=text,
            group=group,
            is_translation=True,
        )
    return ParallelItem(
        id=identifier,
        source=source,
        query=_texts(record, "query", path=path, line=line),
        passage=_texts(record, "passage", path=path, line=line),
        negatives=_negatives(record, path=path, line=line),
        group=group,
    )


def _records(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    if path.suffix != ".parquet":
        yield from read_objects(path)
        return
    yield from read_records(path)


def _texts(record: dict[str, object], name: str, *, path: Path, line: int) -> dict[str, str]:
    value = record.get(name)
    if isinstance(value, list) and all(isinstance(v, tuple) and len(v) == 2 for v in value):
        value = dict(value)  # an Arrow map column arrives as pairs
    if not isinstance(value, dict) or not value:
        raise MalformedFile(
            f"field {name!r} must map languages to texts, found {value!r:.80}", path=path, line=line
        )
    # A null is a language that an Arrow struct column has and this row has not.
    present = {lang: text for lang, text in value.items() if text is not None}
    return {
        _language(lang, path=path, line=line): required_text(present, lang, path=path, line=line)
        for lang in present
    }


def _negatives(record: dict[str, object], *, path: Path, line: int) -> dict[str, tuple[str, ...]]:
    value = record.get("negatives") or {}
    if not isinstance(value, dict):
        raise MalformedFile("field 'negatives' must map languages to lists", path=path, line=line)
    negatives: dict[str, tuple[str, ...]] = {}
    for lang, texts in value.items():
        if not isinstance(texts, list) or not all(isinstance(t, str) and t for t in texts):
            raise MalformedFile(
                f"negatives of {lang!r} must be a list of non-empty texts", path=path, line=line
            )
        negatives[_language(lang, path=path, line=line)] = tuple(texts)
    return negatives


def _language(code: object, *, path: Path, line: int) -> str:
    try:
        return parse_language(code)
    except UnknownLanguage as error:
        raise UnknownLanguage(error.what, path=path, line=line, fix=error.fix) from error


def _record(item: ParallelItem) -> dict[str, object]:
    record: dict[str, object] = {"id": item.id, "source": item.source}
    if item.is_translation:
        record["text"] = dict(item.query)
    else:
        record |= {"query": dict(item.query), "passage": dict(item.passage)}
    if item.negatives:
        record["negatives"] = {lang: list(texts) for lang, texts in item.negatives.items()}
    if item.group:
        record["group"] = item.group
    return record
