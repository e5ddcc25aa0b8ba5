"""Lines and JSON objects out of plain, gzip or zstd files, with the place of every error."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from retrieval.errors import BadInput, MachineFailure, MalformedFile
from retrieval.formats.packing import BROKEN_COMPRESSION, STDIN, PackingBomb, open_binary

# A line longer than this is a wrong file, not a passage; it keeps one line from filling memory.
MAX_LINE_BYTES = 64 * 2**20

MAX_JSON_BYTES = 256 * 2**20
"""Largest file that is read as one JSON document, unpacked: it is held in memory whole.

The largest language of XQuAD-R has 3 MB; an evaluation of 100,000 queries, saved with the value of
each in 4 measures and 3 views, has 60 MB.
"""

_PIECE_BYTES = 2**20


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(1-based line number, text without its line end) of every line that is not blank.

    Raises MalformedFile where the bytes are not UTF-8, a line is over MAX_LINE_BYTES, or the
    compression is broken or a bomb; BadInput where the file cannot be opened.
    """
    number = 0
    try:
        with open_binary(path) as stream:
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise MalformedFile(
                        f"line longer than {MAX_LINE_BYTES} bytes", path=path, line=number
                    )
                text = _decode(raw, path=path, number=number)
                if text.strip():
                    yield number, text
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadInput(f"cannot read the file ({error.strerror})", path=path) from error
    except BROKEN_COMPRESSION as error:
        raise broken_compression(error, path=path, line=number + 1) from error


def _decode(raw: bytes, *, path: Path, number: int) -> str:
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedFile(
            f"not UTF-8 (byte {raw[error.start]:#04x} at position {error.start})",
            path=path,
            line=number,
            fix="Save the file as UTF-8.",
        ) from error


def parse_object(
    text: str | bytes | bytearray, *, path: Path, line: int | None = None
) -> dict[str, object]:
    """The JSON object in `text`. Raises MalformedFile."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f" at column {error.colno}" if line is not None else f" at line {error.lineno}"
        raise MalformedFile(f"broken JSON ({error.msg}{place})", path=path, line=line) from error
    if not isinstance(value, dict):
        raise MalformedFile(
            f"expected a JSON object, found {type(value).__name__}", path=path, line=line
        )
    return value


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line number, object) of every line of a JSONL file."""
    for number, text in read_lines(path):
        yield number, parse_object(text, path=path, line=number)


def read_json(path: Path) -> dict[str, object]:
    """The one JSON object that a file holds, plain or compressed.

    Raises MalformedFile, also where it unpacks to more than MAX_JSON_BYTES, and BadInput.
    """
    content = bytearray()
    try:
        with open_binary(path) as stream:
            while piece := stream.read(_PIECE_BYTES):
                content += piece
                if len(content) > MAX_JSON_BYTES:
                    raise MalformedFile(
                        f"one JSON document of more than {MAX_JSON_BYTES} bytes",
                        path=path,
                        fix="Write it in lines: queries as JSONL, judgements as TSV.",
                    )
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadInput(f"cannot read the file ({error.strerror})", path=path) from error
    except BROKEN_COMPRESSION as error:
        raise broken_compression(error, path=path) from error
    return parse_object(content, path=path)


def broken_compression(error: Exception, *, path: Path, line: int | None = None) -> MalformedFile:
    """What to say of one of BROKEN_COMPRESSION, raised while `line` was to be read."""
    if isinstance(error, PackingBomb):
        return MalformedFile(
            f"unpacks to far more than a file of text does ({error})",
            path=path,
            line=line,
            fix="Look at what it holds; give it unpacked if it is what you want to read.",
        )
    after = "" if line is None else f" after line {line - 1}"
    return MalformedFile(f"broken compression{after} ({error})", path=path, fix="Copy it again.")


def required_text(record: dict[str, object], *names: str, path: Path, line: int) -> str:
    """The first of `names` in `record`, a non-empty string. Raises MalformedFile."""
    for name in names:
        if name in record:
            value = record[name]
            if not isinstance(value, str):
                raise MalformedFile(
                    f"field {name!r} is {type(value).__name__}, expected a string",
                    path=path,
                    line=line,
                )
            if not value.strip():
                raise MalformedFile(f"field {name!r} is empty", path=path, line=line)
            return value
    raise MalformedFile(
        f"no field {' or '.join(map(repr, names))}; found {sorted(record)}", path=path, line=line
    )


def optional_text(record: dict[str, object], name: str, *, path: Path, line: int) -> str:
    """`record[name]` where it is a string, empty where it is absent or null."""
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedFile(
            f"field {name!r} is {type(value).__name__}, expected a string", path=path, line=line
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file to read. name: its path inside the folder or glob given, `/`-separated."""

    path: Path
    name: str


def expand_inputs(inputs: Iterable[str], *, endings: tuple[str, ...]) -> list[Path]:
    """Files named by paths, folders (their files with one of `endings`, sorted), globs or `-`.

    Raises BadInput for a name that matches nothing.
    """
    return [found.path for found in named_inputs(inputs, endings=endings)]


def named_inputs(
    inputs: Iterable[str], *, endings: tuple[str, ...], otherwise: tuple[str, ...] = ()
) -> list[Input]:
    """As `expand_inputs`, with names.

    otherwise: endings, in any case, of the files of a folder without any of `endings`; hidden files
    and those in hidden folders are left out. Raises BadInput for a name that matches nothing.
    """
    files: list[Input] = []
    for name in inputs:
        found = [Input(path=STDIN, name=name)] if name == "-" else _expand(name, endings, otherwise)
        if not found:
            raise BadInput(
                f"no such file or folder, and no match for it as a glob: {name}",
                fix=f"A folder must hold files ending in {', '.join((*endings, *otherwise))}.",
            )
        files += found
    return files


def _expand(name: str, endings: tuple[str, ...], otherwise: tuple[str, ...]) -> list[Input]:
    path = Path(name)
    if path.is_dir():
        inside = sorted(found for found in path.rglob("*") if found.is_file())
        chosen = [found for found in inside if found.name.endswith(endings)]
        return _named(chosen or _visible(inside, path, otherwise), path)
    if path.is_file():
        return _named([path], path.parent)
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))
    return _named([match for match in matches if match.is_file()], _fixed_part(path))


def _visible(paths: Iterable[Path], folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return [
        path
        for path in paths
        if path.name.lower().endswith(endings)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _named(paths: Iterable[Path], folder: Path) -> list[Input]:
    return [Input(path=path, name=path.relative_to(folder).as_posix()) for path in paths]


def _fixed_part(pattern: Path) -> Path:
    """The folder before the first part of a glob that has a wildcard."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def check_target(target: str | Path | None) -> None:
    """Refuse, before the work, a file that cannot be written to. `-` is standard output.

    Raises BadInput where it is a folder or its folder does not exist, MachineFailure where it must
    not be written.
    """
    if target is None or str(target) == "-":
        return
    path = Path(target).absolute()
    if not path.parent.is_dir():
        raise BadInput("cannot be written: there is no such folder", path=target)
    if path.is_dir():
        raise BadInput("cannot be written: it is a folder", path=target, fix="Name a file in it.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise MachineFailure("cannot be written: permission denied", path=target)


def write_json(value: object, target: str) -> None:
    """`value` as indented JSON to a file, or to standard output where `target` is `-`."""
    payload = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if target == "-":
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()
    else:
        Path(target).write_bytes(payload)
