"""Searches and evaluations from the shell, and how they are printed."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app import schemas
from app.routes.search import to_hit
from retrieval.encoder import Encoder
from retrieval.search import Searcher, SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.filters import filter_object, parse_filter
from retrieval.search.grouping import GroupBy
from retrieval.search.pool import Mode
from retrieval.store import Store

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
    where: str | None = None,
    group: bool = False,
) -> schemas.SearchResponse:
    """One query; the answer is that of POST /search. where: a filter, as JSON."""
    options = SearchOptions(
        top_k=top_k,
        languages=languages,
        mode=mode,
        balance=balance,
        query_language=query_language,
        filter=None if where is None else parse_filter(filter_object(where)),
        group_by=GroupBy.DOCUMENT if group else None,
    )
    searcher = open_searcher(root, name, version, encoder)
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
    ranked_by = f"encoder {report['encoder']}" if report["encoder"] else "a run"
    lines = [f"{report['corpus']} {report['version']}, {ranked_by}: {_counts(report['queries'])}"]
    for name, entry in report["measures"].items():
        low, high = entry["ci95"]
        lines.append(f"  {name:<12} {entry['mean']:.4f}  [{low:.4f}, {high:.4f}]  n={entry['n']}")
    lines += pair_table(report["by_language_pair"], next(iter(report["measures"])))
    distance = report["language_bias"].get("rank_distance")
    if distance is not None:
        lines.append(f"  rank distance {distance:.0f}")
    lines += [f"  note: {_note(finding)}" for finding in report["lint"]]
    return "\n".join(lines + comparison_lines(report))


def _counts(queries: Mapping[str, int]) -> str:
    """The judged queries, and those of them that a reader of the means should know of."""
    without, missing = queries["without_positives"], queries["missing"]
    return f"{queries['judged']} judged queries" + (
        (f", {without} without a relevant passage left out" if without else "")
        + (f", {missing} missing from the ranking" if missing else "")
    )


def _note(finding: Mapping[str, Any]) -> str:
    place = finding["file"] or ""
    place += f":{finding['line']}" if finding["line"] else ""
    examples = ", ".join(finding["examples"])
    return f"{finding['message']} ({examples}{', ' + place if place else ''}) [{finding['rule']}]"


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
    return "\n".join(lines + comparison_lines(figures))


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


def comparison_lines(report: Mapping[str, Any]) -> list[str]:
    """The comparison for a person: a line for every view and measure; none without one."""
    comparison = report.get("comparison")
    if comparison is None:
        return []
    lines = [f"  against {_name(comparison['baseline'])}: difference, 95% interval, p"]
    return lines + _comparison_table(comparison)


def _comparison_table(comparison: Mapping[str, Any]) -> list[str]:
    return [
        f"  {view + ' ' + measure:<28} {_difference(entry)}"
        for view, measures in comparison["overall"].items()
        for measure, entry in measures.items()
    ]


def _difference(entry: Mapping[str, Any]) -> str:
    low, high = entry["ci95"]
    digits = 4 if abs(entry["difference"]) < 10 else 1
    return (
        f"{entry['difference']:+.{digits}f}  [{low:+.{digits}f}, {high:+.{digits}f}]"
        f"  p {entry['p']:.4f}  {entry['wins']}/{entry['ties']}/{entry['losses']} won/tied/lost"
    )


def _name(baseline: Mapping[str, Any]) -> str:
    encoder = baseline["encoder"]
    fingerprint = encoder.get("fingerprint") if isinstance(encoder, dict) else encoder
    ranked = " ".join(filter(None, (baseline["corpus"], baseline["version"])))
    return f"{baseline['file']} ({ranked}, {fingerprint or 'a run'})"


def miracl_as_text(report: Mapping[str, Any]) -> str:
    """The figures of MIRACL's protocol for a person: a row a language, their mean last."""
    names = list(report["macro"])
    lines = [f"MIRACL, encoder {report['encoder']['fingerprint']}"]
    lines.append("  " + " " * 6 + "".join(f"{name:>12}" for name in names) + "     n")
    for lang, entry in report["by_language"].items():
        cells = "".join(f"{entry[name]['mean']:>12.4f}" for name in names)
        lines.append(f"  {lang:<6}{cells}  {entry[names[0]]['n']:>5,}")
    lines.append("  mean  " + "".join(f"{report['macro'][name]:>12.4f}" for name in names))
    lines += [f"  note: {_note(finding)}" for finding in report["lint"]]
    return "\n".join(lines + comparison_lines(report))


def domain_shift_as_text(report: Mapping[str, Any]) -> str:
    """Levels, drops and the drops compared, for a person."""
    sets = report["sets"]
    lines = [
        f"domain shift, {report['candidates']:,} passages a language in each pool: "
        + ", ".join(f"{name} {found['queries']:,} queries" for name, found in sets.items())
    ]
    for name, found in report["strategies"].items():
        for view in ("pool", "monolingual", "cross_lingual"):
            for measure, entry in found.get(view, {}).items():
                lines.append(f"  {name:<16} {view:<14} {measure:<14} {_shift(entry)}")
    for pair, views in report["comparisons"].items():
        for view, measures in views.items():
            for measure, parts in measures.items():
                if "drop" in parts:  # a measure may have values in one domain alone
                    lines.append(f"  {pair:<32} {view:<14} {measure:<14} {_drop(parts['drop'])}")
    for name, comparison in report.get("comparison", {}).items():
        lines.append(f"  {name}: out of domain, against the earlier result")
        lines += _comparison_table(comparison)
    return "\n".join(lines)


def _shift(entry: Mapping[str, Any]) -> str:
    inside, outside = entry["in_domain"]["mean"], entry["out_of_domain"]["mean"]
    relative = entry["relative_drop"]
    shown = "" if relative is None else f"  drop {100 * relative:.1f}%"
    return f"in {inside:.4f}  out {outside:.4f}{shown}"


def _drop(entry: Mapping[str, Any]) -> str:
    low, high = entry["ci95"]
    return (
        f"difference of drops {entry['difference']:+.4f}  [{low:+.4f}, {high:+.4f}]"
        f"  p {entry['p_holm']:.4f} (Holm)"
    )
