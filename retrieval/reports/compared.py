"""A comparison as rows: what differs by how much, and whether that can be told from chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from retrieval.reports.numbers import bounds, finite

LEVEL = 0.05
"""Of the tests: that of `retrieval.metrics.statistics`."""

Report = Mapping[str, Any]


class Outcome(StrEnum):
    """What a comparison says, in the words of the page."""

    BETTER = "better"
    WORSE = "worse"
    NOT_TOLD = "no difference found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of a comparison. language: of the queries, nothing for all of them.

    entry: its JSON object. this, other: the two levels, None where the report does not hold them.
    """

    view: str
    measure: str
    language: str
    entry: Mapping[str, Any]
    outcome: Outcome
    less_is_better: bool
    this: float | None = None
    other: float | None = None


def compared(report: Report) -> Mapping[str, Any]:
    """The comparison of a report, empty where there is none."""
    return report.get("comparison") or {}


def overall_rows(report: Report) -> list[Row]:
    """Every view and measure over all queries."""
    comparison = compared(report)
    return [
        _row(report, comparison, view, measure, "", entry)
        for view, measures in comparison.get("overall", {}).items()
        for measure, entry in measures.items()
    ]


def language_rows(report: Report) -> list[Row]:
    """Every view, measure and query language, languages within measures within views."""
    comparison = compared(report)
    by_language = comparison.get("by_language") or {}
    columns = {
        (view, measure): None
        for table in by_language.values()
        for view, measures in table.items()
        for measure in measures
    }
    return [
        _row(report, comparison, view, measure, lang, table[view][measure])
        for view, measure in columns
        for lang, table in by_language.items()
        if measure in table.get(view, {})
    ]


def tally(rows: Sequence[Row]) -> dict[Outcome, int]:
    """How many rows say what."""
    return {outcome: sum(row.outcome is outcome for row in rows) for outcome in Outcome}


def outcome_of(entry: Mapping[str, Any], *, less_is_better: bool) -> Outcome:
    """Better or worse where the interval excludes zero and the corrected p-value holds."""
    low, high = bounds(entry.get("ci95"))
    p = finite(entry.get("p_holm"))
    if low is None or high is None or p is None or p > LEVEL or low <= 0 <= high:
        return Outcome.NOT_TOLD
    return Outcome.BETTER if (low > 0) != less_is_better else Outcome.WORSE


def identities(report: Report) -> list[tuple[str, str, str]]:
    """(what, this, other) of everything that says what was measured."""
    baseline = compared(report).get("baseline") or {}
    keys = ("corpus", "version", "encoder", "data", "versions", "seed", "file")
    this, other = (
        {name: text for key in keys for name, text in flat(key, source.get(key))}
        for source in (report, baseline)
    )
    return [(name, this.get(name, ""), other.get(name, "")) for name in {**this, **other}]


def flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """(dotted name, text) of every leaf of a JSON value; nothing of null or an empty text."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        if value:
            yield name, ", ".join(str(item) for item in value)
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    elif isinstance(value, float):
        yield name, f"{value:.6g}"
    elif value is not None and value != "":
        yield name, str(value)


def _row(
    report: Report,
    comparison: Mapping[str, Any],
    view: str,
    measure: str,
    language: str,
    entry: Mapping[str, Any],
) -> Row:
    less = measure in (comparison.get("less_is_better") or ())
    this = None if language else _level(report, view, measure)
    other = None if language else _level(comparison.get("baseline") or {}, view, measure)
    if not _are_compared(this, other, finite(entry.get("difference"))):
        this = other = None
    return Row(
        view=view,
        measure=measure,
        language=language,
        entry=entry,
        outcome=outcome_of(entry, less_is_better=less),
        less_is_better=less,
        this=this,
        other=other,
    )


def _level(report: Report, view: str, measure: str) -> float | None:
    tables = report.get("protocols") or {}
    table = tables.get(view) if view != "pool" else report.get("measures")
    if view == "pool" and measure not in (table or {}):
        table = tables.get("multilingual")
    return finite(((table or {}).get(measure) or {}).get("mean"))


def _are_compared(this: float | None, other: float | None, difference: float | None) -> bool:
    """Whether two levels are those whose difference was taken.

    They are not where queries were left out of the comparison, or a mean was taken over languages.
    """
    if this is None or other is None or difference is None:
        return False
    return math.isclose(this - other, difference, rel_tol=1e-6, abs_tol=1e-9)
