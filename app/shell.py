"""Searches and evaluations from the shell, and how they are printed."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app import schemas
from app.evaluations import parse_layout, parse_measures
from app.routes.search import to_hit
from retrieval.balance import Balance
from retrieval.encoder import Encoder
from retrieval.evaluation import Report, evaluate, rankings
from retrieval.formats.files import expand_inputs
from retrieval.formats.query_sets import read_query_set
from retrieval.formats.runs import write_run
from retrieval.pool import Mode
from retrieval.search import Searcher, SearchOptions
from retrieval.store import Store
from retrieval.types import QuerySet

_QUERY_ENDINGS = (".jsonl", ".jsonl.gz", ".tsv", ".tsv.gz", ".json", ".json.gz", ".txt")
_WIDTH = 100


def open_searcher(root: Path, name: str, version: str | None, encoder: str | None) -> Searcher:
    """The searcher of a version with its own encoder, or with the one named."""
    store = Store(root)
    opened = store.open(name, version)
    loaded = Encoder.load(encoder) if encoder else store.load_encoder(name, opened.id)
    return Searcher(opened, loaded)


def search_once(
    root: Path,
    name: str,
    query: str,
    *,
    languages: tuple[str, ...],
    top_k: int,
    mode: Mode = Mode.DENSE,
    balance: Balance = Balance.NONE,
    query_language: str | None = None,
    version: str | None,
    encoder: str | None,
) -> schemas.SearchResponse:
    """One query; the answer is that of POST /search."""
    searcher = open_searcher(root, name, version, encoder)
    options = SearchOptions(
        top_k=top_k,
        languages=languages,
        mode=mode,
        balance=balance,
        query_language=query_language,
    )
    began = time.perf_counter()
    vectors = searcher.encode([query])
    encoded = time.perf_counter()
    (hits,) = searcher.search_vectors(vectors, options, texts=[query])
    took = schemas.Took(
        queue=0.0,
        encode=round(1e3 * (encoded - began), 3),
        search=round(1e3 * (time.perf_counter() - encoded), 3),
    )
    return schemas.SearchResponse(
        corpus=name,
        version=searcher.version.id,
        encoder=searcher.encoder.fingerprint,
        took_ms=took,
        results=[schemas.Result(query=query, hits=[to_hit(hit) for hit in hits])],
    )


def evaluate_once(
    root: Path,
    name: str,
    queries: Sequence[str],
    qrels: Sequence[str],
    *,
    measures: str,
    layout: str | None,
    version: str | None,
    encoder: str | None,
    run: Path | None,
) -> Report:
    """The report of a query set, a TREC run beside it where asked for."""
    query_set = read_query_set(
        expand_inputs(queries, endings=_QUERY_ENDINGS),
        expand_inputs(qrels, endings=_QUERY_ENDINGS),
        layout=parse_layout(layout),
    )
    chosen = parse_measures(measures)
    searcher = open_searcher(root, name, version, encoder)
    if run is not None:
        _write_run(query_set, searcher, run)
    return evaluate(
        query_set,
        searcher,
        corpus=name,
        version=searcher.version.id,
        encoder=searcher.encoder.fingerprint,
        measures=chosen,
        progress=True,
    ).report


def _write_run(query_set: QuerySet, searcher: Searcher, path: Path) -> None:
    write_run(rankings(query_set.queries, searcher, progress=True), path)


def as_text(answer: schemas.SearchResponse) -> str:
    """Hits for a person."""
    lines = []
    for result in answer.results:
        for place, hit in enumerate(result.hits, start=1):
            head = f"{place:>3}. {hit.score:.3f}  {hit.lang}  {hit.id}  {hit.title or ''}".rstrip()
            body = textwrap.shorten(hit.text or "", _WIDTH, placeholder=" ...")
            lines += [head, f"     {body}"]
    return "\n".join(lines) or "no hits"


def report_as_text(report: Mapping[str, Any]) -> str:
    """The figures of a report for a person."""
    lines = [
        f"{report['corpus']} {report['version']}, encoder {report['encoder']}: "
        f"{report['queries']['judged']} judged queries"
    ]
    for name, entry in report["measures"].items():
        low, high = entry["ci95"]
        lines.append(f"  {name:<12} {entry['mean']:.4f}  [{low:.4f}, {high:.4f}]  n={entry['n']}")
    lines += pair_table(report["by_language_pair"], next(iter(report["measures"])))
    distance = report["language_bias"].get("rank_distance")
    if distance is not None:
        lines.append(f"  rank distance {distance:.0f}")
    lines += [f"  note: {note}" for note in report["lint"]]
    return "\n".join(lines)


def benchmark_as_text(figures: Mapping[str, Any]) -> str:
    """The figures of the XQuAD-R protocol for a person."""
    lines = [f"XQuAD-R, {figures['mode']}, encoder {figures['encoder']['fingerprint']}"]
    if not figures["published_counts"]:
        lines.append("  note: this is not the whole of XQuAD-R; its counts were not checked")
    for name in ("monolingual", "cross_lingual", "multilingual"):
        values = {k: v for k, v in figures[name].items() if isinstance(v, float)}
        shown = "  ".join(
            f"{k} {v:.0f}" if k == "rank_distance" else f"{k} {v:.3f}" for k, v in values.items()
        )
        lines.append(f"  {name:<14} {shown}")
    lines += pair_table(figures["cross_lingual"]["by_pair"], "mAP")
    return "\n".join(lines)


def pair_table(by_pair: Mapping[str, Mapping[str, float]], measure: str) -> list[str]:
    """A matrix of one measure: question language down, passage language across."""
    pairs = {tuple(pair.split("->")): entry.get(measure) for pair, entry in by_pair.items()}
    rows, columns = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    if not pairs:
        return []
    width = max(6, *(len(code) + 1 for code in columns))
    head = f"  {measure}, question language down, passage language across"
    lines = [head, "  " + " " * 6 + "".join(f"{code:>{width}}" for code in columns)]
    for row in rows:
        cells = (pairs.get((row, column)) for column in columns)
        shown = "".join(f"{'':>{width}}" if v is None else f"{v:>{width}.3f}" for v in cells)
        lines.append(f"  {row:<6}{shown}")
    return lines
