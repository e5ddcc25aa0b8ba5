"""Which passages may be found, by their metadata: a small language in JSON.

    {"source": "wiki"}                       equal
    {"year": {"gte": 2010, "lt": 2020}}      eq, gt, gte, lt, lte; all must hold of one value
    {"tag": {"in": ["a", "b"]}}              any of these
    {"source": "wiki", "year": 2019}         all of these
    {"or": [{...}, {...}]}, {"and": [...]}, {"not": {...}}
    {"source": null}                         without a value

A list in the metadata matches where one of its elements does. Text is ordered by code point, so
that ISO dates are in order. Numbers, text and booleans are never equal to each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.store.fields import Field, Fields, ValueKind, Values
from retrieval.vectors import RowFilter

MOST_DEPTH = 16
MOST_VALUES = 10_000
"""Fields and values that one filter may name."""

Scalar = str | int | float | bool
Mask = NDArray[np.bool_]

_NUMBERS = frozenset({ValueKind.INTEGER, ValueKind.DECIMAL})
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": pc.equal,
    "gt": pc.greater,
    "gte": pc.greater_equal,
    "lt": pc.less,
    "lte": pc.less_equal,
}
_OPERATORS = (*_COMPARE, "in")
_JOINED = ("and", "or")


class Filter(Protocol):
    """A condition on passages."""

    def mask(self, fields: Fields, passages: int) -> Mask:
        """Whether it holds, by row. Raises BadInput for unknown fields and other types."""
        ...


@dataclass(frozen=True, slots=True)
class _Joined:
    """All of `parts`, or any of them."""

    parts: tuple[Filter, ...]
    is_any: bool

    def mask(self, fields: Fields, passages: int) -> Mask:
        result = np.full(passages, not self.is_any)
        for part in self.parts:
            found = part.mask(fields, passages)
            result = result | found if self.is_any else result & found
        return result


@dataclass(frozen=True, slots=True)
class _Not:
    part: Filter

    def mask(self, fields: Fields, passages: int) -> Mask:
        return ~self.part.mask(fields, passages)


@dataclass(frozen=True, slots=True)
class _Absent:
    """The field has no value."""

    name: str

    def mask(self, fields: Fields, passages: int) -> Mask:
        field = fields[self.name]
        if ValueKind.OBJECT in field.kinds:
            raise _mismatch(field, "null")
        result = np.ones(passages, dtype=bool)
        for values in field.by_kind.values():
            result[values.rows_V] = False
        return result


@dataclass(frozen=True, slots=True)
class _Test:
    """One operator with its operand; several operands mean any of them."""

    operator: str
    operands: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    """All tests hold of one value of the field."""

    name: str
    tests: tuple[_Test, ...]

    def mask(self, fields: Fields, passages: int) -> Mask:
        field = fields[self.name]
        for test in self.tests:
            _check_kinds(field, test)
        result = np.zeros(passages, dtype=bool)
        for kind, values in field.by_kind.items():
            holds_V = np.ones(len(values.rows_V), dtype=bool)
            for test in self.tests:
                holds_V &= _holds(values, kind, test)
            result[values.rows_V[holds_V]] = True
        return result


def parse_filter(value: object) -> Filter:
    """A filter out of parsed JSON. Raises BadInput."""
    counted = [0]
    return _parse(value, depth=0, counted=counted)


def filter_object(text: str) -> dict[str, object]:
    """The JSON object of a filter that came as text. Raises BadInput."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            f"the filter is broken JSON ({error.msg} at column {error.colno})", fix=_EXAMPLE
        ) from error
    if not isinstance(value, dict):
        raise _no_object(value)
    return value


def narrowed(rows: RowFilter | None, mask_P: Mask) -> RowFilter:
    """The rows of `rows` (None: all) where `mask_P` is true."""
    if rows is None:
        return RowFilter.from_mask(mask_P)
    both_P = np.zeros_like(mask_P)
    both_P[rows.rows] = mask_P[rows.rows]
    return RowFilter.from_mask(both_P)


_EXAMPLE = 'Write it as in {"source": "wiki", "year": {"gte": 2010}}.'


def _parse(value: object, *, depth: int, counted: list[int]) -> Filter:
    if not isinstance(value, dict) or not value:
        raise _no_object(value)
    if depth > MOST_DEPTH:
        raise BadInput(f"the filter is nested deeper than {MOST_DEPTH}")
    parts = tuple(
        _part(name, inner, depth=depth + 1, counted=counted) for name, inner in value.items()
    )
    return parts[0] if len(parts) == 1 else _Joined(parts, is_any=False)


def _no_object(value: object) -> BadInput:
    what = f"a filter is an object with at least one field, found {_shown(value)}"
    return BadInput(what, fix=_EXAMPLE)


def _shown(value: object) -> str:
    return repr(value)[:60]


