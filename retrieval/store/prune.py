"""Old versions, and the encoders that only they needed, removed for their space."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import BadInput, CorruptVersion
from retrieval.store.draft import is_being_built
from retrieval.store.durable import locked, publish_folder
from retrieval.store.layout import (
    TEMPORARY,
    CorpusFolder,
    corpora_folder,
    encoders_folder,
    is_fingerprint,
    is_name,
)
from retrieval.store.manifest import read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed: ids of versions, fingerprints of encoders, and their size."""

    versions: tuple[str, ...]
    encoders: tuple[str, ...]
    bytes: int


def prune(corpus: CorpusFolder, *, keep: int) -> Pruned:
    """Remove versions as `Store.prune` says, then encoders that no version of any corpus needs.

    Encoders stay while any corpus is being built or has a version whose manifest cannot be read.
    """
    if keep < 1:
        raise BadInput(f"keep is {keep}, expected at least 1")
    versions, size = _prune_versions(corpus, keep)
    encoders, encoder_size = _prune_encoders(corpus.root)
    return Pruned(versions=versions, encoders=encoders, bytes=size + encoder_size)


def _prune_versions(corpus: CorpusFolder, keep: int) -> tuple[tuple[str, ...], int]:
    with locked(corpus.lock):
        old = _superfluous(corpus, keep)
        size = sum(_size(corpus.version(version)) for version in old)
        graves = [_buried(corpus.version(version)) for version in old]
        for version in old:
            for stamp in corpus.stamps.glob(f"{version}.*"):
                stamp.unlink(missing_ok=True)
    _remove(graves)
    return tuple(old), size


def _superfluous(corpus: CorpusFolder, keep: int) -> list[str]:
    versions, active = corpus.published(), corpus.active()
    needed = set(versions[-keep:])
    if active is not None:
        place = versions.index(active)
        needed |= set(versions[max(0, place - 1) : place + 1])
    return [version for version in versions if version not in needed]


def _prune_encoders(root: Path) -> tuple[tuple[str, ...], int]:
    folder = encoders_folder(root)
    # Builders copy their encoders under this lock, so one that comes later copies its own again.
    with locked(folder / ".lock"):
        needed = _needed_encoders(root)
        if needed is None:
            return (), 0
        kept = {path.name for path in folder.iterdir() if is_fingerprint(path.name)}
        unneeded = sorted(kept - needed)
        size = sum(_size(folder / name) for name in unneeded)
        graves = [_buried(folder / name) for name in unneeded]
    _remove(graves)
    return tuple(unneeded), size


def _needed_encoders(root: Path) -> set[str] | None:
    """Fingerprints that some version needs; None where that cannot be told now."""
    needed: set[str] = set()
    names = sorted(path.name for path in corpora_folder(root).iterdir() if is_name(path.name))
    for corpus in (CorpusFolder(root, name) for name in names):
        with locked(corpus.lock):
            if is_being_built(corpus):
                return None
            try:
                manifests = [
                    read_manifest(corpus.version(version), corpus=corpus.name)
                    for version in corpus.published()
                ]
            except CorruptVersion:
                return None
            needed |= {manifest.encoder.fingerprint for manifest in manifests}
    return needed


def _buried(folder: Path) -> Path:
    """Renamed to what the next builder sweeps, should this process die before it is removed."""
    grave = folder.with_name(TEMPORARY + secrets.token_hex(8))
    publish_folder(folder, grave)
    return grave


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(graves: list[Path]) -> None:
    for grave in graves:
        shutil.rmtree(grave, ignore_errors=True)
