"""A stream of passages to a published version, one chunk in memory at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadInput, CorruptVersion
from retrieval.store import Draft, Manifest, Store, check_name
from retrieval.types import Passage
from retrieval.vectors import IndexOptions

CHUNK_PASSAGES = 8192
"""Passages in memory at a time."""

DEFAULT_INDEX = IndexOptions()
"""Chosen by size, tuned to the usual recall."""

# A chunk of long documents ends early, so that memory stays flat.
_CHUNK_CHARACTERS = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build published.

    seconds: wall clock, from the first passage to the publication.
    encoded: passages whose text went through the encoder. reused: those whose vectors were copied.
    """

    manifest: Manifest
    active: bool
    seconds: float
    encoded: int
    reused: int = 0

    def to_json(self) -> dict[str, object]:
        """The figures for scripts."""
        manifest = self.manifest
        return {
            "corpus": manifest.corpus,
            "version": manifest.version,
            "active": self.active,
            "encoder": manifest.encoder.model_dump(),
            "kind": manifest.index.kind,
            "index": manifest.index.model_dump(mode="json"),
            "dim": manifest.dim,
            "passages": manifest.counts.total,
            "encoded": self.encoded,
            "reused": self.reused,
            "languages": manifest.counts.languages,
            "bytes": manifest.size,
            "seconds": round(self.seconds, 3),
            "passages_per_second": round(manifest.counts.total / max(self.seconds, 1e-9), 1),
        }


def build_corpus(
    name: str,
    passages: Iterable[Passage],
    *,
    store: Store,
    encoder: Encoder,
    index: IndexOptions = DEFAULT_INDEX,
    lexical: bool = True,
    activate: bool = True,
    chunk_passages: int = CHUNK_PASSAGES,
    progress: bool = False,
) -> BuildReport:
    """Encode, index and publish `passages` as a new version of corpus `name`.

    lexical: keep a BM25 index, too, as lexical and hybrid search need it.
    Where it fails, nothing of it is left and every published version is untouched. Raises BadInput
    (no passage, a name that cannot be one, what the reader raises), DuplicateId, MachineFailure.
    """
    started = time.perf_counter()
    check_name(name)
    if chunk_passages < 1:
        raise BadInput(f"chunk_passages is {chunk_passages}, expected at least 1")
    index.check(encoder.dim)
    with store.draft(name, dim=encoder.dim) as draft:
        _fill(
            draft,
            passages,
            encoder,
            lexical=lexical,
            chunk_passages=chunk_passages,
            progress=progress,
        )
        draft.build_index(index, tell=teller(progress=progress))
        manifest = draft.publish(encoder=store.keep_encoder(encoder), activate=activate)
    seconds = time.perf_counter() - started
    total = manifest.counts.total
    return BuildReport(manifest=manifest, active=activate, seconds=seconds, encoded=total)


def choose_encoder(store: Store, name: str, given: str | None) -> Path | str:
    """The encoder to build `name` with: as given, else the corpus' own, else the bundled one."""
    if given is not None:
        return given
    if check_name(name) not in store.corpora():
        return COMPACT
    try:
        return COMPACT if store.active(name) is None else store.verified_encoder(name)
    except CorruptVersion as error:
        raise CorruptVersion(
            f"cannot tell the corpus' own encoder ({error.what})",
            path=error.path,
            fix="Name one: --encoder PATH builds a new version whatever the old one's state.",
        ) from error


def chunked(passages: Iterable[Passage], *, chunk_passages: int) -> Iterator[list[Passage]]:
    """Consecutive lists of at most `chunk_passages`; shorter where their texts are long."""
    chunk: list[Passage] = []
    characters = 0
    for passage in passages:
        chunk.append(passage)
        characters += len(passage.text)
        if len(chunk) == chunk_passages or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def teller(*, progress: bool) -> Callable[[str], None]:
    """What hears of the stages of a build: standard error, or nobody."""
    return _say if progress else _keep_quiet


def _say(stage: str) -> None:
    tqdm.write(f"{stage} ...", file=sys.stderr)


def _keep_quiet(_stage: str) -> None:
    pass


def _fill(
    draft: Draft,
    passages: Iterable[Passage],
    encoder: Encoder,
    *,
    lexical: bool,
    chunk_passages: int,
    progress: bool,
) -> None:
    disable = None if progress else True
    with tqdm(unit="passage", unit_scale=True, disable=disable, delay=1) as bar:
        for chunk in chunked(passages, chunk_passages=chunk_passages):
            # The encoder sorts what it is given by length, so a chunk needs no order of its own.
            texts = [passage.to_encode for passage in chunk]
            vectors, tokens = encoder.encode_and_tokenize(texts)
            draft.append(chunk, vectors, tokens if lexical else None)
            bar.update(len(chunk))
