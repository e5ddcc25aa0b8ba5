"""Judgements: BEIR's TSV (`query-id corpus-id score`, with that header) and TREC's four columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from retrieval.errors import BadInput, DanglingId, DuplicateId, MalformedFile
from retrieval.formats.files import read_lines
from retrieval.types import Place, Qrels

BEIR_HEADER = ("query-id", "corpus-id", "score")

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_BLANKS = re.compile(r"[ \t]+")
_EXAMPLES = 3

MAX_REPEATED = 100_000
"""Repeated judgements that are kept in memory for the lint; more are no oversight."""

_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")


class Judgement(NamedTuple):
    """One passage judged for one query, with where it was read; `line` is None inside JSON."""

    query_id: str
    passage_id: str
    relevance: int
    path: Path
    line: int | None


class LocatedQrels(dict[str, dict[str, int]]):
    """Qrels that remember where each query and passage was first named, for the errors of later.

    repeated: judgements that were there already, in the same words.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queries: dict[str, Place] = {}
        self.passages: dict[str, Place] = {}
        self.repeated: list[Judgement] = []

    def add(self, judgement: Judgement) -> None:
        """Take in a judgement.

        Raises DuplicateId where it contradicts one that is there, or repeats one once more than
        MAX_REPEATED.
        """
        query_id, passage_id, relevance, path, line = judgement
        judged = self.setdefault(query_id, {})
        if judged.get(passage_id) == relevance:
            self._repeat(judgement)
        if judged.setdefault(passage_id, relevance) != relevance:
            raise DuplicateId(
                f"passage {passage_id!r} is judged {judged[passage_id]} and {relevance}"
                f" for query {query_id!r}",
                path=path,
                line=line,
                fix="Keep one judgement of a query and a passage.",
            )
        self.queries.setdefault(query_id, (path, line))
        self.passages.setdefault(passage_id, (path, line))

    def _repeat(self, judgement: Judgement) -> None:
        if len(self.repeated) == MAX_REPEATED:
            raise DuplicateId(
                f"more than {MAX_REPEATED} judgements are given more than once",
                path=judgement.path,
                line=judgement.line,
                fix="Keep one judgement of a query and a passage.",
            )
        self.repeated.append(judgement)


def collect_qrels(judgements: Iterable[Judgement]) -> LocatedQrels:
    """All judgements; equal repetitions count once. Raises DuplicateId for contradictions."""
    qrels = LocatedQrels()
    for judgement in judgements:
        qrels.add(judgement)
    return qrels


def read_qrels(path: Path) -> Iterator[Judgement]:
    """Judgements of one file, its layout told by its first line. Raises MalformedFile."""
    _, first = next(read_lines(path), (0, ""))
    is_beir = first.count("\t") == 2 or len(_trec_fields(first)) != 4
    yield from read_beir_qrels(path) if is_beir else read_trec_qrels(path)


def read_beir_qrels(path: Path) -> Iterator[Judgement]:
    """`query-id corpus-id score`, by tabs, under a header of those names. Raises MalformedFile."""
    for position, (line, text) in enumerate(read_lines(path)):
        fields = text.split("\t")
        if len(fields) != 3:
            raise _wrong_columns(len(fields), path, line, expected=3)
        if position == 0 and tuple(field.strip().lower() for field in fields) == BEIR_HEADER:
            continue
        yield _judgement(fields[0], fields[1], fields[2], path, line)


def read_trec_qrels(path: Path) -> Iterator[Judgement]:
    """`qid 0 docid relevance`, separated by tabs or spaces. Raises MalformedFile."""
    for line, text in read_lines(path):
        fields = _trec_fields(text)
        if len(fields) != 4:
            raise _wrong_columns(len(fields), path, line, expected=4)
        yield _judgement(fields[0], fields[2], fields[3], path, line)


def write_qrels(qrels: Qrels, path: Path) -> None:
    """Judgements in BEIR's layout. Raises BadInput for an id that its columns cannot hold."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\t".join(BEIR_HEADER) + "\n")
        for query_id, judged in qrels.items():
            for passage_id, relevance in judged.items():
                stream.write(f"{_cell(query_id)}\t{_cell(passage_id)}\t{relevance}\n")


def check_queries(qrels: Qrels, known: Container[str]) -> None:
    """Raises DanglingId where a judgement names a query that is not in `known`."""
    places = qrels.queries if isinstance(qrels, LocatedQrels) else {}
    missing = [query_id for query_id in qrels if query_id not in known]
    _check(missing, places, known, noun="query", where="the query set")


def check_passages(qrels: Qrels, known: Container[str], *, corpus: str = "") -> None:
    """Raises DanglingId where a judgement names a passage that is not in `known`.

    It says where the first of them was read, if the judgements came from a file, and how many.
    """
    places = qrels.passages if isinstance(qrels, LocatedQrels) else {}
    # The places are in the order of the files, which is not that of queries and their passages.
    named = places or dict.fromkeys(name for judged in qrels.values() for name in judged)
    missing = [passage_id for passage_id in named if passage_id not in known]
    where = f"the corpus {corpus!r}" if corpus else "the corpus"
    _check(missing, places, known, noun="passage", where=where)


def _check(
    missing: list[str],
    places: Mapping[str, Place],
    known: Container[str],
    *,
    noun: str,
    where: str,
) -> None:
    if not missing:
        return
    path, line = places.get(missing[0], (None, None))
    examples = ", ".join(map(repr, missing[:_EXAMPLES]))
    other_forms = {unicodedata.normalize(form, missing[0]) for form in _FORMS} | {
        missing[0].strip()
    }
    if len(missing) > _EXAMPLES:
        examples += f" and {len(missing) - _EXAMPLES} more"
    raise DanglingId(
        f"the judgements name {len(missing)} {noun} id(s) that {where} does not hold: {examples}",
        path=path,
        line=line,
        fix=(
            f"The {noun} id is there in another Unicode normalisation or without blanks around it:"
            " write ids the same everywhere."
            if any(form in known for form in other_forms)
            else f"Judge against the same {noun} ids, or remove those judgements."
        ),
    )


def _trec_fields(text: str) -> list[str]:
    fields = text.split("\t")
    return fields if len(fields) == 4 else _BLANKS.split(text.strip(" \t"))


def _judgement(query_id: str, passage_id: str, relevance: str, path: Path, line: int) -> Judgement:
    if not query_id.strip() or not passage_id.strip():
        raise MalformedFile("an id is empty", path=path, line=line)
    if not _INTEGER.fullmatch(relevance.strip()):
        raise MalformedFile(
            f"relevance {relevance!r} is not an integer",
            path=path,
            line=line,
            fix=f"A header, if any, must read {' '.join(BEIR_HEADER)}, separated by tabs.",
        )
    return Judgement(query_id, passage_id, int(relevance), path, line)


def _wrong_columns(found: int, path: Path, line: int, *, expected: int) -> MalformedFile:
    return MalformedFile(
        f"{found} columns, expected {expected}",
        path=path,
        line=line,
        fix=f"BEIR's judgements have 3 ({', '.join(BEIR_HEADER)}; by tabs),"
        " TREC's 4 (query, 0, passage, relevance).",
    )


def _cell(identifier: str) -> str:
    if not identifier.strip() or "\t" in identifier or "\n" in identifier or "\r" in identifier:
        raise BadInput(
            f"id {identifier!r} cannot stand in a column: it is blank or holds a tab or line end",
            fix="Choose ids without tabs and line ends.",
        )
    return identifier
