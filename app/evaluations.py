"""An uploaded query set through the search path that serves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import TooLarge
from retrieval.errors import BadInput
from retrieval.evaluation import Evaluation, evaluate
from retrieval.formats.packing import BROKEN_COMPRESSION, open_binary
from retrieval.formats.query_sets import Layout, read_query_set
from retrieval.metrics.measure import DEFAULT_MEASURES, Measure
from retrieval.search import Searcher
from retrieval.types import Query

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CHUNK_BYTES = 2**20


class EvaluationSearch(BaseModel):
    """Options of /search that change which passages an evaluation ranks.

    `top_k` is not among them: it never limits an evaluation. `exact` is what every evaluation is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: tuple[str, ...] = ()
    exact: bool = True
    mode: Literal["dense"] = "dense"
    balance: Literal["none"] = "none"


class Restricted:
    """A searcher whose ranking holds only passages in some languages."""

    def __init__(self, searcher: Searcher, languages: Sequence[str]) -> None:
        self.passage_ids = searcher.passage_ids
        self.passage_languages = searcher.passage_languages
        self._searcher = searcher
        self._left_out_P = ~np.isin(np.array(searcher.passage_languages), list(languages))

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """As the searcher's, -inf for what is not in the ranking."""
        for scores_QP in self._searcher.score_blocks(queries, progress=progress):
            yield np.where(self._left_out_P, np.float32(-np.inf), scores_QP)


def parse_search(text: str) -> EvaluationSearch:
    """The `search` field of an evaluation, a JSON object. Raises BadInput."""
    try:
        return EvaluationSearch.model_validate_json(text)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(
            f"the `search` options cannot be used ({mistakes})",
            fix='Give a JSON object such as {"languages": ["de"]}; top_k limits no evaluation.',
        ) from error


def parse_layout(name: str | None) -> Layout | None:
    """The `format` field of an evaluation. Raises BadInput."""
    if not name:
        return None
    try:
        return Layout(name.lower())
    except ValueError as error:
        raise BadInput(
            f"unknown format {name!r}", fix=f"Use one of {', '.join(Layout)}."
        ) from error


def parse_measures(names: str) -> tuple[Measure, ...]:
    """Measures from names separated by spaces; none means the default ones. Raises BadInput."""
    return tuple(Measure.parse(name) for name in names.split()) or DEFAULT_MEASURES


def keep_upload(name: str, content: BinaryIO, folder: Path) -> Path:
    """Save an upload in a folder of its own, under its name made harmless (the ending matters)."""
    path = folder / (_UNSAFE.sub("_", Path(name).name).lstrip(".")[-100:] or "upload")
    with path.open("wb") as stream:
        while chunk := content.read(_CHUNK_BYTES):
            stream.write(chunk)
    return path


def check_decompressed(paths: Sequence[Path], max_bytes: int) -> None:
    """Refuse uploads that unpack to more than `max_bytes` together. Raises TooLarge."""
    total = 0
    for path in paths:
        try:
            with open_binary(path) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    total += len(chunk)
                    if total > max_bytes:
                        raise TooLarge(f"the uploads unpack to more than {max_bytes} bytes")
        except BROKEN_COMPRESSION:
            continue  # the reader says so, with the place


def run_evaluation(
    searcher: Searcher,
    queries: Sequence[Path],
    qrels: Sequence[Path],
    *,
    layout: Layout | None,
    measures: Sequence[Measure],
    search: EvaluationSearch,
    groups: Path | None = None,
    domains: Path | None = None,
) -> Evaluation:
    """Read, check and measure. Raises BadInput and its kin, with file and line."""
    query_set = read_query_set(queries, qrels, layout=layout, groups=groups, domains=domains)
    absent = sorted(set(search.languages) - set(searcher.version.languages))
    if absent:
        raise BadInput(
            f"the corpus has no passages in {', '.join(absent)}",
            fix=f"It has {', '.join(searcher.version.languages)}.",
        )
    ranker = Restricted(searcher, search.languages) if search.languages else searcher
    return evaluate(
        query_set,
        ranker,
        corpus=searcher.version.corpus,
        version=searcher.version.id,
        encoder=searcher.encoder.fingerprint,
        measures=measures,
    )
