"""Drawings of a report, as SVG for a page: the one place that draws.

Widths and heights are in CSS pixels; colours are those of `palette`.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from retrieval.reports import palette
from retrieval.reports.numbers import MINUS, in_ranks, text_of
from retrieval.reports.palette import Ink
from retrieval.reports.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXT = 11.0
_DPI = 72  # that of SVG: a point is a pixel
_ROW = 22
_CELL = 40
_RIGHT = 14
_LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0, 1),
    "frameon": False,
    "fontsize": _TEXT,
    "borderaxespad": 0.4,
    "borderpad": 0,
    "handlelength": 1.1,
    "handleheight": 0.9,
    "handletextpad": 0.5,
    "columnspacing": 1.4,
    "labelcolor": Ink.TEXT,
}
# The library's settings are the process's: a drawing must not meet another one's.
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """key: what a drawing's ids begin with. title, description: for those who cannot see it."""

    key: str
    title: str
    description: str


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
    sheet = _Sheet(width=_CELL * len(columns), height=_CELL * len(rows), left=left, top=48)
    with _drawn(label, sheet) as ((axes,), drawing):
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                _cell(axes, x, y, value, top=top, measure=measure)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xticks([x + 0.5 for x in range(len(columns))], columns)
        axes.set_yticks([y + 0.5 for y in range(len(rows))], rows)
        style: dict[str, Any] = {"color": Ink.MUTED, "fontsize": _TEXT}
        axes.set_xlabel("language of the passages", loc="left", labelpad=7, **style)
        axes.set_ylabel("language of the queries", loc="top", labelpad=7, **style)
    return drawing.markup


def forest(label: Label, panels: Sequence[Panel], *, rows: Sequence[str]) -> Markup:
    """Values with their 95% intervals, a row for each name and a panel for each measure.

    A mark is filled where it is sure, hollow where not.
    """
    sheet = _Sheet(
        width=len(panels) * 194 - 26,
        height=_ROW * len(rows),
        left=_left(rows),
        top=26,
        bottom=40 if any(panel.signed for panel in panels) else 22,
        panels=len(panels),
        gap=26,
    )
    with _drawn(label, sheet) as (all_axes, drawing):
        for place, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
            _marks(axes, panel)
            _rows(axes, [""] * len(rows) if place else rows)
    return drawing.markup


def stacked_shares(
    label: Label, counts: Sequence[Sequence[int]], *, rows: Sequence[str], parts: Sequence[str]
) -> Markup:
    """Each row a bar of length 1, divided by its counts; the last part is what was not found."""
    sheet = _Sheet(width=680, height=26 * len(rows), left=_left(rows), top=50, bottom=24)
    with _drawn(label, sheet) as ((axes,), drawing):
        for y, row in enumerate(counts):
            _stack(axes, y, row)
        axes.set_xlim(0, 1)
        _rows(axes, rows)
        ticks = [0, 0.25, 0.5, 0.75, 1]
        axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
        _parts_legend(axes, parts)
    return drawing.markup


