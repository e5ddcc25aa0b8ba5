"""Which figures of a report are drawn, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from retrieval.reports import plots
from retrieval.reports.bias import language_shares
from retrieval.reports.compared import Outcome, Row, language_rows, overall_rows
from retrieval.reports.matrix import Matrix
from retrieval.reports.names import VIEWS, measure_name
from retrieval.reports.numbers import bounds, finite
from retrieval.reports.sheet import Label

HEAT_MAPS = 4
"""Measures that are drawn as heat maps; the tables hold all."""

ALL = "all"

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One measure of the language matrix."""

    measure: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """One drawing for a desk and for a telephone; the style sheet shows one of them."""

    wide: Markup
    narrow: Markup


def heat_maps(matrix: Matrix | None) -> list[HeatMap]:
    """The first measures of a matrix; none where no language was searched with another."""
    if matrix is None or not matrix.crosses:
        return []
    return [
        HeatMap(measure=measure, svg=_heat_map(matrix, measure, f"matrix-{place}"))
        for place, measure in enumerate(matrix.measures[:HEAT_MAPS])
    ]


def by_language(report: Report) -> Markup | None:
    """Every measure by query language; None where there is one language."""
    table = report.get("by_language") or {}
    if len(table) < 2:
        return None
    measures = list(dict.fromkeys(name for row in table.values() for name in row))
    panels = [
        plots.Panel(
            measure=measure,
            title=measure_name(measure),
            marks=[_mark(row.get(measure), "mean") for row in table.values()],
        )
        for measure in measures
    ]
    label = Label(
        key="languages",
        title="Measures by query language",
        description=f"Means with 95% intervals of {len(table)} query languages.",
    )
    return plots.forest(label, panels, rows=list(table))


def forests(report: Report) -> dict[str, Markup]:
    """View -> differences by query language, all queries first."""
    by_view: dict[str, list[Row]] = {}
    for row in [*overall_rows(report), *language_rows(report)]:
        by_view.setdefault(row.view, []).append(row)
    return {
        view: _forest(view, rows, f"differences-{place}")
        for place, (view, rows) in enumerate(by_view.items())
    }


def first_ranks(report: Report) -> Widths | None:
    """Where the first relevant passage stands, for all queries and by language."""
    section = report.get("first_rank") or {}
    if not section.get("n"):
        return None
    languages = section.get("by_language") or {}
    rows = {ALL: section, **(languages if len(languages) > 1 else {})}
    label = Label(
        key="rank",
        title="Rank of the first relevant passage",
        description="Share of queries whose first relevant passage stands in each range of ranks.",
    )
    return _widths(
        label,
        lambda label, narrow: plots.stacked_shares(
            label,
            [[*row["counts"], row["not_ranked"]] for row in rows.values()],
            rows=list(rows),
            parts=[*bin_names(section["bins"]), "not ranked"],
            narrow=narrow,
        ),
    )


def shares(report: Report) -> Widths | None:
    """How much of the first passages is in each language, beside its part of the relevant ones."""
    found = language_shares(report)
    if not found:
        return None
    names = (f"share of the first {found[0].key.partition('@')[2]}", "share of the relevant")
    label = Label(
        key="share",
        title="Languages of the first passages",
        description="For each passage language, its share of the first passages and of the"
        " relevant ones.",
    )
    return _widths(
        label,
        lambda label, narrow: plots.paired_bars(
            label,
            [entry.share for entry in found],
            [entry.among_relevant for entry in found],
            rows=[entry.language for entry in found],
            names=names,
            narrow=narrow,
        ),
    )


def bin_names(bins: Sequence[int | None]) -> list[str]:
    """`1`, `2-3`, ... , `over 10,000` of the last rank of each bin."""
    names: list[str] = []
    before = 0
    for last in bins:
        if last is None:
            names.append(f"over {before:,}")
        elif last == before + 1:
            names.append(f"{last:,}")
        else:
            names.append(f"{before + 1:,}\N{EN DASH}{last:,}")
        before = last or before
    return names


def _widths(label: Label, draw: Callable[[Label, bool], Markup]) -> Widths:
    return Widths(
        wide=draw(label, False),
        narrow=draw(replace(label, key=f"{label.key}-narrow"), True),
    )


def _heat_map(matrix: Matrix, measure: str, key: str) -> Markup:
    label = Label(
        key=key,
        title=f"{measure_name(measure)} by query and passage language",
        description=f"{len(matrix.rows)} query languages down, {len(matrix.columns)} passage"
        " languages across; the table beside it holds the same values.",
    )
    return plots.heat_map(
        label, matrix.values(measure), rows=matrix.rows, columns=matrix.columns, measure=measure
    )


def _forest(view: str, rows: Sequence[Row], key: str) -> Markup:
    languages = list(dict.fromkeys(row.language for row in rows))
    panels = []
    for measure in dict.fromkeys(row.measure for row in rows):
        found = {row.language: row for row in rows if row.measure == measure}
        panels.append(
            plots.Panel(
                measure=measure,
                title=measure_name(measure),
                marks=[_difference(found.get(lang)) for lang in languages],
                signed=True,
                less_is_better=any(row.less_is_better for row in found.values()),
            )
        )
    label = Label(
        key=key,
        title=f"Differences by query language: {VIEWS.get(view, view)}",
        description="Differences with 95% intervals; filled marks are told from chance.",
    )
    return plots.forest(label, panels, rows=[lang or ALL for lang in languages])


def _difference(row: Row | None) -> plots.Mark:
    if row is None:
        return plots.Mark(value=None)
    mark = _mark(row.entry, "difference")
    return plots.Mark(
        value=mark.value,
        low=mark.low,
        high=mark.high,
        sure=row.outcome is not Outcome.NOT_TOLD,
    )


def _mark(entry: Mapping[str, Any] | None, key: str) -> plots.Mark:
    if not entry:
        return plots.Mark(value=None)
    low, high = bounds(entry.get("ci95"))
    return plots.Mark(value=finite(entry.get(key)), low=low, high=high)
