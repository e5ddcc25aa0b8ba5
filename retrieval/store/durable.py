"""Changes to folders that survive a crash: synced files, atomic pointers, locks of live owners."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import MachineFailure
from retrieval.store.layout import TEMPORARY

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sync_path(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync_path` for every file and folder inside `folder`, and for itself."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync_path(path)
    sync_path(folder)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents so that a crash cannot lose the entries."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def publish_folder(temporary: Path, target: Path) -> None:
    """Rename a complete, synced folder into its place, durably."""
    temporary.rename(target)
    sync_path(target.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace a small file atomically and durably; the caller holds the lock of its folder."""
    temporary = path.with_name(TEMPORARY + path.name)
    temporary.write_text(text, "utf-8")
    sync_path(temporary)
    temporary.replace(path)
    sync_path(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of file `path`, waiting for it; the kernel releases it when its owner dies."""
    descriptor = _lock_existing(path)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock_existing(path: Path) -> int:
    while True:
        make_folder(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The folder may have been deleted, lock and all, while this process waited.
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock of `path` until closed; None where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def machine_failures(path: Path) -> Iterator[None]:
    """Turn what the machine refuses during a change of `path` into MachineFailure."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise MachineFailure(
            f"the system refused it ({error.strerror or error})",
            path=error.filename or path,
            fix="Free space on that disk and run it again; what was published is untouched."
            if full
            else "Look at the permissions and the health of that disk; "
            "what was published is untouched.",
        ) from error
    except MemoryError as error:
        raise MachineFailure(
            "out of memory", path=path, fix="Give a smaller chunk size, or use a larger machine."
        ) from error
