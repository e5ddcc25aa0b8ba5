"""An uploaded query set through the search path that serves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import TooLarge
from retrieval.errors import BadInput
from retrieval.evaluation import Evaluation, evaluate
from retrieval.evaluation.index_loss import searcher_loss
from retrieval.formats.packing import BROKEN_COMPRESSION, open_binary
from retrieval.formats.query_sets import Layout, read_query_set
from retrieval.metrics.measure import DEFAULT_MEASURES, Measure
from retrieval.search import Searcher, SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode
from retrieval.types import QuerySet

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CHUNK_BYTES = 2**20


class EvaluationSearch(BaseModel):
    """Options of /search that change which passages an evaluation ranks, and how.

    `top_k` is not among them: it never limits an evaluation. `exact` is what every evaluation is;
    what an approximate index loses is told beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: tuple[str, ...] = ()
    query_language: str | None = None
    mode: Mode = Mode.DENSE
    balance: Balance = Balance.NONE
    quota: dict[str, float] = {}
    exact: bool = True

    @property
    def options(self) -> SearchOptions:
        """The same for a searcher."""
        return SearchOptions(
            languages=self.languages,
            query_language=self.query_language,
            mode=self.mode,
            balance=self.balance,
            quota=self.quota,
        )


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
    return measure(query_set, searcher, search.options, measures=measures)


def measure(
    query_set: QuerySet,
    searcher: Searcher,
    options: SearchOptions,
    *,
    measures: Sequence[Measure],
    seed: int = 0,
    strict: bool = False,
    progress: bool = False,
) -> Evaluation:
    """A query set through a searcher: the one way in which the shell and the service evaluate.

    The report names mode and balance, and what an approximate index loses. Raises BadInput.
    """
    absent = sorted(set(options.languages) - set(searcher.version.languages))
    if absent:
        raise BadInput(
            f"the corpus has no passages in {', '.join(absent)}",
            fix=f"It has {', '.join(searcher.version.languages)}.",
        )
    evaluation = evaluate(
        query_set,
        searcher.ranker(options),
        corpus=searcher.version.corpus,
        version=searcher.version.id,
        encoder=searcher.encoder.fingerprint,
        measures=measures,
        seed=seed,
        strict=strict,
        progress=progress,
    )
    loss = searcher_loss(query_set, searcher, options, measures=measures)
    search: dict[str, object] = {"mode": options.mode.value, "balance": options.balance.value}
    if options.languages:
        search["languages"] = list(options.languages)
    return replace(evaluation, report={**evaluation.report, "search": search, "index_loss": loss})
