"""A lexical index written while passages stream by.

Counts go to disk as they come. At the end each language is put in order in blocks, so that memory
holds one block and the language's features, whatever the number of passages.

bm25s reads the result (its arrays: scores by feature, as in a CSC matrix) but does not write it: it
would keep every token of the corpus as a Python object and loop over passages in Python.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from retrieval.lexical.features import TEXTS_AT_ONCE, count_features

FOLDER = "lexical"
"""Where a version keeps its lexical index."""

DATA, INDICES, STARTS, FEATURES, DESCRIPTION = (
    "data.npy",
    "indices.npy",
    "starts.npy",
    "features.npy",
    "index.json",
)
FILES = (DATA, INDICES, STARTS, FEATURES, DESCRIPTION)

K1 = 0.9
B = 0.4
PARAMETERS = {"method": "lucene", "k1": str(K1), "b": str(B), "features": "subwords and pairs"}
"""For the manifest: BM25 as in Lucene, with exact lengths (Kamphuis et al. 2020)."""

_SPOOL = "spool"
_BLOCK = 1 << 20
_TEXTS = min(8192, TEXTS_AT_ONCE)


@dataclass(slots=True, kw_only=True)
class _Language:
    """What is spooled of one language: passages, postings, and the number of each passage's."""

    number: int
    passages: int = 0
    postings: int = 0
    distinct: list[NDArray[np.int64]] = field(default_factory=list)
    lengths: list[NDArray[np.int64]] = field(default_factory=list)


class LexicalWriter:
    """Collects the tokens of passages and writes the index into `folder`, once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spool = folder / _SPOOL
        self._spool.mkdir(parents=True)
        self._languages: dict[str, _Language] = {}

    def append(self, tokens: Sequence[Sequence[int]], languages: Sequence[str]) -> None:
        """Add passages: the token ids and the language of each, in the order of rows."""
        for start in range(0, len(tokens), _TEXTS):
            part = slice(start, start + _TEXTS)
            codes = np.array(languages[part], dtype=object)
            for lang in dict.fromkeys(languages[part]):
                chosen = np.flatnonzero(codes == lang)
                self._append(lang, [tokens[start + int(place)] for place in chosen])

    def _append(self, lang: str, texts: Sequence[Sequence[int]]) -> None:
        state = self._languages.setdefault(lang, _Language(number=len(self._languages)))
        text_N, feature_N, count_N = count_features(texts)
        with self._path(state, "features").open("ab") as stream:
            stream.write(feature_N.data)
        with self._path(state, "counts").open("ab") as stream:
            stream.write(count_N.astype(np.int32).data)
        state.distinct.append(np.bincount(text_N, minlength=len(texts)))
        lengths_T = np.bincount(text_N, weights=count_N, minlength=len(texts))
        state.lengths.append(lengths_T.astype(np.int64))
        state.passages += len(texts)
        state.postings += len(feature_N)

    def finish(self) -> list[str]:
        """Write the index, remove what was spooled; returns the files' names in the folder."""
        order = sorted(self._languages)
        features = {lang: self._features(self._languages[lang]) for lang in order}
        total = sum(state.postings for state in self._languages.values())
        data = open_memmap(self.folder / DATA, mode="w+", dtype=np.float32, shape=(total,))
        indices = open_memmap(self.folder / INDICES, mode="w+", dtype=np.int32, shape=(total,))
        place, starts = 0, []
        for lang in order:
            state, (_, frequency_F) = self._languages[lang], features[lang]
            span = slice(place, place + state.postings)
            starts.append(np.concatenate([[0], np.cumsum(frequency_F)]).astype(np.int64))
            self._invert(state, *features[lang], data[span], indices[span])
            place = span.stop
        del data, indices
        np.save(self.folder / FEATURES, _joined([features[lang][0] for lang in order]))
        np.save(self.folder / STARTS, _joined(starts))
        self._describe(order, features)
        shutil.rmtree(self._spool)
        return [f"{FOLDER}/{name}" for name in FILES]

    def _features(self, state: _Language) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The features of a language, ascending, and the number of passages that have each."""
        known, waiting = _Tally.empty(), _Tally.empty()
        for feature_N, _, _ in self._blocks(state):
            waiting = waiting.merged(_Tally(*np.unique(feature_N, return_counts=True)))
            # Merged when as many wait as are known: the work stays in proportion to the postings.
            if len(waiting.features) > len(known.features):
                known, waiting = known.merged(waiting), _Tally.empty()
        whole = known.merged(waiting)
        return whole.features, whole.counts

    def _invert(
        self,
        state: _Language,
        features_F: NDArray[np.int64],
        frequency_F: NDArray[np.int64],
        data_N: NDArray[np.float32],
        indices_N: NDArray[np.int32],
    ) -> None:
        """Scores by feature, then passage: a counting sort, one block at a time."""
        lengths_P = _joined(state.lengths)
        mean = float(lengths_P.mean()) or 1.0
        idf_F = np.log1p((state.passages - frequency_F + 0.5) / (frequency_F + 0.5))
        next_F = np.cumsum(frequency_F) - frequency_F
        for feature_N, count_N, passage_N in self._blocks(state):
            column_N = np.searchsorted(features_F, feature_N)
            order = np.argsort(column_N, kind="stable")
            column_N, passage_N, count_N = column_N[order], passage_N[order], count_N[order]
            touched, first, size = np.unique(column_N, return_index=True, return_counts=True)
            within_N = np.arange(len(column_N)) - np.repeat(first, size)
            place_N = next_F[column_N] + within_N
            next_F[touched] += size
            saturated_N = count_N / (count_N + K1 * (1 - B + B * lengths_P[passage_N] / mean))
            data_N[place_N] = (idf_F[column_N] * saturated_N).astype(np.float32)
            indices_N[place_N] = passage_N

    def _blocks(
        self, state: _Language
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]]:
        """feature_N, count_N, passage_N of consecutive postings of a language."""
        ends_P = np.cumsum(_joined(state.distinct))
        with (
            self._path(state, "features").open("rb") as features,
            self._path(state, "counts").open("rb") as counts,
        ):
            for start in range(0, state.postings, _BLOCK):
                size = min(_BLOCK, state.postings - start)
                feature_N = np.frombuffer(features.read(8 * size), dtype=np.int64)
                count_N = np.frombuffer(counts.read(4 * size), dtype=np.int32)
                passage_N = np.searchsorted(ends_P, np.arange(start, start + size), side="right")
                yield feature_N, count_N, passage_N

    def _describe(self, order: Sequence[str], features: dict[str, Any]) -> None:
        languages = [
            {
                "lang": lang,
                "passages": self._languages[lang].passages,
                "features": len(features[lang][0]),
                "postings": self._languages[lang].postings,
            }
            for lang in order
        ]
        content = {"parameters": PARAMETERS, "languages": languages}
        (self.folder / DESCRIPTION).write_bytes(
            orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"
        )

    def _path(self, state: _Language, name: str) -> Path:
        return self._spool / f"{state.number}.{name}"


@dataclass(frozen=True, slots=True)
class _Tally:
    """Features, ascending, each with a count."""

    features: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls) -> _Tally:
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def merged(self, other: _Tally) -> _Tally:
        both = np.concatenate([self.features, other.features])
        features, place = np.unique(both, return_inverse=True)
        counts = np.zeros(len(features), dtype=np.int64)
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        return _Tally(features, counts)


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
