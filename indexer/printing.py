"""What the commands of `synglot index` print."""

from __future__ import annotations

from pathlib import Path

import typer

from indexer.build import BuildReport
from retrieval.formats.files import write_json
from retrieval.store import Manifest, RecallRecord, SpeedRecord
from retrieval.vectors import AS_ASKED


def show_figures(figures: dict[str, object], lines: list[str], json: str | None) -> None:
    """Figures to where `--json` points; the lines for a reader unless JSON is printed."""
    if json is not None:
        write_json(figures, json)
    if json != "-":
        typer.echo("\n".join(lines))


def build_lines(report: BuildReport) -> list[str]:
    """A version that was published, what of it was encoded, and how long that took."""
    state = "active" if report.active else "waiting: activate it with `synglot index activate`"
    seconds = f"built in {report.seconds:.1f} s, {state}"
    texts = f"encoded: {report.encoded:,} passages, vectors of {report.reused:,} reused"
    return [*manifest_lines(report.manifest), *([texts] if report.reused else []), seconds]


def empty_lines(empty: list[Path]) -> list[str]:
    """Files that were skipped; none where none was."""
    if not empty:
        return []
    shown = ", ".join(map(str, empty[:3])) + (", ..." if len(empty) > 3 else "")
    return [f"skipped: {len(empty):,} empty files ({shown})"]


def manifest_lines(manifest: Manifest) -> list[str]:
    """What a version is."""
    languages = sorted(manifest.counts.languages.items(), key=lambda item: (-item[1], item[0]))
    return [
        f"{manifest.corpus} {manifest.version}: {manifest.counts.total:,} passages",
        "languages: " + ", ".join(f"{code} {count:,}" for code, count in languages),
        f"encoder: {manifest.encoder.fingerprint} ({manifest.encoder.path})",
        *_index_lines(manifest),
    ]


def _index_lines(manifest: Manifest) -> list[str]:
    """The index, why it is the one, and what its build measured."""
    index = manifest.index
    size = f"{manifest.dim} dimensions, {manifest.size / 1e6:,.1f} MB"
    settings = [f"{key} {value}" for key, value in index.parameters.items() if key != "faiss"]
    detail = f" ({', '.join(settings)})" if settings else ""
    because = "" if index.reason in ("", AS_ASKED) else f" because {index.reason}"
    lines = [f"index: {index.kind}{detail}, {size}{because}"]
    if index.recall is not None and index.speed is not None:
        lines += [_recall_line(index.recall), _speed_line(index.speed)]
    return lines


def _recall_line(recall: RecallRecord) -> str:
    below = "" if recall.overall >= recall.target else f", below the {recall.target:g} asked for"
    worst = ""
    if recall.worst is not None:
        code, found = recall.worst
        worst = f", lowest in {code}: {found.recall:.3f} ({found.queries} queries)"
    return (
        f"recall@{recall.k} against exact search: {recall.overall:.3f}{below}{worst}; "
        f"{recall.queries} passages as queries"
    )


def _speed_line(speed: SpeedRecord) -> str:
    return (
        f"one query on one core: {speed.ms:.2f} ms, exact search {speed.exact_ms:.2f} ms "
        f"({speed.ratio:.1f} x)"
    )


def starred(versions: object, active: object) -> str:
    """Versions in their order, the active one with a star."""
    names = versions if isinstance(versions, list) else []
    return ", ".join(f"{name}*" if name == active else str(name) for name in names)
