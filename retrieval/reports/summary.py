"""What a report says, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.reports.compared import Outcome, Row, compared, overall_rows, tally
from retrieval.reports.names import encoder_name

Report = Mapping[str, Any]

_OPTIONAL = {
    "protocols": "protocols and language matrix (no query meets passages of two languages)",
    "language_bias": "language bias (no query meets passages of two languages)",
    "comparison": "a comparison (no earlier evaluation was given)",
    "gates": "gates (no rule was given)",
    "worst": "the worst queries with their hits",
    "domains": "domains (no query carries one)",
    "index_loss": "the loss of an index (none was measured against exact search)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """title: of the page. languages: of the queries. headline: the first differences.

    outcomes: how many figures of the comparison say what. failed: rules that are not kept.
    missing: what the report does not hold, in words.
    """

    title: str
    encoder: str
    languages: Sequence[str]
    baseline: str
    headline: Sequence[Row]
    outcomes: Mapping[Outcome, int]
    gates: Sequence[Mapping[str, Any]]
    failed: Sequence[str]
    missing: Sequence[str]


def summary(report: Report) -> Summary:
    """The lines at the head of the page."""
    encoder = encoder_name(report.get("encoder"))
    corpus = " ".join(str(report[key]) for key in ("corpus", "version") if report.get(key))
    baseline = compared(report).get("baseline") or {}
    rows = overall_rows(report)
    gates = report.get("gates") or ()
    return Summary(
        title=f"{corpus or 'an unnamed corpus'} · {encoder}",
        encoder=encoder,
        languages=sorted(report.get("by_language") or {}),
        baseline=_baseline_name(baseline) if rows else "",
        headline=_headline(rows),
        outcomes=tally(rows),
        gates=gates,
        failed=[str(gate["rule"]) for gate in gates if not gate["passed"]],
        missing=[words for key, words in _OPTIONAL.items() if not report.get(key)],
    )


def _headline(rows: Sequence[Row]) -> list[Row]:
    """The first measure of every view."""
    return list({row.view: row for row in reversed(rows)}.values())[::-1]


def _baseline_name(baseline: Mapping[str, Any]) -> str:
    name = encoder_name(baseline.get("encoder")) if baseline.get("encoder") else ""
    file = str(baseline.get("file") or "")
    return f"{name} ({file})" if name and file else name or file or "the other evaluation"
