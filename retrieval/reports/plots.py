"""Drawings of a report, as SVG for a page: the one place that draws.

Colours are those of the page: text, lines and bars have names (`Ink`) that its style sheet gives a
value in light and in dark. Widths and heights are in CSS pixels.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from markupsafe import Markup

from retrieval.reports.numbers import in_ranks, text_of
from retrieval.reports.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

ROW = 22
"""Height of a row of bars or marks."""

_TEXT = 11.0
_DPI = 72  # that of SVG: a point is a pixel
# The library's settings are the process's: a drawing must not meet another one's.
_LOCK = threading.Lock()


class Ink(StrEnum):
    """Colours that stand for one of the page; no data has them."""

    TEXT = "#010203"
    MUTED = "#020304"
    GRID = "#030405"
    PAPER = "#040506"
    FIRST = "#050607"
    SECOND = "#060708"


_VARIABLES = {ink.value: f"var(--{ink.name.lower()})" for ink in Ink}


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
    cell = 40
    side = {"left": 58, "right": 14, "top": 44, "bottom": 12}
    with _drawing(label, cell * len(columns), cell * len(rows), side) as (figure, drawing):
        axes = figure.axes[0]
        colours = _sequence()
        top = _top([value for row in values for value in row])
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                _cell(axes, x, y, value, None if value is None else colours(value / top), measure)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows), 0)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xticks([x + 0.5 for x in range(len(columns))], columns)
        axes.set_yticks([y + 0.5 for y in range(len(rows))], rows)
        axes.set_xlabel("language of the passages", color=Ink.MUTED, fontsize=_TEXT)
        axes.set_ylabel("language of the queries", color=Ink.MUTED, fontsize=_TEXT)
    return drawing.markup


def forest(label: Label, panels: Sequence[Panel], *, rows: Sequence[str]) -> Markup:
    """Values with their 95% intervals, a row for each name and a panel for each measure.

    A mark is filled where it is sure, hollow where not.
    """
    gap, width = 26, 168
    side = {"left": 64, "right": 14, "top": 26, "bottom": 40}
    full = len(panels) * (width + gap) - gap
    with _drawing(label, full, ROW * len(rows), side, panels=len(panels), gap=gap) as (
        figure,
        drawing,
    ):
        for axes, panel in zip(figure.axes, panels, strict=True):
            _marks(axes, panel)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(range(len(rows)), rows if axes is figure.axes[0] else [""] * len(rows))
    return drawing.markup


def stacked_shares(
    label: Label, counts: Sequence[Sequence[int]], *, rows: Sequence[str], parts: Sequence[str]
) -> Markup:
    """Each row a bar of length 1, divided by its counts; the last part is what was not found."""
    side = {"left": 64, "right": 14, "top": 50, "bottom": 24}
    with _drawing(label, 640, (ROW + 4) * len(rows), side) as (figure, drawing):
        axes = figure.axes[0]
        colours = _parts(len(parts))
        for y, row in enumerate(counts):
            _stack(axes, y, row, colours)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), rows)
        ticks = [0, 0.25, 0.5, 0.75, 1]
        axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
        _legend(axes, parts, colours, columns=math.ceil(len(parts) / 2))
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
    side = {"left": 64, "right": 14, "top": 34, "bottom": 24}
    with _drawing(label, 520, (ROW + 6) * len(rows), side) as (figure, drawing):
        axes = figure.axes[0]
        looks = (
            {"facecolor": Ink.FIRST, "edgecolor": Ink.FIRST},
            {"facecolor": "none", "edgecolor": Ink.SECOND},
        )
        for place, (values, look) in enumerate(zip((first, second), looks, strict=True)):
            heights = [y + (place - 0.5) * 0.38 for y in range(len(rows))]
            lengths = [value or 0.0 for value in values]
            axes.barh(heights, lengths, height=0.3, linewidth=1.2, label=names[place], **look)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), rows)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(axis="x", color=Ink.GRID, linewidth=0.8)
        axes.legend(**_LEGEND, ncols=2, bbox_to_anchor=(0, 1))
    return drawing.markup


_LEGEND = {
    "loc": "lower left",
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


class _Drawing:
    markup: Markup


@contextmanager
def _drawing(
    label: Label,
    width: int,
    height: int,
    side: dict[str, int],
    *,
    panels: int = 1,
    gap: int = 0,
) -> Iterator[tuple[Figure, _Drawing]]:
    """A figure whose axes share `width` x `height` pixels; afterwards the drawing has its markup."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as NewFigure

    full = (width + side["left"] + side["right"], height + side["top"] + side["bottom"])
    drawing = _Drawing()
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": label.key})
        mpl.rcParams.update({"text.parse_math": False, "axes.unicode_minus": True})
        figure = NewFigure(figsize=(full[0] / _DPI, full[1] / _DPI), dpi=_DPI, facecolor="none")
        each = (width - gap * (panels - 1)) / panels
        for panel in range(panels):
            left = side["left"] + panel * (each + gap)
            box = (left / full[0], side["bottom"] / full[1], each / full[0], height / full[1])
            _bare(figure.add_axes(box))
        yield figure, drawing
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing.markup = inline_svg(
        buffer.getvalue(),
        key=label.key,
        title=label.title,
        description=label.description,
        colours=_VARIABLES,
    )


