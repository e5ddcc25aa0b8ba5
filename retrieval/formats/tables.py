"""Records out of tables: JSONL, CSV, TSV and Parquet files, each record with the line it is on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import BadInput, MalformedFile
from retrieval.formats.files import (
    MAX_LINE_BYTES,
    broken_compression,
    read_lines,
    read_objects,
)
from retrieval.formats.packing import BROKEN_COMPRESSION, STDIN, open_binary

Records = Iterator[tuple[int, dict[str, object]]]
"""(1-based line, or row of a Parquet file; field -> value) of each record."""

_COMPRESSED = ("", ".gz", ".zst")


def endings_of(*suffixes: str) -> tuple[str, ...]:
    """Each suffix plain, with .gz and with .zst."""
    return tuple(suffix + packed for suffix in suffixes for packed in _COMPRESSED)


ENDINGS = (*endings_of(".jsonl", ".csv", ".tsv"), ".parquet")


def read_records(path: Path) -> Records:
    """Every record of a file, its layout told by its ending; standard input is JSONL.

    CSV and TSV begin with a header row; CSV is quoted as in RFC 4180, TSV not at all. Empty cells
    are left out. Raises MalformedFile, BadInput.
    """
    if path == STDIN:
        return read_objects(path)
    for suffix, reader in _READERS.items():
        if path.name.endswith(endings_of(suffix)):
            return reader(path)
    raise BadInput(
        "cannot tell the layout by the file's ending",
        path=path,
        fix=f"Name it with one of {', '.join(ENDINGS)}.",
    )


def _read_parquet(path: Path) -> Records:
    number = 0
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise MalformedFile(f"not a Parquet file ({error})", path=path) from error
    except OSError as error:
        raise BadInput(f"cannot read the file ({error})", path=path) from error


def _read_tsv(path: Path) -> Records:
    header: Sequence[str] | None = None
    for line, text in read_lines(path):
        cells = text.split("\t")
        if header is None:
            header = _header(cells, path, line)
        else:
            yield line, _record(header, cells, path, line)


def _read_csv(path: Path) -> Records:
    # The default of 131,072 characters a cell is less than a long document.
    csv.field_size_limit(MAX_LINE_BYTES)
    header: Sequence[str] | None = None
    for line, cells in _csv_rows(path):
        if header is None:
            header = _header(cells, path, line)
        elif cells:
            yield line, _record(header, cells, path, line)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each row: a quoted cell may run over several lines."""
    last = 0
    try:
        with open_binary(path) as stream:
            rows = csv.reader(_decoded(stream), strict=True)
            for cells in rows:
                yield last + 1, cells
                last = rows.line_num
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadInput(f"cannot read the file ({error.strerror})", path=path) from error
    except BROKEN_COMPRESSION as error:
        raise broken_compression(error, path=path, line=last + 1) from error
    except UnicodeDecodeError as error:
        raise MalformedFile(
            f"not UTF-8 ({error.reason})", path=path, line=last + 1, fix="Save the file as UTF-8."
        ) from error
    except csv.Error as error:
        raise MalformedFile(
            f"broken CSV ({error})", path=path, line=last + 1, fix="Quote cells as RFC 4180 does."
        ) from error


def _decoded(stream: IO[bytes]) -> Iterator[str]:
    """Lines with their ends: inside a quoted cell they are part of the text."""
    is_first = True
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        if len(raw) > MAX_LINE_BYTES:
            raise csv.Error(f"line longer than {MAX_LINE_BYTES} bytes")
        yield (raw.removeprefix(b"\xef\xbb\xbf") if is_first else raw).decode("utf-8")
        is_first = False


def _header(cells: Sequence[str], path: Path, line: int) -> Sequence[str]:
    names = [cell.strip() for cell in cells]
    if "" in names or len(set(names)) != len(names):
        raise MalformedFile(
            f"the header has an empty or repeated column: {names}", path=path, line=line
        )
    return names


def _record(
    header: Sequence[str], cells: Sequence[str], path: Path, line: int
) -> dict[str, object]:
    if len(cells) != len(header):
        raise MalformedFile(
            f"{len(cells)} cells, expected {len(header)} as in the header", path=path, line=line
        )
    return {name: cell for name, cell in zip(header, cells, strict=True) if cell}


_READERS: dict[str, Callable[[Path], Records]] = {
    ".jsonl": read_objects,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}
