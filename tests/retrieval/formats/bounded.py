"""Readers run in processes of their own, to see how much memory they take.

Run as a program: `python -m tests.retrieval.formats.bounded` reads one JSON request a line from
standard input, `[reader, file, ...]`, and answers with what it raised and the peak of its memory.
It imports everything once and forks a fresh process for each request.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from retrieval.errors import SynglotError
from retrieval.evaluation.saved import SavedEvaluation
from retrieval.formats.corpus import read_corpus
from retrieval.formats.lareqa import read_lareqa
from retrieval.formats.query_sets import read_query_set
from retrieval.formats.runs import read_run


def _count(paths: list[Path]) -> int:
    return sum(1 for _ in read_corpus(paths))


READERS: Mapping[str, Callable[[list[Path]], object]] = {
    "queries": lambda paths: read_query_set(paths[:1], paths[1:]),
    "run": lambda paths: read_run(paths[0]),
    "lareqa": lambda paths: read_lareqa(paths[0]),
    "saved": lambda paths: SavedEvaluation.read(paths[0]),
    "corpus": _count,
}


def read(reader: str, paths: list[Path]) -> dict[str, object]:
    """What reading raised, with its place, and the process' peak of memory in MB."""
    answer: dict[str, object] = {"error": None}
    try:
        READERS[reader](paths)
    except SynglotError as error:
        kind = type(error).__name__
        answer = {"error": kind, "message": str(error), "path": error.path, "line": error.line}
    return {**answer, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    for request in sys.stdin:
        reader, *files = json.loads(request)
        receiving, sending = os.pipe()
        if not (child := os.fork()):
            os.write(sending, json.dumps(read(reader, [Path(name) for name in files])).encode())
            os._exit(0)
        os.close(sending)
        with os.fdopen(receiving) as answer:
            print(answer.read(), flush=True)  # noqa: T201
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
