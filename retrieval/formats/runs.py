"""TREC runs: `qid Q0 docid rank score tag`, by spaces or tabs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from retrieval.errors import BadInput, DanglingId, DuplicateId, MalformedFile
from retrieval.formats.files import read_lines
from retrieval.types import Run, Scored

_BLANKS = re.compile(r"[ \t]+")
# The least number that float32 rounds to infinity; its largest one is written with more digits.
_INFINITE = float(np.finfo(np.float32).max) + 2.0**103
_WHITE_SPACE = re.compile(r"[ \t\n\v\f\r]")


def read_run(path: Path, *, passages: Container[str] | None = None) -> Run:
    """Every ranking of a run file, in the total order: score descending, then id descending.

    Scores are rounded to float32, as trec_eval compares them; the file's ranks have no say.
    passages: the ids that there are, where they are known.
    Raises MalformedFile, DuplicateId where a query has a passage twice, DanglingId.
    """
    rankings: dict[str, dict[str, float]] = {}
    for line, text in read_lines(path):
        fields = _BLANKS.split(text.strip(" \t"))
        if len(fields) != 6:
            raise MalformedFile(
                f"{len(fields)} columns, expected 6: query, Q0, passage, rank, score, tag",
                path=path,
                line=line,
            )
        ranking = rankings.setdefault(fields[0], {})
        if fields[2] in ranking:
            raise DuplicateId(
                f"query {fields[0]!r} has passage {fields[2]!r} twice", path=path, line=line
            )
        if passages is not None and fields[2] not in passages:
            raise DanglingId(
                f"the run names the passage {fields[2]!r}, which the corpus does not hold",
                path=path,
                line=line,
                fix="Give a run over the passages of this corpus and version.",
            )
        ranking[fields[2]] = _score(fields[4], path, line)
    return {query_id: in_total_order(ranking.items()) for query_id, ranking in rankings.items()}


def write_run(
    rankings: Iterable[tuple[str, Sequence[Scored]]], path: Path, *, tag: str = "synglot"
) -> None:
    """(query id, its ranking, best first) of each query, as they come; ranks count from 1.

    Nine digits keep a float32 score exactly. Raises DuplicateId where a query or a passage of its
    ranking occurs twice, BadInput where an id has white space or a score is not finite.
    """
    seen: set[str] = set()
    with replacing(path) as stream:
        for query_id, ranking in rankings:
            if query_id in seen:
                raise DuplicateId(f"query {query_id!r} has two rankings", path=path)
            seen.add(query_id)
            _check_ranking(query_id, ranking, path)
            for rank, scored in enumerate(ranking, start=1):
                stream.write(f"{query_id} Q0 {scored.id} {rank} {scored.score:.9g} {tag}\n")


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """A text file that takes the place of `path` once it is written to the end."""
    if path.exists() and not path.is_file():  # a pipe or a device takes what it is given
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def in_total_order(ranking: Iterable[tuple[str, float]]) -> list[Scored]:
    """(passage id, score) pairs as a ranking: score descending as float32, then id descending."""
    rounded = [Scored(identifier, float(np.float32(score))) for identifier, score in ranking]
    return sorted(rounded, key=lambda scored: (scored.score, scored.id), reverse=True)


def _score(text: str, path: Path, line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = float("nan")
    if not abs(score) < _INFINITE:
        raise MalformedFile(f"score {text!r} is not a finite number", path=path, line=line)
    return score


def _check_ranking(query_id: str, ranking: Sequence[Scored], path: Path) -> None:
    ids = [scored.id for scored in ranking]
    if len(set(ids)) != len(ids):
        raise DuplicateId(f"query {query_id!r} has a passage twice", path=path)
    for identifier in (query_id, *ids):
        if not identifier or _WHITE_SPACE.search(identifier):
            raise BadInput(
                f"id {identifier!r} is empty or has white space, which a TREC run cannot hold",
                path=path,
                fix="Choose ids without white space.",
            )
    if not all(np.isfinite(scored.score) for scored in ranking):
        raise BadInput(f"query {query_id!r} has a score that is not finite", path=path)
