"""An opened version: a snapshot that stays readable whatever is published after it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import BadInput, CorruptVersion
from retrieval.store.evidence import read_calibrations, read_lexical
from retrieval.store.fields import Fields
from retrieval.store.layout import INDEX, PASSAGES, VECTORS
from retrieval.store.manifest import Manifest, how_to_recover
from retrieval.store.passages import Passages
from retrieval.store.vector_file import map_vectors
from retrieval.vectors import RowFilter, VectorIndex


class Version:
    """One version of a corpus, memory-mapped. Build it with `Store.open`, close it when done.

    passages: by row, read from disk when asked for.
    vectors_PD: [passages, dim] float32 unit rows, memory-mapped.
    index: search over the vectors.
    lexical: BM25 over the passages' subwords, None where it was built without.
    calibrations: how high scores run in each language, by mode; empty for old versions.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int) -> None:
        """Map the verified files. Raises CorruptVersion where they do not fit together."""
        self.manifest = manifest
        self.passages = _open_passages(folder, manifest)
        self.vectors_PD = _open_vectors(folder, manifest)
        self.index = _open_index(folder, manifest, self.vectors_PD, threads)
        try:
            has_lexical = bool(manifest.lexical)
            self.lexical = read_lexical(folder, self.rows_by_language) if has_lexical else None
            self.calibrations = read_calibrations(folder)
        except BadInput as error:
            raise _corrupt(Path(error.path or folder), error.what, manifest) from error

    @property
    def corpus(self) -> str:
        """The corpus' name."""
        return self.manifest.corpus

    @property
    def id(self) -> str:
        """The version's id."""
        return self.manifest.version

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of its passages, sorted."""
        return tuple(sorted(self.manifest.counts.languages))

    @cached_property
    def passage_ids(self) -> list[str]:
        """The id of every row; kept in memory from the first call on."""
        return self.passages.ids()

    @cached_property
    def passage_languages(self) -> list[str]:
        """The language of every row; kept in memory from the first call on."""
        names, codes_P = self._language_codes
        return [names[code] for code in codes_P]

    @cached_property
    def _language_codes(self) -> tuple[list[str], NDArray[np.int32]]:
        return self.passages.language_codes()

    @cached_property
    def fields(self) -> Fields:
        """The metadata of its passages, as columns."""
        return Fields(self.passages)

    @cached_property
    def rows_by_language(self) -> dict[str, NDArray[np.int64]]:
        """Language -> its rows, ascending; languages sorted."""
        names, codes_P = self._language_codes
        by_name = {name: np.flatnonzero(codes_P == code) for code, name in enumerate(names)}
        return dict(sorted(by_name.items()))

    def rows_in(self, languages: Collection[str]) -> RowFilter:
        """The rows whose language is one of `languages`."""
        names, codes_P = self._language_codes
        wanted = [code for code, name in enumerate(names) if name in languages]
        return RowFilter.from_mask(np.isin(codes_P, wanted))

    def rows_of(self, ids: Collection[str]) -> dict[str, int]:
        """The rows of those of `ids` that exist."""
        return self.passages.rows_of(ids)

    def close(self) -> None:
        """Let go of the maps; each is unmapped when the last array or passage list over it goes."""
        for name in vars(self).keys() - {"manifest"}:
            delattr(self, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open_passages(folder: Path, manifest: Manifest) -> Passages:
    path = folder / PASSAGES
    try:
        passages = Passages(path)
    except (OSError, pa.ArrowException) as error:
        raise _corrupt(path, f"no readable Arrow file ({error})", manifest) from error
    if len(passages) != manifest.counts.total:
        what = f"expected {manifest.counts.total} passages, found {len(passages)}"
        raise _corrupt(path, what, manifest)
    return passages


def _open_vectors(folder: Path, manifest: Manifest) -> NDArray[np.float32]:
    path = folder / VECTORS
    try:
        vectors = map_vectors(path)
    except (OSError, ValueError) as error:
        raise _corrupt(path, f"no readable array ({error})", manifest) from error
    expected = ((manifest.counts.total, manifest.dim), np.dtype(np.float32))
    if (vectors.shape, vectors.dtype) != expected:
        what = f"expected {expected[0]} {expected[1]}, found {vectors.shape} {vectors.dtype}"
        raise _corrupt(path, what, manifest)
    return vectors


def _open_index(
    folder: Path, manifest: Manifest, vectors_PD: NDArray[np.float32], threads: int
) -> VectorIndex:
    path = folder / INDEX
    try:
        return VectorIndex.read(
            path, vectors_PD, threads=threads, parameters=manifest.index.parameters
        )
    except BadInput as error:
        raise _corrupt(path, error.what, manifest) from error


def _corrupt(path: Path, what: str, manifest: Manifest) -> CorruptVersion:
    fix = how_to_recover(manifest.corpus, manifest.version)
    return CorruptVersion(what, path=path, fix=fix)
