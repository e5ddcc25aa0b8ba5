"""Queries: BEIR's JSONL, TREC's and MIRACL's topics TSV, and tags of queries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from retrieval.errors import DanglingId, DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.files import optional_text, read_lines, read_objects, required_text
from retrieval.languages import is_language, parse_language
from retrieval.types import UNDECLARED, Query

_MIRACL_NAME = re.compile(r"miracl-v[0-9.]+-(?P<lang>[a-z]{2,3})-")


def read_beir_queries(path: Path, *, default_lang: str = UNDECLARED) -> Iterator[tuple[int, Query]]:
    """(line, query) of each `{"_id", "text", "lang"?, "domain"?, "group"?}`; `id` will do as well.

    Raises MalformedFile, UnknownLanguage.
    """
    for line, record in read_objects(path):
        yield (
            line,
            Query(
                id=required_text(record, "_id", "id", path=path, line=line),
                text=required_text(record, "text", path=path, line=line),
                lang=_lang(record.get("lang"), default_lang, path=path, line=line),
                domain=optional_text(record, "domain", path=path, line=line),
                group=optional_text(record, "group", path=path, line=line),
            ),
        )


def read_trec_queries(path: Path, *, default_lang: str = UNDECLARED) -> Iterator[tuple[int, Query]]:
    """(line, query) of each `qid <TAB> text`.

    default_lang: their language; where it is undeclared, the one in the name of a MIRACL file
    (`topics.miracl-v1.0-de-dev.tsv`). Raises MalformedFile.
    """
    named = _MIRACL_NAME.search(path.name)
    if default_lang == UNDECLARED and named and is_language(named["lang"]):
        default_lang = named["lang"]
    for line, text in read_lines(path):
        identifier, tab, question = text.partition("\t")
        if not tab or not identifier.strip() or not question.strip():
            raise MalformedFile(
                f"expected a query id, a tab and the query's text; found {text!r:.80}",
                path=path,
                line=line,
            )
        yield line, Query(id=identifier, text=question, lang=default_lang)


def collect_queries(
    located: Iterable[tuple[Path, int | None, Query]],
) -> tuple[Query, ...]:
    """Queries of all files. Raises DuplicateId where two have the same id."""
    queries: dict[str, Query] = {}
    for path, line, query in located:
        if query.id in queries:
            raise DuplicateId(
                f"query id {query.id!r} occurs twice",
                path=path,
                line=line,
                fix="Write ids that several languages share as LANG:id, with the id as group.",
            )
        queries[query.id] = query
    return tuple(queries.values())


def write_queries(queries: Iterable[Query], path: Path) -> None:
    """Queries as BEIR's JSONL; fields that are empty are left out."""
    with path.open("wb") as stream:
        for query in queries:
            record = {"_id": query.id, "text": query.text}
            lang = "" if query.lang == UNDECLARED else query.lang
            optional = {"lang": lang, "domain": query.domain, "group": query.group}
            record |= {name: value for name, value in optional.items() if value}
            stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def read_tags(path: Path) -> dict[str, str]:
    """Tags (domains or groups) by query id, of each `qid <TAB> tag`.

    Raises MalformedFile, and DuplicateId where a query has two.
    """
    tags: dict[str, str] = {}
    for line, text in read_lines(path):
        cells = text.split("\t")
        if len(cells) != 2 or not cells[0].strip() or not cells[1].strip():
            raise MalformedFile(
                f"expected a query id, a tab and a tag; found {text!r:.80}", path=path, line=line
            )
        if tags.setdefault(cells[0], cells[1]) != cells[1]:
            raise DuplicateId(f"query id {cells[0]!r} has two tags", path=path, line=line)
    return tags


def with_tags(
    queries: Iterable[Query],
    *,
    domains: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
) -> tuple[Query, ...]:
    """Queries with the domains and groups given for their ids, others as they were.

    Raises DanglingId where a tag is for an id that no query has.
    """
    tagged = tuple(
        replace(
            query,
            domain=(domains or {}).get(query.id, query.domain),
            group=(groups or {}).get(query.id, query.group),
        )
        for query in queries
    )
    known = {query.id for query in tagged}
    unknown = [
        identifier
        for tags in (domains, groups)
        for identifier in tags or ()
        if identifier not in known
    ]
    if unknown:
        raise DanglingId(
            f"{len(unknown)} tag(s) for query ids that the query set does not hold:"
            f" {', '.join(map(repr, unknown[:3]))}",
            fix="Tag the ids of the query set.",
        )
    return tagged


def _lang(code: object, default_lang: str, *, path: Path, line: int) -> str:
    try:
        declared = parse_language(code)
    except UnknownLanguage as error:
        raise UnknownLanguage(error.what, path=path, line=line, fix=error.fix) from error
    return default_lang if declared == UNDECLARED else declared
