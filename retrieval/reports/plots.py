"""Drawings of a report, as SVG for a page.

Widths and heights are in CSS pixels; colours are those of `palette`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from retrieval.reports import palette
from retrieval.reports.numbers import MINUS, in_ranks, text_of
from retrieval.reports.palette import Ink
from retrieval.reports.sheet import TEXT, Label, Sheet, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 22
_CELL = 40
_GAP = 38
_NARROW = 280  # with the names of rows, what a telephone is wide
_LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0, 1),
    "frameon": False,
    "fontsize": TEXT,
    "borderaxespad": 0.4,
    "borderpad": 0,
    "handlelength": 1.1,
    "handleheight": 0.9,
    "handletextpad": 0.5,
    "columnspacing": 1.4,
    "labelcolor": Ink.TEXT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value with its interval; None is no value, or no bound. sure: the mark is filled."""

    value: float | None
    low: float | None = None
    high: float | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One column of marks, one a row. signed: differences, with a line at zero."""

    measure: str
    title: str
    marks: Sequence[Mark]
    signed: bool = False
    less_is_better: bool = False


def heat_map(
    label: Label,
    values: Sequence[Sequence[float | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    measure: str,
) -> Markup:
    """Cells with their value, query language down, passage language across; None is no value."""
    top = _top([value for row in values for value in row])
    left = _left(rows) + 18
    sheet = Sheet(width=_CELL * len(columns), height=_CELL * len(rows), left=left, top=48)
    with drawn(label, sheet) as ((axes,), drawing):
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                _cell(axes, x, y, value, top=top, measure=measure)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xticks([x + 0.5 for x in range(len(columns))], columns)
        axes.set_yticks([y + 0.5 for y in range(len(rows))], rows)
        style: dict[str, Any] = {"color": Ink.MUTED, "fontsize": TEXT}
        axes.set_xlabel("passages", loc="left", labelpad=7, **style)
        axes.set_ylabel("queries", loc="top", labelpad=7, **style)
    return drawing.markup


def forest(label: Label, panels: Sequence[Panel], *, rows: Sequence[str]) -> Markup:
    """Values with their 95% intervals, a row for each name and a panel for each measure.

    A mark is filled where it is sure, hollow where not.
    """
    sheet = Sheet(
        width=len(panels) * (168 + _GAP) - _GAP,
        height=_ROW * len(rows),
        left=_left(rows),
        top=26,
        bottom=40 if any(panel.signed for panel in panels) else 22,
        panels=len(panels),
        gap=_GAP,
    )
    with drawn(label, sheet) as (all_axes, drawing):
        for place, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
            _marks(axes, panel)
            _rows(axes, [""] * len(rows) if place else rows)
    return drawing.markup


def stacked_shares(
    label: Label,
    counts: Sequence[Sequence[int]],
    *,
    rows: Sequence[str],
    parts: Sequence[str],
    narrow: bool = False,
) -> Markup:
    """Each row a bar of length 1, divided by its counts; the last part is what was not found."""
    columns = 3 if narrow else math.ceil(len(parts) / 2)
    top = 16 + 17 * math.ceil(len(parts) / columns)
    width = _NARROW if narrow else 680
    sheet = Sheet(width=width, height=26 * len(rows), left=_left(rows), top=top, bottom=24)
    with drawn(label, sheet) as ((axes,), drawing):
        for y, row in enumerate(counts):
            _stack(axes, y, row, least=40 / width)
        axes.set_xlim(0, 1)
        _rows(axes, rows)
        ticks = [0, 0.25, 0.5, 0.75, 1]
        axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
        _parts_legend(axes, parts, columns)
    return drawing.markup


def paired_bars(
    label: Label,
    first: Sequence[float | None],
    second: Sequence[float | None],
    *,
    rows: Sequence[str],
    names: tuple[str, str],
    narrow: bool = False,
) -> Markup:
    """Two bars a row: the first filled, the second an outline."""
    looks: tuple[dict[str, Any], ...] = (
        {"facecolor": Ink.FIRST, "edgecolor": Ink.FIRST},
        {"facecolor": "none", "edgecolor": Ink.SECOND},
    )
    width = _NARROW if narrow else 560
    sheet = Sheet(width=width, height=28 * len(rows), left=_left(rows), top=34, bottom=24)
    with drawn(label, sheet) as ((axes,), drawing):
        for place, (values, look) in enumerate(zip((first, second), looks, strict=True)):
            heights = [y + (place - 0.5) * 0.38 for y in range(len(rows))]
            lengths = [value or 0.0 for value in values]
            axes.barh(heights, lengths, height=0.3, linewidth=1.2, label=names[place], **look)
        _rows(axes, rows)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(axis="x", color=Ink.GRID, linewidth=0.8)
        axes.legend(**_LEGEND, ncols=2)
    return drawing.markup


def _left(rows: Sequence[str]) -> int:
    """Room for the longest name of a row."""
    return 14 + 7 * max(len(name) for name in rows)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)


def _cell(axes: Axes, x: int, y: int, value: float | None, *, top: float, measure: str) -> None:
    from matplotlib.patches import Rectangle

    face, ink, text = "none", Ink.MUTED.value, "–"
    if value is not None:
        step = round(max(value, 0.0) / top * (palette.STEPS - 1))
        face, ink, text = palette.fill(step), palette.ink_on(step), _cell_text(value, measure)
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=face, edgecolor=Ink.PAPER, linewidth=1.5))
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", color=ink, fontsize=TEXT)


def _cell_text(value: float, measure: str) -> str:
    """Two decimals without the zero before them: what fits, and what a reader compares by."""
    if in_ranks(measure):
        return text_of(value, measure)
    text = f"{value:.2f}"
    return text.removeprefix("0") if value < 1 else text


def _top(values: Sequence[float | None]) -> float:
    """Where the colours end: the largest value, rounded up to a tenth."""
    largest = max((value for value in values if value is not None), default=0.0)
    return max(math.ceil(largest * 10 - 1e-9) / 10, 0.1)


def _marks(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(axis="x", color=Ink.GRID, linewidth=0.8)
    for y, mark in enumerate(panel.marks):
        _mark(axes, y, mark)
    axes.set_title(panel.title, color=Ink.TEXT, fontsize=TEXT + 1, loc="left", pad=8)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value, panel))
    if panel.signed:
        axes.axvline(0, color=Ink.MUTED, linewidth=1.2, zorder=1)
        less = panel.less_is_better
        better = "\N{LEFTWARDS ARROW} better" if less else "better \N{RIGHTWARDS ARROW}"
        side: Literal["left", "right"] = "left" if less else "right"
        axes.set_xlabel(better, color=Ink.MUTED, fontsize=TEXT, loc=side)


def _mark(axes: Axes, y: int, mark: Mark) -> None:
    if mark.value is None:
        return
    if mark.low is not None and mark.high is not None:
        axes.plot([mark.low, mark.high], [y, y], color=Ink.FIRST, linewidth=1.6)
    axes.plot(
        [mark.value],
        [y],
        marker="o",
        markersize=6,
        linestyle="none",
        markerfacecolor=Ink.FIRST if mark.sure else Ink.PAPER,
        markeredgecolor=Ink.FIRST,
        markeredgewidth=1.4,
    )


def _tick(value: float, panel: Panel) -> str:
    decimals = 0 if in_ranks(panel.measure) else 6
    text = f"{abs(value):,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    sign = MINUS if value < 0 else "+" if panel.signed and value else ""
    return sign + text


def _stack(axes: Axes, y: int, counts: Sequence[int], *, least: float) -> None:
    """One bar; shares of at least `least` have room to be told."""
    total = sum(counts) or 1
    left = 0.0
    for part, count in enumerate(counts):
        share = count / total
        face, ink = _part(part, len(counts))
        if count:
            look: dict[str, Any] = {"facecolor": face, "edgecolor": Ink.PAPER, "linewidth": 0.8}
            axes.barh(y, share, left=left, height=0.76, **look)
        if share >= least:
            style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": TEXT}
            axes.text(left + share / 2, y, f"{share:.0%}", color=ink, **style)
        left += share


def _part(part: int, count: int) -> tuple[str, str]:
    """(fill, text) from the best to the worst; the last is what was not found."""
    if part == count - 1:
        return Ink.ABSENT, Ink.PAPER
    step = round((palette.STEPS - 3) * (1 - part / max(count - 1, 1))) + 1
    return palette.fill(step), palette.ink_on(step)


def _parts_legend(axes: Axes, parts: Sequence[str], columns: int) -> None:
    """Lines read one after the other; the library fills its columns first."""
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=_part(place, len(parts))[0], label=name) for place, name in enumerate(parts)
    ]
    handles = [patch for column in range(columns) for patch in patches[column::columns]]
    axes.legend(handles=handles, ncols=columns, **_LEGEND)