def _part(name: str, value: object, *, depth: int, counted: list[int]) -> Filter:
    _count(1, counted)
    if name in _JOINED:
        if not isinstance(value, list) or not value:
            raise BadInput(f"{name!r} takes a list of filters, found {_shown(value)}")
        parts = tuple(_parse(inner, depth=depth, counted=counted) for inner in value)
        return _Joined(parts, is_any=name == "or")
    if name == "not":
        return _Not(_parse(value, depth=depth, counted=counted))
    if value is None or value == {"eq": None}:
        return _Absent(name)
    if not isinstance(value, dict):
        return _Match(name, (_Test("eq", (_scalar(value, name),)),))
    if not value:
        raise BadInput(f"the filter on {name!r} is empty", fix=f"Use {', '.join(_OPERATORS)}.")
    return _Match(name, tuple(_test(name, *item, counted) for item in value.items()))


def _test(name: str, operator: str, operand: object, counted: list[int]) -> _Test:
    if operator not in _OPERATORS:
        raise BadInput(
            f"the filter on {name!r} has {operator!r}", fix=f"Use {', '.join(_OPERATORS)}."
        )
    if operator == "in":
        if not isinstance(operand, list) or not operand:
            raise BadInput(f"'in' of {name!r} takes a list of values, found {_shown(operand)}")
        _count(len(operand), counted)
        return _Test("eq", tuple(_scalar(value, name) for value in operand))
    found = _scalar(operand, name)
    if isinstance(found, bool) and operator != "eq":
        raise BadInput(f"{operator!r} of {name!r} cannot order {operand!r}")
    return _Test(operator, (found,))


def _count(more: int, counted: list[int]) -> None:
    counted[0] += more
    if counted[0] > MOST_VALUES:
        raise BadInput(f"the filter names more than {MOST_VALUES} fields and values")


def _scalar(value: object, name: str) -> Scalar:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) < 2**64:
        return value
    raise BadInput(
        f"the filter on {name!r} compares with {_shown(value)}",
        fix="Compare with text, a number, true or false.",
    )


def _kinds_of(operand: Scalar) -> frozenset[ValueKind]:
    if isinstance(operand, str):
        return frozenset({ValueKind.STRING})
    return frozenset({ValueKind.BOOLEAN}) if isinstance(operand, bool) else _NUMBERS


def _check_kinds(field: Field, test: _Test) -> None:
    for operand in test.operands:
        if not _kinds_of(operand) & field.kinds:
            raise _mismatch(field, repr(operand))


def _mismatch(field: Field, operand: str) -> BadInput:
    holds = " and ".join(sorted(field.kinds)) or "nothing"
    return BadInput(
        f"the metadata field {field.name!r} holds {holds}; it cannot be compared with {operand}",
        fix="Compare with a value of that kind.",
    )


def _holds(values: Values, kind: ValueKind, test: _Test) -> Mask:
    operands = [operand for operand in test.operands if kind in _kinds_of(operand)]
    if kind is ValueKind.STRING:
        dictionary = values.values.dictionary
        holds_D = _compared(dictionary, test.operator, operands)
        return np.asarray(holds_D[values.values.indices.to_numpy()])
    return _compared(values.values, test.operator, operands)


def _compared(array: Any, operator: str, operands: Sequence[Scalar]) -> Mask:
    """Whether each value of an Arrow array compares so with any of `operands`."""
    if operator == "eq":
        exact = [found for operand in operands if (found := _as_type(operand, array.type))]
        found = pc.is_in(array, value_set=pa.array([v for (v,) in exact], array.type))
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)
    if not operands:
        return np.zeros(len(array), dtype=bool)
    operand: Any = operands[0]
    if pa.types.is_integer(array.type):
        operator, operand = _whole(operator, operand)
    elif pa.types.is_floating(array.type):
        operand = float(operand)
    found = _COMPARE[operator](array, pa.scalar(operand, array.type))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _as_type(operand: Scalar, type_: Any) -> tuple[Scalar] | None:
    """The operand as that type, in a tuple; None where no value of the type equals it."""
    if not pa.types.is_integer(type_):
        return (float(operand),) if pa.types.is_floating(type_) else (operand,)
    whole = int(operand)
    return (whole,) if whole == operand and -(2**63) <= whole < 2**63 else None


def _whole(operator: str, operand: float) -> tuple[str, int]:
    """The same comparison of whole numbers, with a whole number that 64 bits can hold."""
    up = operator in ("gte", "lt")
    bound = math.ceil(operand) if up else math.floor(operand)
    if bound >= 2**63:
        return ("lte", 2**63 - 1) if operator in ("lt", "lte") else ("gt", 2**63 - 1)
    if bound < -(2**63):
        return ("gte", -(2**63)) if operator in ("gt", "gte") else ("lt", -(2**63))
    return operator, bound
