"""Colours of a page by name, in light and in dark, and how a drawing refers to them.

A drawing is made in stand-in colours that no data has; in the page each becomes a variable of the
style sheet, so that one drawing serves both schemes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

STEPS = 32
"""Of the ramp by which values are shown as colours."""

# One order of lightness, hence of every kind of colour vision, away from the paper. In light it is
# ColorBrewer's 9-class GnBu; in dark its hues from near the paper up.
_LIGHT_RAMP = [
    "f7fcf0",
    "e0f3db",
    "ccebc5",
    "a8ddb5",
    "7bccc4",
    "4eb3d3",
    "2b8cbe",
    "0868ac",
    "084081",
]
_DARK_RAMP = [
    "1c2930",
    "1d3844",
    "1e4a5b",
    "1f5e72",
    "2b758a",
    "4590a0",
    "6cadb4",
    "9ecbc8",
    "d8ece2",
]

_LIGHT = {
    "paper": "#fdfdfb",
    "raised": "#f4f4f0",
    "text": "#1d2125",
    "muted": "#5b636b",
    "grid": "#dfe1dd",
    "rule": "#cfd3cf",
    "link": "#1f5f93",
    "first": "#1f6a9e",
    "second": "#a8540b",
    "absent": "#8a9096",
    "good": "#17663a",
    "bad": "#a52a1e",
    "good-soft": "#e3f1e7",
    "bad-soft": "#fae6e3",
    "soft": "#ecedea",
    "shade": "#1d212526",
}
_DARK = {
    "paper": "#15181b",
    "raised": "#1d2125",
    "text": "#e4e6e3",
    "muted": "#9aa3aa",
    "grid": "#2e343a",
    "rule": "#3a4148",
    "link": "#83bdea",
    "first": "#6db1e0",
    "second": "#e5a058",
    "absent": "#737a81",
    "good": "#86d3a1",
    "bad": "#f19a8d",
    "good-soft": "#1b3325",
    "bad-soft": "#40211d",
    "soft": "#282d32",
    "shade": "#00000099",
}


class Ink(StrEnum):
    """Stand-ins for the colours of text, lines and bars."""

    TEXT = "#010203"
    MUTED = "#020304"
    GRID = "#030405"
    PAPER = "#040506"
    FIRST = "#050607"
    SECOND = "#060708"
    ABSENT = "#070809"


def fill(step: int) -> str:
    """The stand-in for a step of the ramp, 0 the smallest value."""
    return f"#0a00{step:02x}"


def ink_on(step: int) -> str:
    """The stand-in for text on that step."""
    return f"#0b00{step:02x}"


def stand_ins() -> dict[str, str]:
    """Stand-in -> the variable that takes its place."""
    steps = range(STEPS)
    return {
        **{ink.value: f"var(--{ink.name.lower()})" for ink in Ink},
        **{fill(step): f"var(--ramp-{step})" for step in steps},
        **{ink_on(step): f"var(--on-ramp-{step})" for step in steps},
    }


def colours(*, dark: bool) -> Mapping[str, str]:
    """Variable -> colour of a scheme. Large values stand out from the paper in both."""
    anchors = _DARK_RAMP if dark else _LIGHT_RAMP
    ramp = [_between(anchors, step / (STEPS - 1)) for step in range(STEPS)]
    return {
        **(_DARK if dark else _LIGHT),
        **{f"ramp-{step}": colour for step, colour in enumerate(ramp)},
        **{f"on-ramp-{step}": _on(colour) for step, colour in enumerate(ramp)},
    }


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours `#rrggbb`, 1 to 21. Source: WCAG 2.2."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _between(anchors: Sequence[str], place: float) -> str:
    """The colour at a place from 0 to 1 along the anchors."""
    below, part = divmod(place * (len(anchors) - 1), 1)
    first = _channels(anchors[int(below)])
    second = _channels(anchors[min(int(below) + 1, len(anchors) - 1)])
    mixed = (a + (b - a) * part for a, b in zip(first, second, strict=True))
    return "#" + "".join(f"{round(channel):02x}" for channel in mixed)


def _on(colour: str) -> str:
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def _luminance(colour: str) -> float:
    shares = [channel / 255 for channel in _channels(colour.removeprefix("#"))]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(digits: str) -> list[int]:
    return [int(digits[place : place + 2], 16) for place in (0, 2, 4)]
