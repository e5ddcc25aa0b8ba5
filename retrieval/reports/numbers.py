"""Figures as a page shows them: rounded for the eye, exact for a program."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

NONE = "–"
"""What stands where there is no value."""

MINUS = "\N{MINUS SIGN}"
_RANKS = ("rank_distance", "max@r")


def finite(value: object) -> float | None:
    """A JSON number; None for null, for what is no number and for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def bounds(interval: object) -> tuple[float | None, float | None]:
    """Both ends of a JSON interval, None for an end that is missing or infinite."""
    if not isinstance(interval, Sequence) or isinstance(interval, str) or len(interval) != 2:
        return None, None
    return finite(interval[0]), finite(interval[1])


def in_ranks(measure: str) -> bool:
    """Whether a measure is counted in ranks; all others lie between 0 and 1."""
    return measure in _RANKS


def text_of(value: float, measure: str, *, signed: bool = False, decimals: int = 3) -> str:
    """A value rounded; fewer than ten ranks have one decimal, more have none."""
    if in_ranks(measure):
        decimals = 0 if abs(value) >= 10 else 1
    text = f"{abs(value):,.{decimals}f}"
    if not float(text.replace(",", "")):
        return text
    sign = MINUS if value < 0 else "+" if signed else ""
    return sign + text


def figure(value: object, measure: str = "") -> Markup:
    """A mean of a measure."""
    number = finite(value)
    return _data(number, "" if number is None else text_of(number, measure))


def change(value: object, measure: str = "") -> Markup:
    """A difference of a measure: with its sign, and one decimal more."""
    number = finite(value)
    text = "" if number is None else text_of(number, measure, signed=True, decimals=4)
    return _data(number, text)


def gap(value: object, measure: str = "") -> Markup:
    """The size of a difference of a measure."""
    number = finite(value)
    return _data(number, "" if number is None else text_of(number, measure, decimals=4))


def interval(ends: object, measure: str = "", *, signed: bool = False) -> Markup:
    """`[low, high]`; without ends there is no interval."""
    show = change if signed else figure
    low, high = bounds(ends)
    if low is None and high is None:
        return Markup('<span class="none">no interval</span>')
    return Markup('<span class="ends">[{}, {}]</span>').format(
        show(low, measure), show(high, measure)
    )


def count(value: object) -> Markup:
    """A whole number."""
    number = finite(value)
    return _data(number, "" if number is None else f"{number:,.0f}")


def probability(value: object) -> Markup:
    """A p-value, to four decimals."""
    number = finite(value)
    if number is None:
        return _data(None, "")
    return _data(number, "<0.0001" if number < 0.00005 else f"{number:.4f}")


def median(value: object) -> Markup:
    """A rank that may lie half-way between two."""
    number = finite(value)
    return _data(number, "" if number is None else f"{number:,.1f}".removesuffix(".0"))


def score(value: object) -> Markup:
    """A ranker's score, to four decimals."""
    number = finite(value)
    return _data(number, "" if number is None else text_of(number, "", decimals=4))


def _data(value: float | None, text: str) -> Markup:
    if value is None:
        return Markup('<span class="none">{}</span>').format(NONE)
    exact = int(value) if value.is_integer() and abs(value) < 2**53 else value
    return Markup('<data value="{}">{}</data>').format(repr(exact), text)
