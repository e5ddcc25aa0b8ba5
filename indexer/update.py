"""A new version from an old one: passages added, replaced, removed, or indexed anew.

Only texts whose vectors the old version does not have, from the same encoder, are encoded. Rows:
first those kept, in their old order, then those given, in theirs.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.build import CHUNK_PASSAGES, BuildReport, chunked, teller
from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.store import Draft, Manifest, Store, Version
from retrieval.store.passages import Passages, PassageWriter
from retrieval.types import Passage
from retrieval.vectors import AS_ASKED, AUTO, IndexKind, IndexOptions

_UNKNOWN = -1
_CHUNK_ID = re.compile(r"(.+)#[0-9]+", re.DOTALL)
_NAMED_AT_ONCE = 5

_RowsOf = Callable[[Sequence[Passage]], NDArray[np.int64]]
"""Passages to the rows of the old version that hold their vectors, -1 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOptions:
    """How to update.

    version: what to start from; by default the active one.
    active: the version that was active when the caller chose what to start from; by default the one
    active now. Where it is active no longer when the update is done, nothing is published.
    index: what index to build; by default the kind and target of recall of that version.
    activate: make the new version the active one.
    """

    version: str | None = None
    active: str | None = None
    index: IndexOptions | None = None
    activate: bool = True
    chunk_passages: int = CHUNK_PASSAGES
    progress: bool = False


DEFAULT_UPDATE = UpdateOptions()


def add_passages(
    name: str,
    passages: Iterable[Passage],
    *,
    store: Store,
    encoder: Encoder,
    records: Set[str] = frozenset(),
    options: UpdateOptions = DEFAULT_UPDATE,
) -> BuildReport:
    """Publish a version with the passages of an old one and those given.

    A given id replaces the passage of that id. records: ids of the records that `passages` were
    cut from, complete once they are read; old passages cut from the same records are replaced too.
    Where it fails, every published version is untouched. Raises UnknownCorpus, UnknownVersion,
    CorruptVersion, MachineFailure; BadInput (no passage, what the reader raises, the active
    version changed meanwhile), DuplicateId.
    """
    with _updating(name, store, encoder, options) as update:
        with update.spooled(passages) as given:
            if not len(given):
                raise BadInput("no passages to add", fix="Give at least one passage.")
            replaced = {*given.ids(), *records}
            update.keep_but(lambda p: p.id in replaced or _record_id(p) in records)
            update.append(given, update.rows_by_text(given))
        return update.publish()


def remove_passages(
    name: str,
    ids: Collection[str],
    *,
    store: Store,
    encoder: Encoder,
    missing_ok: bool = False,
    options: UpdateOptions = DEFAULT_UPDATE,
) -> BuildReport | None:
    """Publish a version without some passages; the id of a document removes all of its chunks.

    Returns None, and publishes nothing, where none of them is there and `missing_ok` says so.
    Raises as `add_passages` does; BadInput for unknown ids, and where nothing would be left.
    """
    wanted = set(ids)
    with _updating(name, store, encoder, options) as update:
        _check_removal(update.base, wanted, missing_ok=missing_ok)
        kept = update.keep_but(lambda p: not wanted.isdisjoint((p.id, _record_id(p))))
        if kept == update.base.manifest.counts.total:
            return None
        return update.publish()


def reindex_corpus(
    name: str, *, store: Store, encoder: Encoder, options: UpdateOptions = DEFAULT_UPDATE
) -> BuildReport:
    """Publish a version with the same passages and another index, another encoder, or both.

    With the encoder of the old version, no text is encoded. Raises as `add_passages` does.
    """
    with _updating(name, store, encoder, options) as update:
        update.keep_but(lambda _: False)
        return update.publish()


def same_index(manifest: Manifest) -> IndexOptions:
    """The options that a version's index was asked for with.

    An index that was chosen by size, or because there were too few passages for another, is chosen
    anew.
    """
    index = manifest.index
    kind = index.kind.value if index.reason == AS_ASKED else AUTO
    if index.kind is IndexKind.FACTORY:
        kind = index.parameters["factory"]
    if index.recall is None:
        return IndexOptions(kind=kind)
    return IndexOptions(kind=kind, target_recall=index.recall.target)


