"""The nouns of the field, as plain immutable values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNDECLARED = "und"
"""ISO 639 code of a text whose language nobody declared."""

Qrels = Mapping[str, Mapping[str, int]]
"""query id -> passage id -> relevance; > 0 is relevant."""

Place = tuple[Path, int | None]
"""File and 1-based line where something was read; no line inside JSON of many lines."""

Run = Mapping[str, Sequence["Scored"]]
"""query id -> its ranking, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One unit of retrieval.

    document: the id of the document that it is a chunk of; empty where it is a whole document.
    start: where its text begins in the text of that document, in characters.
    """

    id: str
    text: str
    title: str = ""
    lang: str = UNDECLARED
    url: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    document: str = ""
    start: int = 0

    @property
    def to_encode(self) -> str:
        """Title and text joined by a space: what the encoder sees (as MIRACL and BEIR do)."""
        return f"{self.title} {self.text}" if self.title else self.text

    @property
    def whole(self) -> str:
        """The id of the document it belongs to: its own where it is a whole one."""
        return self.document or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question. `group` is the item its translations share; `domain` a tag for domain shift."""

    id: str
    text: str
    lang: str = UNDECLARED
    domain: str = ""
    group: str = ""

    @property
    def cluster(self) -> str:
        """The unit of statistics: translations of a question are one cluster, not many samples."""
        return self.group or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySet:
    """Queries with their judgements. places: query id -> where it was read, if from a file."""

    queries: tuple[Query, ...]
    qrels: Qrels
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage id with its score in one ranking."""

    id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage found, with its score (inner product of unit vectors)."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelItem:
    """One question and its passage, each in several languages.

    query, passage: language -> text. For a plain translation unit both are the same mapping and
    `is_translation` is true: any two different languages of it make a query-passage pair.
    negatives: language -> texts that do not answer the question.
    group: items of one group (several questions on one passage) are never each other's negatives.
    """

    id: str
    source: str
    query: Mapping[str, str]
    passage: Mapping[str, str]
    negatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group: str = ""
    is_translation: bool = False
