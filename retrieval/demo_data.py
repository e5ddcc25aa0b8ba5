"""The bundled knowledge base as a corpus, a training set and a held-out query set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from retrieval.formats.files import read_objects
from retrieval.types import ParallelItem, Passage, Query, QuerySet

KNOWLEDGE_BASE = Path(__file__).parent / "demo" / "knowledge_base.jsonl"

SOURCE = "demo"

_Texts = dict[str, str]


def demo_passages() -> Iterator[Passage]:
    """Every passage in every language, both halves: id `LANG:name`."""
    for record in _records():
        titles, texts = cast(_Texts, record["title"]), cast(_Texts, record["passage"])
        for lang, text in texts.items():
            yield Passage(
                id=f"{lang}:{record['id']}",
                text=text,
                title=titles[lang],
                lang=lang,
                metadata={"topic": record["topic"]},
            )


def demo_items() -> Iterator[ParallelItem]:
    """The training half: two questions a passage, in one group; titles go with the passages."""
    for record in _records():
        if record["split"] != "train":
            continue
        titles, texts = cast(_Texts, record["title"]), cast(_Texts, record["passage"])
        passage = {lang: f"{titles[lang]} {text}" for lang, text in texts.items()}
        for number, question in enumerate(cast(list[_Texts], record["questions"])):
            yield ParallelItem(
                id=f"{SOURCE}:{record['id']}#{number}",
                source=SOURCE,
                query=question,
                passage=passage,
                group=str(record["id"]),
            )


def demo_queries() -> QuerySet:
    """The held-out half: every question in every language; its passage is relevant in each."""
    queries: list[Query] = []
    qrels: dict[str, dict[str, int]] = {}
    for record in _records():
        if record["split"] != "held-out":
            continue
        languages = cast(_Texts, record["passage"])
        for number, question in enumerate(cast(list[_Texts], record["questions"])):
            group = f"{record['id']}-{number}"
            for lang, text in question.items():
                queries.append(Query(id=f"{lang}:{group}", text=text, lang=lang, group=group))
                qrels[queries[-1].id] = {f"{other}:{record['id']}": 1 for other in languages}
    return QuerySet(queries=tuple(queries), qrels=qrels)


def _records() -> Iterator[dict[str, object]]:
    for _, record in read_objects(KNOWLEDGE_BASE):
        yield record