def _bare(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=_TEXT, labelcolor=Ink.TEXT, pad=5)


def _cell(
    axes: Axes,
    x: int,
    y: int,
    value: float | None,
    colour: tuple[float, float, float, float] | None,
    measure: str,
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y), 1, 1, facecolor=colour or "none", edgecolor=Ink.PAPER, linewidth=1.5)
    )
    text = "–" if value is None else _cell_text(value, measure)
    ink = Ink.MUTED if colour is None else _on(colour)
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", color=ink, fontsize=_TEXT)


def _cell_text(value: float, measure: str) -> str:
    """Two decimals without the zero before them: what fits, and what a reader compares by."""
    if in_ranks(measure):
        return text_of(value, measure)
    text = f"{value:.2f}"
    return text.removeprefix("0") if value < 1 else text


def _marks(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(axis="x", color=Ink.GRID, linewidth=0.8)
    if panel.signed:
        axes.axvline(0, color=Ink.MUTED, linewidth=1.2)
    for y, mark in enumerate(panel.marks):
        if mark.value is None:
            continue
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.low, mark.high], [y, y], color=Ink.FIRST, linewidth=1.6)
        face = Ink.FIRST if mark.sure else Ink.PAPER
        style = {"markerfacecolor": face, "markeredgecolor": Ink.FIRST, "markeredgewidth": 1.4}
        axes.plot([mark.value], [y], marker="o", markersize=6, linestyle="none", **style)
    axes.set_title(panel.title, color=Ink.TEXT, fontsize=_TEXT + 1, loc="left", pad=8)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value, panel))
    if panel.signed:
        better = "\N{LEFTWARDS ARROW} better" if panel.less_is_better else "better \N{RIGHTWARDS ARROW}"
        axes.set_xlabel(better, color=Ink.MUTED, fontsize=_TEXT, loc="left" if panel.less_is_better else "right")


def _tick(value: float, panel: Panel) -> str:
    text = f"{abs(value):,.0f}" if in_ranks(panel.measure) else f"{abs(value):.6f}".rstrip("0")
    text = text.removesuffix(".")
    return text if not panel.signed or not value else ("\N{MINUS SIGN}" if value < 0 else "+") + text


def _stack(
    axes: Axes, y: int, counts: Sequence[int], colours: Sequence[tuple[float, float, float, float]]
) -> None:
    total = sum(counts) or 1
    left = 0.0
    for part, count in enumerate(counts):
        share = count / total
        look = {"facecolor": colours[part], "edgecolor": Ink.PAPER, "linewidth": 0.8}
        if count:
            axes.barh(y, share, left=left, height=0.76, **look)
        if share >= 0.07:
            style = {"ha": "center", "va": "center_baseline", "fontsize": _TEXT - 0.5}
            axes.text(left + share / 2, y, f"{share:.0%}", color=_on(colours[part]), **style)
        left += share


def _legend(
    axes: Axes,
    parts: Sequence[str],
    colours: Sequence[tuple[float, float, float, float]],
    *,
    columns: int,
) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=colour, label=part) for part, colour in zip(parts, colours, strict=True)
    ]
    axes.legend(handles=patches, ncols=columns, bbox_to_anchor=(0, 1), **_LEGEND)


def _parts(count: int) -> list[tuple[float, float, float, float]]:
    """From the best to the worst, and grey for what was not found."""
    steps = max(count - 2, 1)
    colours = _sequence()
    return [*(colours(1 - part / steps) for part in range(count - 1)), (0.55, 0.55, 0.55, 1.0)]


def _sequence() -> Colormap:
    """From dark to light, the same order for every kind of colour vision, neither end too faint."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap([colormaps["cividis"](0.1 + 0.88 * step / 255) for step in range(256)])


def _top(values: Sequence[float | None]) -> float:
    """Where the colours end: the largest value, rounded up to a tenth."""
    largest = max((value for value in values if value is not None), default=0.0)
    return max(math.ceil(largest * 10 - 1e-9) / 10, 0.1)


def _on(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever reads better on a colour (WCAG 2.2, relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if luminance > 0.18 else "#ffffff"
