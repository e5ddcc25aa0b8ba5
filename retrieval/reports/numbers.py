"""Figures as a page shows them: rounded for the eye, exact for a program."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

NONE = "–"
"""What stands where there is no value."""

_MINUS = "\N{MINUS SIGN}"
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


def text_of(value: float, measure: str, *, signed: bool = False) -> str:
    """Three decimals, or whole ranks; a difference, `signed`, has one decimal more."""
    if in_ranks(measure):
        decimals = 0 if abs(value) >= 10 else 1
    else:
        decimals = 4 if signed else 3
    text = f"{abs(value):,.{decimals}f}"
    if not float(text.replace(",", "")):
        return text
    sign = _MINUS if value < 0 else "+" if signed else ""
    return sign + text


def figure(value: object, measure: str = "", *, signed: bool = False) -> Markup:
    """A mean, or with `signed` a difference, of a measure."""
    number = finite(value)
    return _data(number, "" if number is None else text_of(number, measure, signed=signed))


def change(value: object, measure: str = "") -> Markup:
    """A difference of a measure."""
    return figure(value, measure, signed=True)


def interval(ends: object, measure: str = "", *, signed: bool = False) -> Markup:
    """`[low, high]`; an end that is missing has no bound."""
    low, high = bounds(ends)
    if low is None and high is None:
        return Markup('<span class="none" title="too few clusters for an interval">no interval</span>')
    return Markup("[{}, {}]").format(
        figure(low, measure, signed=signed), figure(high, measure, signed=signed)
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


def short(value: object, decimals: int = 1) -> Markup:
    """A number of its own unit, such as a median rank, a score or seconds."""
    number = finite(value)
    if number is None:
        return _data(None, "")
    text = f"{abs(number):,.{decimals}f}"
    return _data(number, (_MINUS if number < 0 and float(text.replace(",", "")) else "") + text)


def _data(value: float | None, text: str) -> Markup:
    if value is None:
        return Markup('<span class="none">{}</span>').format(NONE)
    exact = int(value) if value.is_integer() and abs(value) < 2**53 else value
    return Markup('<data value="{}">{}</data>').format(repr(exact), text)