class _Update:
    """A draft that is filled from an old version, the base."""

    def __init__(
        self, draft: Draft, base: Version, active: str, encoder: Encoder, store: Store,
        options: UpdateOptions,
    ) -> None:  # fmt: skip
        self.base = base
        self.encoded = self.reused = 0
        self._draft, self._active, self._encoder, self._store = draft, active, encoder, store
        self._options = options
        self._started = time.perf_counter()
        self._same_encoder = base.manifest.encoder.fingerprint == encoder.fingerprint
        self._lexical = bool(base.manifest.lexical)

    @contextmanager
    def spooled(self, passages: Iterable[Passage]) -> Iterator[Passages]:
        """The passages on disk, so that their ids are known before the first is encoded."""
        with TemporaryDirectory(dir=self._draft.folder, prefix="given-") as folder:
            path = Path(folder) / "passages.arrow"
            writer = PassageWriter(path)
            try:
                for chunk in chunked(passages, chunk_passages=self._options.chunk_passages):
                    writer.append(chunk)
            finally:
                writer.close()
            yield Passages(path)

    def keep_but(self, dropped: Callable[[Passage], bool]) -> int:
        """Append the base's passages except some; returns how many."""
        rows: list[int] = []

        def kept() -> Iterator[Passage]:
            for row, passage in enumerate(self.base.passages):
                if not dropped(passage):
                    rows.append(row)
                    yield passage

        def rows_of(chunk: Sequence[Passage]) -> NDArray[np.int64]:
            found = np.array(rows[: len(chunk)], dtype=np.int64)
            del rows[: len(chunk)]
            return found if self._same_encoder else np.full_like(found, _UNKNOWN)

        before = self.encoded + self.reused
        self.append(kept(), rows_of)
        return self.encoded + self.reused - before

    def rows_by_text(self, given: Iterable[Passage]) -> _RowsOf:
        """Where the base has the very texts of `given`, whatever their ids were."""
        wanted = {_text_hash(passage) for passage in given} if self._same_encoder else set()
        row_of: dict[bytes, int] = {}
        for row, passage in enumerate(self.base.passages if wanted else ()):
            digest = _text_hash(passage)
            if digest in wanted:
                row_of.setdefault(digest, row)
        return lambda chunk: np.array(
            [row_of.get(_text_hash(passage), _UNKNOWN) for passage in chunk], dtype=np.int64
        )

    def append(self, passages: Iterable[Passage], rows_of: _RowsOf) -> None:
        """Append passages, with the base's vectors where it has them."""
        options = self._options
        disable = None if options.progress else True
        with tqdm(unit="passage", unit_scale=True, disable=disable, delay=1) as bar:
            for chunk in chunked(passages, chunk_passages=options.chunk_passages):
                vectors_ND, tokens = self._evidence(chunk, rows_of(chunk))
                self._draft.append(chunk, vectors_ND, tokens if self._lexical else None)
                bar.update(len(chunk))

    def _evidence(
        self, chunk: Sequence[Passage], rows_N: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], list[Sequence[int]]]:
        texts = [passage.to_encode for passage in chunk]
        known, new = np.flatnonzero(rows_N != _UNKNOWN), np.flatnonzero(rows_N == _UNKNOWN)
        vectors_ND = np.empty((len(chunk), self._encoder.dim), dtype=np.float32)
        tokens: list[Sequence[int]] = [()] * len(chunk)
        if known.size:
            vectors_ND[known] = self.base.vectors_PD[rows_N[known]]
            if self._lexical:
                found = self._encoder.tokenize([texts[place] for place in known])
                _place(tokens, known, found)
        if new.size:
            vectors_ND[new], made = self._encoder.encode_and_tokenize([texts[n] for n in new])
            _place(tokens, new, made)
        self.encoded += new.size
        self.reused += known.size
        return vectors_ND, tokens

    def publish(self) -> BuildReport:
        """Index and publish what was appended, unless another version is active by now."""
        options, base = self._options, self.base.manifest
        index = options.index or same_index(base)
        self._draft.build_index(index, tell=teller(progress=options.progress))
        kept = self._store.keep_encoder(self._encoder)
        manifest = self._draft.publish(
            encoder=base.encoder if self._same_encoder else kept,
            activate=options.activate,
            expected_active=self._active,
        )
        return BuildReport(
            manifest=manifest,
            active=options.activate,
            seconds=time.perf_counter() - self._started,
            encoded=self.encoded,
            reused=self.reused,
        )


@contextmanager
def _updating(
    name: str, store: Store, encoder: Encoder, options: UpdateOptions
) -> Iterator[_Update]:
    if options.chunk_passages < 1:
        raise BadInput(f"chunk_passages is {options.chunk_passages}, expected at least 1")
    if options.index is not None:
        options.index.check(encoder.dim)
    # Before anything is read: what is published later than this must not be lost.
    active = options.active or store.manifest(name).version
    with (
        store.open(name, options.version or active) as base,
        store.draft(name, dim=encoder.dim) as draft,
    ):
        yield _Update(draft, base, active, encoder, store, options)


def _check_removal(base: Version, wanted: Set[str], *, missing_ok: bool) -> None:
    """Raise BadInput where ids are unknown or nothing would be left, before anything is copied."""
    left, missing = 0, set(wanted)
    for passage in base.passages:
        named = {passage.id, _record_id(passage)} & wanted
        missing -= named
        left += not named
    if missing and not missing_ok:
        shown = ", ".join(map(repr, sorted(missing)[:_NAMED_AT_ONCE]))
        more = ", ..." if len(missing) > _NAMED_AT_ONCE else ""
        count = f"{len(missing)} of {len(wanted)} ids"
        raise BadInput(
            f"corpus {base.corpus!r} has no passage {shown}{more} ({count})",
            fix="Correct the ids, or give --missing-ok to remove the others.",
        )
    if not left:
        raise BadInput(
            f"nothing would be left of corpus {base.corpus!r}",
            fix=f"Remove it whole with `synglot index delete {base.corpus}`.",
        )


def _record_id(passage: Passage) -> str:
    """The id of the record that a passage was cut from; its own where it is whole."""
    found = _CHUNK_ID.fullmatch(passage.id) if passage.document else None
    return found[1] if found else passage.id


def _text_hash(passage: Passage) -> bytes:
    text = passage.to_encode.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def _place(
    tokens: list[Sequence[int]], places: NDArray[np.int64], found: Sequence[Sequence[int]]
) -> None:
    for place, ids in zip(places.tolist(), found, strict=True):
        tokens[place] = ids
