"""Is a version on disk what was published? Checksums once a host and version, then a stamp.

A stamp holds inode, size and modification time of each file at the moment its checksum was right.
It lies beside the versions, which are immutable, and is left out where the store is read-only.
"""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from pathlib import Path

import orjson

from retrieval.errors import CorruptVersion
from retrieval.store.layout import TEMPORARY, CorpusFolder
from retrieval.store.manifest import FileRecord, Manifest, file_record, how_to_recover

_Stamp = dict[str, list[int]]


def verify_once(corpus: CorpusFolder, manifest: Manifest) -> None:
    """Check the files against the manifest, by the stamp where it holds. Raises CorruptVersion."""
    stamp_path = corpus.stamps / f"{manifest.version}.{_host()}.json"
    before = _stamp(corpus, manifest)
    if _read_stamp(stamp_path) == _sealed(before, manifest):
        return
    verify_fully(corpus, manifest)
    with suppress(OSError):
        _write_stamp(stamp_path, _sealed(before, manifest))


def verify_fully(corpus: CorpusFolder, manifest: Manifest) -> None:
    """Check size and checksum of every file. Raises CorruptVersion."""
    folder = corpus.version(manifest.version)
    for name, expected in manifest.files.items():
        _check_file(folder / name, expected, manifest)


def _check_file(path: Path, expected: FileRecord, manifest: Manifest) -> None:
    fix = how_to_recover(manifest.corpus, manifest.version)
    size = _status(path, manifest)[1]
    if size != expected.size:
        raise CorruptVersion(f"expected {expected.size} bytes, found {size}", path=path, fix=fix)
    try:
        found = file_record(path)
    except OSError as error:
        raise CorruptVersion(f"cannot read it ({error.strerror})", path=path, fix=fix) from error
    if found != expected:
        raise CorruptVersion(
            f"expected SHA-256 {expected.sha256}, found {found.sha256}", path=path, fix=fix
        )


def _stamp(corpus: CorpusFolder, manifest: Manifest) -> _Stamp:
    folder = corpus.version(manifest.version)
    return {name: _status(folder / name, manifest) for name in manifest.files}


def _sealed(stamp: _Stamp, manifest: Manifest) -> dict[str, object]:
    """With the checksums it vouches for: a corpus built anew may use a version's id again."""
    checksums = {name: record.sha256 for name, record in manifest.files.items()}
    return {"checksums": checksums, "files": stamp}


def _status(path: Path, manifest: Manifest) -> list[int]:
    try:
        status = path.stat()
    except OSError as error:
        raise CorruptVersion(
            f"expected a file, found none ({error.strerror})",
            path=path,
            fix=how_to_recover(manifest.corpus, manifest.version),
        ) from error
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _read_stamp(path: Path) -> object:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None


def _write_stamp(path: Path, stamp: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(TEMPORARY + path.name)
    temporary.write_bytes(orjson.dumps(stamp))
    temporary.replace(path)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", platform.node()) or "unnamed"
