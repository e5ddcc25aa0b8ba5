"""Parallel training data as arrays: which item has which language, and where its texts are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.text import comparable
from retrieval.types import ParallelItem
from training.negatives import GivenNegatives

# Items that share a text of this length in one language are taken for copies in all languages. A
# shorter one ("Yes.") is no sign of that: with no limit, 25,000 of 664,000 items chain into one
# component; with 12 characters the largest holds 134.
COPY_MIN_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelTable:
    """N items in L languages, their texts in one column of T texts.

    sources, languages: names; source_N and the columns of the row matrices index into them.
    queries_NL, passages_NL: row of the text in `texts`, -1 where the item lacks the language.
    translation_N: plain translation units, whose query and passage texts are the same.
    component_N: items with one number are copies or share a passage: never each other's negatives.
    keys_T: equal for texts that compare equal (NFC, case, white space).
    negatives: texts that came with the items as answers to be told from the right one.
    """

    ids: tuple[str, ...]
    sources: tuple[str, ...]
    languages: tuple[str, ...]
    source_N: NDArray[np.int32]
    queries_NL: NDArray[np.int32]
    passages_NL: NDArray[np.int32]
    translation_N: NDArray[np.bool_]
    component_N: NDArray[np.int64]
    texts: pa.ChunkedArray
    keys_T: NDArray[np.int64]
    negatives: GivenNegatives

    def __len__(self) -> int:
        """Number of items."""
        return len(self.source_N)

    def text(self, rows: NDArray[np.integer]) -> list[str]:
        """Texts of the given rows."""
        texts: list[str] = self.texts.take(pa.array(rows)).to_pylist()
        return texts

    @property
    def fingerprint(self) -> str:
        """Hash over the items' ids and texts."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(self.keys_T.tobytes())
        return digest.hexdigest()[:16]


def build_table(
    items: Iterable[ParallelItem], *, languages: Sequence[str] | None = None
) -> ParallelTable:
    """The table of `items`, restricted to `languages` where given.

    Items that are left with no usable pair (a question without any passage, a translation unit with
    one language) are dropped. Raises BadInput when none is left.
    """
    builder = _Builder(languages)
    for item in items:
        builder.add(item)
    return builder.finish()


class _Builder:
    """Collects items column by column, so that no item object outlives its turn."""

    def __init__(self, languages: Sequence[str] | None) -> None:
        self._only = None if languages is None else frozenset(languages)
        self._columns: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._ids: list[str] = []
        self._source: list[int] = []
        self._translation: list[bool] = []
        self._cells: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = ([], [])
        self._chunks: list[pa.Array] = []
        self._texts: list[str] = []
        self._total = 0
        self._keys: list[int] = []
        self._copies = _Components()
        self._negatives: list[tuple[int, int, int]] = []

    def add(self, item: ParallelItem) -> None:
        sides = [self._kept(side) for side in (item.query, item.passage)]
        if item.is_translation:
            sides = sides[:1]
        if not all(sides) or (item.is_translation and len(sides[0]) < 2):
            return
        number = len(self._ids)
        self._ids.append(item.id)
        self._source.append(self._sources.setdefault(item.source, len(self._sources)))
        self._translation.append(item.is_translation)
        self._copies.add()
        if item.group:
            self._copies.join(number, text_key("group", f"{item.source}\0{item.group}"))
        for side, cells in zip(sides, self._cells, strict=False):
            for lang, text in side.items():
                row = self._store(lang, text)
                if len(text) >= COPY_MIN_CHARACTERS:
                    self._copies.join(number, self._keys[row])
                cells.append((number, self._column(lang), row))
        for lang, texts in item.negatives.items():
            if self._only is None or lang in self._only:
                cells_of_item = ((number, self._column(lang), self._store(lang, t)) for t in texts)
                self._negatives.extend(cells_of_item)

    def _column(self, lang: str) -> int:
        return self._columns.setdefault(lang, len(self._columns))

    def _kept(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {k: v for k, v in texts.items() if self._only is None or k in self._only}

    def _store(self, lang: str, text: str) -> int:
        """The row of a new text."""
        self._keys.append(text_key(lang, comparable(text)))
        self._texts.append(text)
        if len(self._texts) == 65_536:
            self._flush()
        self._total += 1
        return self._total - 1

    def _flush(self) -> None:
        self._chunks.append(pa.array(self._texts, type=pa.large_string()))
        self._texts = []

    def finish(self) -> ParallelTable:
        if not self._ids:
            raise BadInput(
                "no training item is left after the choice of sources and languages",
                fix="Check data.files, data.exclude_sources and data.languages.",
            )
        self._flush()
        order = sorted(self._columns)
        rank = np.empty(len(order), dtype=np.int64)
        for new, lang in enumerate(order):
            rank[self._columns[lang]] = new
        queries_NL = self._matrix(self._cells[0], rank)
        passages_NL = self._matrix(self._cells[1], rank)
        translation_N = np.array(self._translation)
        passages_NL[translation_N] = queries_NL[translation_N]
        return ParallelTable(
            ids=tuple(self._ids),
            sources=tuple(self._sources),
            languages=tuple(order),
            source_N=np.array(self._source, dtype=np.int32),
            queries_NL=queries_NL,
            passages_NL=passages_NL,
            translation_N=translation_N,
            component_N=self._copies.labels(),
            texts=pa.chunked_array(self._chunks),
            keys_T=np.array(self._keys, dtype=np.int64),
            negatives=self._given(rank),
        )

    def _given(self, rank: NDArray[np.int64]) -> GivenNegatives:
        """The negatives, in the order of their cells, with the item each text belongs to."""
        cells = np.array(self._negatives, dtype=np.int64).reshape(-1, 3)
        labels = self._copies.labels()
        items = [self._copies.first(self._keys[row]) for row in cells[:, 2]]
        return GivenNegatives.of(
            cells=cells[:, 0] * len(rank) + rank[cells[:, 1]],
            rows=cells[:, 2],
            components=np.array([-1 if i is None else labels[i] for i in items], dtype=np.int64),
        )

    def _matrix(
        self, cells: list[tuple[int, int, int]], rank: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        matrix_NL = np.full((len(self._ids), len(rank)), -1, dtype=np.int32)
        if cells:
            items, columns, rows = np.array(cells, dtype=np.int64).T
            matrix_NL[items, rank[columns]] = rows
        return matrix_NL


class _Components:
    """Union-find over items: those joined to one key end in one component."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._first: dict[int, int] = {}

    def add(self) -> None:
        self._parent.append(len(self._parent))

    def join(self, item: int, key: int) -> None:
        a, b = self._root(item), self._root(self._first.setdefault(key, item))
        self._parent[max(a, b)] = min(a, b)

    def first(self, key: int) -> int | None:
        """The first item joined to `key`, if any."""
        return self._first.get(key)

    def labels(self) -> NDArray[np.int64]:
        return np.array([self._root(i) for i in range(len(self._parent))], dtype=np.int64)

    def _root(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item


def text_key(kind: str, text: str) -> int:
    """A 63-bit number for `text`, the same in every process; `kind` is its language, say."""
    digest = hashlib.blake2b(f"{kind}\0{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
