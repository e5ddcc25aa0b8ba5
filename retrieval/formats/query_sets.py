"""Query sets: queries and judgements out of files of any layout, each told by its content.

The layouts are BEIR (`queries.jsonl`, qrels TSV), TREC and MIRACL (topics TSV, qrels of four
columns), LAReQA (`LANG.json`, which holds both) and one JSON object, which may hold both:
`{"queries": [{"id", "text", "lang"?, "domain"?, "group"?}], "qrels"?: {qid: {pid: relevance}}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import orjson

from retrieval.errors import BadInput, MalformedFile, UnknownLanguage
from retrieval.formats.files import read_json, read_lines
from retrieval.formats.lareqa import LareqaSet, read_lareqa
from retrieval.formats.qrels import (
    Judgement,
    check_queries,
    collect_qrels,
    read_beir_qrels,
    read_qrels,
    read_trec_qrels,
)
from retrieval.formats.queries import (
    collect_queries,
    read_beir_queries,
    read_tags,
    read_trec_queries,
    with_tags,
)
from retrieval.formats.tables import endings_of
from retrieval.formats.tree import Node
from retrieval.languages import parse_language
from retrieval.types import UNDECLARED, Place, Query, QuerySet

_Located = Iterator[tuple[Path, int | None, Query]]


class Layout(StrEnum):
    """How a query set is written down."""

    BEIR = "beir"
    TREC = "trec"
    MIRACL = "miracl"
    LAREQA = "lareqa"
    JSON = "json"


_BY_FIELD = {"text": Layout.BEIR, "queries": Layout.JSON, "data": Layout.LAREQA}


def read_query_set(
    query_files: Sequence[Path],
    qrels_files: Sequence[Path] = (),
    *,
    layout: Layout | None = None,
    default_lang: str = UNDECLARED,
    domains: Path | None = None,
    groups: Path | None = None,
) -> QuerySet:
    """One query set of all the files; its qrels are `LocatedQrels`.

    layout: of every file; None tells each by its ending and first line.
    default_lang: of queries that declare none. domains, groups: TSV of query id and tag.
    Raises MalformedFile, DuplicateId (query ids, contradicting judgements), UnknownLanguage,
    DanglingId (judgements or tags of unknown queries), and BadInput where nothing is judged.
    """
    default_lang = parse_language(default_lang)
    layouts = {path: layout or tell_layout(path) for path in query_files}
    lareqa_files = [path for path in query_files if layouts[path] is Layout.LAREQA]
    # All its languages together: an answer in one is relevant to the question in every other.
    lareqa = read_lareqa(lareqa_files) if lareqa_files else LareqaSet(files=())
    places: dict[str, Place] = {}
    # One at a time: the first id that occurs twice ends the reading, however many follow.
    queries = collect_queries(_placed(_queries(layouts.items(), lareqa, default_lang), places))
    queries = with_tags(
        queries,
        domains=read_tags(domains) if domains else None,
        groups=read_tags(groups) if groups else None,
    )
    qrels = collect_qrels(_judgements(layouts.items(), lareqa, qrels_files, layout))
    if not qrels:
        raise BadInput(
            "no judgements",
            path=query_files[0] if query_files else None,
            fix="Give a qrels file, or a query file that holds judgements (LAReQA, JSON).",
        )
    check_queries(qrels, {query.id for query in queries})
    return QuerySet(queries=queries, qrels=qrels, places=places)


def _placed(located: _Located, places: dict[str, Place]) -> _Located:
    """The same, each query's place noted."""
    for path, line, query in located:
        places[query.id] = (path, line)
        yield path, line, query


def tell_layout(path: Path) -> Layout:
    """The layout of a file of queries. Raises MalformedFile where it is none of them."""
    if path.name.endswith(endings_of(".jsonl")):
        return Layout.BEIR
    _, first = next(read_lines(path), (0, ""))
    if first.lstrip().startswith("{"):
        return _tell_json_layout(path, first)
    if "\t" in first:
        return Layout.TREC
    raise MalformedFile(
        f"cannot tell the layout by the first line {first!r:.80}" if first else "the file is empty",
        path=path,
        fix=f"Name the layout: {', '.join(Layout)}.",
    )


def _tell_json_layout(path: Path, first: str) -> Layout:
    try:
        fields = orjson.loads(first)
    except orjson.JSONDecodeError:  # an object written over several lines, or a broken one
        fields = read_json(path)
    for name, layout in _BY_FIELD.items():
        if name in fields:
            return layout
    raise MalformedFile(
        f"a JSON object with the fields {sorted(fields)} begins no query set",
        path=path,
        fix="Expected 'queries' (JSON), 'data' (LAReQA) or '_id' and 'text' (BEIR).",
    )


def _queries(
    layouts: Iterable[tuple[Path, Layout]], lareqa: LareqaSet, default_lang: str
) -> _Located:
    for file in lareqa.files:
        yield from ((file.path, None, query) for query in file.queries)
    for path, layout in layouts:
        if layout is Layout.JSON:
            yield from ((path, None, query) for query in _json_queries(path, default_lang))
        elif layout is not Layout.LAREQA:
            read = read_beir_queries if layout is Layout.BEIR else read_trec_queries
            yield from (
                (path, line, query) for line, query in read(path, default_lang=default_lang)
            )


def _judgements(
    layouts: Iterable[tuple[Path, Layout]],
    lareqa: LareqaSet,
    qrels_files: Iterable[Path],
    layout: Layout | None,
) -> Iterator[Judgement]:
    paths = {f"{file.lang}:": file.path for file in lareqa.files}
    for query_id, judged in lareqa.query_set().qrels.items():
        path = paths[query_id[: query_id.index(":") + 1]]
        yield from (
            Judgement(query_id, passage, rel, path, None) for passage, rel in judged.items()
        )
    for path, told in layouts:
        if told is Layout.JSON:
            yield from _json_judgements(path)
    for path in qrels_files:
        yield from _QRELS_READERS.get(layout, read_qrels)(path)


def _json_queries(path: Path, default_lang: str) -> Iterator[Query]:
    for node in Node.load(path)["queries"].elements():
        yield Query(
            id=node["id"].text(),
            text=node["text"].text(),
            lang=_lang(node, default_lang),
            domain=node.optional_text("domain"),
            group=node.optional_text("group"),
        )


def _json_judgements(path: Path) -> Iterator[Judgement]:
    qrels = Node.load(path).get("qrels")
    for query_id, judged in qrels.items() if qrels else ():
        for passage_id, relevance in judged.items():
            yield Judgement(query_id, passage_id, relevance.integer(), path, None)


def _lang(node: Node, default_lang: str) -> str:
    try:
        declared = parse_language(node.optional_text("lang"))
    except UnknownLanguage as error:
        what = f"{node.place}: {error.what}"
        raise UnknownLanguage(what, path=node.path, fix=error.fix) from error
    return default_lang if declared == UNDECLARED else declared


_QRELS_READERS: dict[Layout | None, Callable[[Path], Iterator[Judgement]]] = {
    Layout.BEIR: read_beir_qrels,
    Layout.TREC: read_trec_qrels,
    Layout.MIRACL: read_trec_qrels,
}
