"""A version being built: invisible to readers until it is published whole."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.store.durable import (
    locked,
    publish_folder,
    replace_text,
    sync_path,
    try_lock,
)
from retrieval.store.evidence import EvidenceWriter
from retrieval.store.layout import (
    INDEX,
    PASSAGES,
    TEMPORARY,
    VECTORS,
    CorpusFolder,
    version_id,
    version_number,
)
from retrieval.store.manifest import (
    REQUIRED_FILES,
    Counts,
    EncoderRecord,
    IndexRecord,
    Manifest,
    file_record,
    write_manifest,
)
from retrieval.store.passages import Passages, PassageWriter
from retrieval.store.vector_file import VectorWriter, map_vectors
from retrieval.types import Passage
from retrieval.vectors import Corpus, IndexKind, IndexOptions, make_index

_ALIVE = "alive.lock"


class Draft:
    """One version under construction, in a temporary folder beside the published ones.

    Append passages with their vectors, build the index, publish: in this order, once. Build it
    with `Store.draft`.
    """

    def __init__(self, corpus: CorpusFolder, folder: Path, *, dim: int) -> None:
        self.folder = folder
        self._corpus = corpus
        self._dim = dim
        self._passages = PassageWriter(folder / PASSAGES)
        self._vectors = VectorWriter(folder / VECTORS, dim=dim)
        self._evidence = EvidenceWriter(folder)

    def append(
        self,
        passages: Sequence[Passage],
        vectors: NDArray[np.float32],
        tokens: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Add passages and their unit vectors, [len(passages), dim].

        tokens: the encoder's token ids of each passage, for a lexical index; of all or of none.
        Raises DuplicateId for an id seen before, BadInput for vectors that are not unit rows.
        """
        if len(passages) != len(vectors):
            raise BadInput(f"{len(passages)} passages came with {len(vectors)} vectors")
        self._passages.append(passages)
        self._vectors.append(vectors)
        self._evidence.append([passage.lang for passage in passages], tokens)

    def build_index(
        self, options: IndexOptions | IndexKind, *, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Index what was appended and seal the files: nothing can be appended from here on.

        options: what index; a kind alone leaves the rest as it is by default.
        tell: hears of each stage that can take long.
        Raises BadInput where nothing was appended, or the index cannot be made.
        """
        self.close()
        if not self._vectors.rows:
            raise BadInput("no passages to index", fix="Give at least one passage.")
        if isinstance(options, IndexKind):
            options = IndexOptions(kind=options)
        languages, codes_P = Passages(self.folder / PASSAGES).language_codes()
        vectors_PD = map_vectors(self.folder / VECTORS)
        corpus = Corpus(vectors_PD=vectors_PD, languages=languages, codes_P=codes_P)
        report = make_index(corpus, self.folder / INDEX, options=options, tell=tell)
        self._index = IndexRecord.of(report)
        names = [*REQUIRED_FILES, *self._evidence.finish(vectors_PD)]
        for path in {self.folder / name for name in names} | {
            (self.folder / name).parent for name in names
        }:
            sync_path(path)
        self._files = {name: file_record(self.folder / name) for name in names}

    def publish(
        self, *, encoder: EncoderRecord, activate: bool = True, expected_active: str | None = None
    ) -> Manifest:
        """Make it the next version of its corpus and, if told so, the active one.

        expected_active: the version that was active when an update began; raises BadInput, and
        publishes nothing, where another is active by now: what that one added would be lost.
        """
        with locked(self._corpus.lock):
            if expected_active is not None:
                _check_still_active(self._corpus, expected_active)
            manifest = self._manifest(_next_version(self._corpus), encoder)
            self._move_into_place(manifest)
            if activate:
                replace_text(self._corpus.current, manifest.version + "\n")
        return manifest

    def _manifest(self, version: str, encoder: EncoderRecord) -> Manifest:
        return Manifest(
            corpus=self._corpus.name,
            version=version,
            created=datetime.now(UTC).replace(microsecond=0),
            synglot=installed_version("synglot"),
            encoder=encoder,
            dim=self._dim,
            index=self._index,
            lexical=self._evidence.parameters,
            counts=self._counts(),
            files=self._files,
        )

    def _counts(self) -> Counts:
        languages = dict(sorted(self._passages.languages.items()))
        return Counts(total=self._vectors.rows, languages=languages)

    def _move_into_place(self, manifest: Manifest) -> None:
        # Unnamed, the lock is still held; the lock of the corpus keeps sweepers away meanwhile.
        (self.folder / _ALIVE).unlink()
        write_manifest(manifest, self.folder)
        sync_path(self.folder)
        publish_folder(self.folder, self._corpus.version(manifest.version))

    def close(self) -> None:
        """Finish the files of passages and vectors; may be called again."""
        self._passages.close()
        self._vectors.close()


@contextmanager
def claimed_folder(corpus: CorpusFolder) -> Iterator[Path]:
    """A temporary folder, locked while in use and removed at the end unless it was renamed.

    First removes those of dead builders.
    """
    with locked(corpus.lock):
        corpus.versions.mkdir(exist_ok=True)
        sync_path(corpus.path)
        _sweep(corpus)
        folder = corpus.versions / (TEMPORARY + secrets.token_hex(8))
        folder.mkdir()
        alive = try_lock(folder / _ALIVE)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if alive is not None:
            os.close(alive)
        _leave_nothing(corpus)


def _leave_nothing(corpus: CorpusFolder) -> None:
    """Remove the folder of a corpus that never came to be; one with versions stays."""
    with suppress(OSError), locked(corpus.lock):
        corpus.versions.rmdir()  # refuses where anything is inside
        shutil.rmtree(corpus.path, ignore_errors=True)


def _sweep(corpus: CorpusFolder) -> None:
    for folder in corpus.versions.glob(TEMPORARY + "*"):
        if not _is_alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_being_built(corpus: CorpusFolder) -> bool:
    """Whether a live builder has a draft; the caller holds the lock of the corpus."""
    return any(_is_alive(folder) for folder in corpus.versions.glob(TEMPORARY + "*"))


def _is_alive(folder: Path) -> bool:
    if not (folder / _ALIVE).exists():
        return False
    descriptor = try_lock(folder / _ALIVE)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _check_still_active(corpus: CorpusFolder, expected: str) -> None:
    active = corpus.active()
    if active != expected:
        raise BadInput(
            f"corpus {corpus.name!r} changed during the update: {expected} was active when "
            f"it began, {active or 'none'} is now; nothing was published",
            path=corpus.current,
            fix="Run it again: it then starts from what is active now.",
        )


def _next_version(corpus: CorpusFolder) -> str:
    return version_id(max(map(version_number, corpus.published()), default=0) + 1)
