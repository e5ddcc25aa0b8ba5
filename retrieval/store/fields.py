"""The metadata of a version's passages as typed Arrow columns, read when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.store.passages import Passages

CACHE_BYTES = 256 * 2**20
"""Columns of a version that are kept; those that were not used for longest go first."""

_MOST_NAMED = 20


class ValueKind(StrEnum):
    """What a value of metadata is. A list counts by its elements."""

    STRING = "text"
    INTEGER = "whole number"
    DECIMAL = "decimal number"
    BOOLEAN = "true or false"
    OBJECT = "object"


_TYPES = {
    ValueKind.STRING: pa.dictionary(pa.int32(), pa.large_string()),
    ValueKind.INTEGER: pa.int64(),
    ValueKind.DECIMAL: pa.float64(),
    ValueKind.BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of one kind in a field: values[i] belongs to row rows_V[i].

    values: an Arrow array; text is dictionary-encoded. A row with a list has several values.
    """

    rows_V: NDArray[np.int64]
    values: Any

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return int(self.rows_V.nbytes + self.values.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field of the metadata of every passage, by kind of value."""

    name: str
    by_kind: Mapping[ValueKind, Values]
    kinds: frozenset[ValueKind]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(values.size for values in self.by_kind.values())


class Fields:
    """The fields of a version's metadata.

    The first use of a field reads the metadata of every passage once; what it found stays in
    memory, up to `cache_bytes` for all fields together. Threads may share it.
    """

    def __init__(self, passages: Passages, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._passages = passages
        self._cache_bytes = cache_bytes
        self._names: set[str] | None = None
        self._kept: OrderedDict[str, Field] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Field:
        """Raises BadInput for a field that no passage has; it names those that some have."""
        with self._lock:
            if name not in self._kept:
                self._keep(self._read(name))
            self._kept.move_to_end(name)
            return self._kept[name]

    def _keep(self, field: Field) -> None:
        self._kept[field.name] = field
        while len(self._kept) > 1 and sum(f.size for f in self._kept.values()) > self._cache_bytes:
            self._kept.popitem(last=False)

    def _read(self, name: str) -> Field:
        if self._names is not None and name not in self._names:
            raise _unknown(name, self._names)
        columns = {kind: _Column() for kind in ValueKind}
        names: set[str] = set()
        first = 0
        for batch in self._passages.metadata():
            for row, value in _values(batch, name, names, first):
                kind = _kind(value)
                columns[kind].add(row, _as_decimal(value) if kind is ValueKind.DECIMAL else value)
            for kind, column in columns.items():
                column.flush(kind)
            first += len(batch)
        self._names = names
        if name not in names:
            raise _unknown(name, names)
        kinds = frozenset(kind for kind, column in columns.items() if column.found)
        by_kind = {kind: columns[kind].values(kind) for kind in _TYPES if kind in kinds}
        return Field(name, by_kind, kinds)


class _Column:
    """The values of one kind, gathered batch by batch."""

    def __init__(self) -> None:
        self.found = False
        self._rows: list[int] = []
        self._values: list[object] = []
        self._row_arrays: list[NDArray[np.int64]] = []
        self._value_arrays: list[Any] = []

    def add(self, row: int, value: object) -> None:
        self._rows.append(row)
        self._values.append(value)

    def flush(self, kind: ValueKind) -> None:
        """Turn what was added into arrays; of objects only that there are some is kept."""
        if self._rows:
            self.found = True
            if kind in _TYPES:
                self._row_arrays.append(np.array(self._rows, dtype=np.int64))
                self._value_arrays.append(pa.array(self._values, _TYPES[kind]))
            self._rows, self._values = [], []

    def values(self, kind: ValueKind) -> Values:
        """Everything that was added, as one array."""
        chunks = pa.chunked_array(self._value_arrays, _TYPES[kind]).unify_dictionaries()
        return Values(np.concatenate(self._row_arrays), chunks.combine_chunks())


def _values(
    batch: list[str], name: str, names: set[str], first: int
) -> Iterator[tuple[int, object]]:
    """(row, value) of each value of a field, those of a list one by one; adds to `names`."""
    for row, encoded in enumerate(batch, start=first):
        if not encoded:
            continue
        record = orjson.loads(encoded)
        names.update(record)
        value = record.get(name)
        if isinstance(value, list):
            for element in value:
                if element is not None:
                    yield row, element
        elif value is not None:
            yield row, value


def _kind(value: object) -> ValueKind:
    if isinstance(value, str):
        return ValueKind.STRING
    if isinstance(value, bool):
        return ValueKind.BOOLEAN
    if isinstance(value, int) and value < 2**63:
        return ValueKind.INTEGER
    return ValueKind.DECIMAL if isinstance(value, int | float) else ValueKind.OBJECT


def _as_decimal(value: object) -> object:
    """Whole numbers of more than 63 bits become decimal ones."""
    return float(value) if isinstance(value, int) else value


def _unknown(name: str, names: set[str]) -> BadInput:
    known = sorted(names)[:_MOST_NAMED]
    more = f" and {len(names) - len(known)} more" if len(names) > len(known) else ""
    return BadInput(
        f"no passage has the metadata field {name!r}",
        fix=f"There are {', '.join(known)}{more}." if known else "The corpus has no metadata.",
    )
