"""Passages on disk: an Arrow IPC file, written batch by batch and read through a memory map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import DuplicateId
from retrieval.types import Passage

# Texts of one batch may pass the 2 GiB that 32-bit offsets can address.
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("title", pa.large_string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("metadata", pa.large_string(), nullable=False),
        # Not in files of release 0.1, whose passages are all whole documents.
        pa.field("document", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
    ]
)


class PassageWriter:
    """Appends batches of passages to an Arrow IPC file; every id once."""

    def __init__(self, path: Path) -> None:
        self.languages: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, _SCHEMA)

    def append(self, passages: Sequence[Passage]) -> None:
        """Add one record batch. Raises DuplicateId, before anything of it is written."""
        self._refuse_duplicates(passages)
        columns: list[list[Any]] = [
            [passage.id for passage in passages],
            [passage.title for passage in passages],
            [passage.text for passage in passages],
            [passage.lang for passage in passages],
            [passage.url for passage in passages],
            [_metadata_json(passage) for passage in passages],
            [passage.document for passage in passages],
            [passage.start for passage in passages],
        ]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
        self.languages.update(passage.lang for passage in passages)

    def _refuse_duplicates(self, passages: Sequence[Passage]) -> None:
        for passage in passages:
            if passage.id in self._seen:
                raise DuplicateId(
                    f"passage id {passage.id!r} occurs twice", fix="Give every passage its own id."
                )
            self._seen.add(passage.id)

    def close(self) -> None:
        """Write the footer and close the file."""
        if not self._sink.closed:
            with self._sink:
                self._writer.close()


class Passages(Sequence[Passage]):
    """The passages of a version by row, read from disk when asked for."""

    def __init__(self, path: Path) -> None:
        """Map the file. Raises pa.ArrowInvalid or OSError where it is no Arrow IPC file."""
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        sizes = [batch.num_rows for batch in self._batches]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | Sequence[Passage]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        batch, place = self._locate(range(len(self))[row])
        return _passage(batch.slice(place, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Passage]:
        for batch in self._batches:
            for record in batch.to_pylist():
                yield _passage(record)

    def ids_at(self, rows: Iterable[int]) -> list[str]:
        """The ids of some rows, in their order."""
        return self._texts_at("id", rows)

    def documents_at(self, rows: Iterable[int]) -> list[str]:
        """The document that each of some rows belongs to: `Passage.whole`."""
        if not self.has_chunks:
            return self.ids_at(rows)
        rows = list(rows)
        pairs = zip(self._texts_at("document", rows), self.ids_at(rows), strict=True)
        return [document or identifier for document, identifier in pairs]

    def _texts_at(self, column: str, rows: Iterable[int]) -> list[str]:
        """A column of some rows, in their order, with one call a batch."""
        rows_R = np.fromiter(rows, dtype=np.int64)
        batch_R = np.searchsorted(self._starts, rows_R, side="right") - 1
        texts_R = np.empty(len(rows_R), dtype=object)
        for batch in np.unique(batch_R).tolist():
            mine = np.flatnonzero(batch_R == batch)
            places = pa.array(rows_R[mine] - self._starts[batch])
            texts_R[mine] = self._batches[batch].column(column).take(places).to_pylist()
        found: list[str] = texts_R.tolist()
        return found

    @cached_property
    def has_chunks(self) -> bool:
        """Whether any passage is a chunk of a document; one scan, then remembered."""
        return any(
            pc.any(pc.not_equal(batch.column("document"), "")).as_py()
            for batch in self._batches
            if "document" in batch.schema.names
        )

    def metadata(self) -> Iterator[list[str]]:
        """The metadata of every row as JSON, empty where there is none; a batch at a time."""
        for batch in self._batches:
            yield batch.column("metadata").to_pylist()

    def ids(self) -> list[str]:
        """The id of every row."""
        return [
            identifier for batch in self._batches for identifier in batch.column("id").to_pylist()
        ]

    def language_codes(self) -> tuple[list[str], NDArray[np.int32]]:
        """The languages in order of first row, and the place of each row's language among them."""
        column = pa.chunked_array([batch.column("lang") for batch in self._batches], pa.string())
        encoded = column.combine_chunks().dictionary_encode()
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()

    def rows_of(self, ids: Iterable[str]) -> dict[str, int]:
        """The rows of those of `ids` that exist, by one scan of the id column."""
        wanted = pa.array(list(ids), pa.string())
        rows: dict[str, int] = {}
        for start, batch in zip(self._starts, self._batches, strict=False):
            places = pc.index_in(batch.column("id"), value_set=wanted)
            for place in np.flatnonzero(places.is_valid()):
                rows[batch.column("id")[int(place)].as_py()] = int(start + place)
        return rows

    def _locate(self, row: int) -> tuple[Any, int]:
        batch = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._batches[batch], row - int(self._starts[batch])


def _metadata_json(passage: Passage) -> str:
    """Empty where there is none; values that JSON does not know become their text."""
    if not passage.metadata:
        return ""
    return orjson.dumps(
        dict(passage.metadata), default=str, option=orjson.OPT_NON_STR_KEYS
    ).decode()


def _passage(record: dict[str, Any]) -> Passage:
    encoded = record.pop("metadata")
    return Passage(**record, metadata=orjson.loads(encoded) if encoded else {})
