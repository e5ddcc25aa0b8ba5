"""What a drawing is made on: panels of a given size, in the library's plainest look."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup

from retrieval.reports import palette
from retrieval.reports.palette import Ink
from retrieval.reports.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT = 11.0
"""Height of letters, in pixels."""

_DPI = 72  # that of SVG: a point is a pixel
_RIGHT = 14
# The library's settings are the process's: a drawing must not meet another one's.
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """key: what a drawing's ids begin with. title, description: for those who cannot see it."""

    key: str
    title: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
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
        """Width and height of the whole."""
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
class Drawing:
    """markup: the `<svg>`, once it is drawn."""

    markup: Markup = field(default_factory=Markup)


@contextmanager
def drawn(label: Label, sheet: Sheet) -> Iterator[tuple[Sequence[Axes], Drawing]]:
    """Bare axes to draw on; once that is done, the drawing has its markup."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawing = Drawing()
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
    axes.tick_params(length=0, labelsize=TEXT, labelcolor=Ink.TEXT, pad=6)