def paired_bars(
    label: Label,
    first: Sequence[float | None],
    second: Sequence[float | None],
    *,
    rows: Sequence[str],
    names: tuple[str, str],
) -> Markup:
    """Two bars a row: the first filled, the second an outline."""
    looks: tuple[dict[str, Any], ...] = (
        {"facecolor": Ink.FIRST, "edgecolor": Ink.FIRST},
        {"facecolor": "none", "edgecolor": Ink.SECOND},
    )
    sheet = _Sheet(width=560, height=28 * len(rows), left=_left(rows), top=34, bottom=24)
    with _drawn(label, sheet) as ((axes,), drawing):
        for place, (values, look) in enumerate(zip((first, second), looks, strict=True)):
            heights = [y + (place - 0.5) * 0.38 for y in range(len(rows))]
            lengths = [value or 0.0 for value in values]
            axes.barh(heights, lengths, height=0.3, linewidth=1.2, label=names[place], **look)
        _rows(axes, rows)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(axis="x", color=Ink.GRID, linewidth=0.8)
        axes.legend(**_LEGEND, ncols=2)
    return drawing.markup


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """`width` x `height` pixels of axes in equal panels, with room around them."""

    width: int
    height: int
    left: int
    top: int
    bottom: int = 12
    panels: int = 1
    gap: int = 0

    @property
    def size(self) -> tuple[int, int]:
        return self.width + self.left + _RIGHT, self.height + self.top + self.bottom

    def boxes(self) -> Iterator[tuple[float, float, float, float]]:
        """(left, bottom, width, height) of each panel, as shares of the whole."""
        full_width, full_height = self.size
        each = (self.width - self.gap * (self.panels - 1)) / self.panels
        for panel in range(self.panels):
            left = self.left + panel * (each + self.gap)
            yield (
                left / full_width,
                self.bottom / full_height,
                each / full_width,
                self.height / full_height,
            )


@dataclass(slots=True)
class _Drawing:
    markup: Markup = field(default_factory=Markup)


@contextmanager
def _drawn(label: Label, sheet: _Sheet) -> Iterator[tuple[Sequence[Axes], _Drawing]]:
    """Bare axes to draw on; once that is done, the drawing has its markup."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawing = _Drawing()
    buffer = io.StringIO()
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()  # whatever a user's own settings file says
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": label.key})
        mpl.rcParams.update({"text.parse_math": False})
        width, height = sheet.size
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="none")
        all_axes = [figure.add_axes(box) for box in sheet.boxes()]
        for axes in all_axes:
            _strip(axes)
        yield all_axes, drawing
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing.markup = inline_svg(
        buffer.getvalue(),
        key=label.key,
        title=label.title,
        description=label.description,
        colours=palette.stand_ins(),
    )


def _strip(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=_TEXT, labelcolor=Ink.TEXT, pad=6)


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
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", color=ink, fontsize=_TEXT)


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
    axes.set_title(panel.title, color=Ink.TEXT, fontsize=_TEXT + 1, loc="left", pad=8)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value, panel))
    if panel.signed:
        axes.axvline(0, color=Ink.MUTED, linewidth=1.2, zorder=1)
        less = panel.less_is_better
        better = "\N{LEFTWARDS ARROW} better" if less else "better \N{RIGHTWARDS ARROW}"
        side = "left" if less else "right"
        axes.set_xlabel(better, color=Ink.MUTED, fontsize=_TEXT, loc=side)


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


def _stack(axes: Axes, y: int, counts: Sequence[int]) -> None:
    total = sum(counts) or 1
    left = 0.0
    for part, count in enumerate(counts):
        share = count / total
        face, ink = _part(part, len(counts))
        if count:
            look: dict[str, Any] = {"facecolor": face, "edgecolor": Ink.PAPER, "linewidth": 0.8}
            axes.barh(y, share, left=left, height=0.76, **look)
        if share >= 0.06:
            style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": _TEXT}
            axes.text(left + share / 2, y, f"{share:.0%}", color=ink, **style)
        left += share


def _part(part: int, count: int) -> tuple[str, str]:
    """(fill, text) from the best to the worst; the last is what was not found."""
    if part == count - 1:
        return Ink.ABSENT, Ink.PAPER
    step = round((palette.STEPS - 3) * (1 - part / max(count - 1, 1))) + 1
    return palette.fill(step), palette.ink_on(step)


def _parts_legend(axes: Axes, parts: Sequence[str]) -> None:
    """Two lines, read one after the other; the library fills its columns first."""
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=_part(place, len(parts))[0], label=name) for place, name in enumerate(parts)
    ]
    columns = math.ceil(len(patches) / 2)
    handles = [
        patches[place]
        for column in range(columns)
        for place in (column, column + columns)
        if place < len(patches)
    ]
    axes.legend(handles=handles, ncols=columns, **_LEGEND)
