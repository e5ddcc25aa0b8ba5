"""What a report was made from, and how it is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.reports.compared import flat

_FROM_REPORT = [
    "protocol",
    "corpus",
    "version",
    "mode",
    "encoder",
    "contract",
    "seed",
    "data",
    "versions",
    "published_counts",
    "seconds",
]
_SHOWN_APART = frozenset({"command", "files"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """facts: (dotted name, text). files: `{"file", "sha256", "bytes"}` of each read.

    command: what repeats the report, nothing where it was not kept.
    """

    facts: Sequence[tuple[str, str]]
    files: Sequence[Mapping[str, Any]]
    command: str


def provenance(report: Mapping[str, Any]) -> Provenance:
    """Every fact that a report holds of its making."""
    kept = report.get("provenance") or {}
    facts = [fact for key in _FROM_REPORT for fact in flat(key, report.get(key))]
    facts += [
        fact for key, value in kept.items() if key not in _SHOWN_APART for fact in flat(key, value)
    ]
    return Provenance(
        facts=facts, files=kept.get("files") or (), command=str(kept.get("command") or "")
    )
