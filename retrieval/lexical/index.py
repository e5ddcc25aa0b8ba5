"""BM25 scores from an index on disk: the one file that imports bm25s.

A score is a sum of float32 in the order of the features, over one passage's own postings: it does
not depend on which other queries or passages are scored. Suffixes: P passages of the corpus, R
passages of one language, F features of one language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import orjson
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.lexical.features import FIRST_PAIR, features_of
from retrieval.lexical.writer import DATA, DESCRIPTION, FEATURES, INDICES, K1, STARTS, B

# Weight of what all languages together say about a subword that one language lacks.
_BACKGROUND = 0.1


class _LanguageIndex:
    """The passages of one language: its own document frequencies and mean length."""

    def __init__(
        self,
        *,
        features_F: NDArray[np.int64],
        starts_F: NDArray[np.int64],
        data_N: NDArray[np.float32],
        indices_N: NDArray[np.int32],
        passages: int,
    ) -> None:
        self.features_F = features_F
        self.starts_F = starts_F
        self._passages = passages
        self._bm25: Any = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
        self._bm25.nonoccurrence_array = None
        self._bm25.scores = {
            "data": data_N,
            "indices": indices_N,
            "indptr": starts_F,
            "num_docs": passages,
        }

    def scores(self, features: NDArray[np.int64]) -> NDArray[np.float32]:
        """[R] scores of one query, 0 for a passage that shares no feature with it."""
        columns = self._columns(features)
        if not columns.size:
            return np.zeros(self._passages, dtype=np.float32)
        scores_R: NDArray[np.float32] = self._bm25.get_scores_from_ids(columns)
        return scores_R

    def shares(self, subwords: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of each subword among the postings of the language's subwords."""
        last = int(np.searchsorted(self.features_F, FIRST_PAIR))
        total = max(1, int(self.starts_F[last]))
        place = np.searchsorted(self.features_F[:last], subwords)
        found = place < last
        found[found] = self.features_F[place[found]] == subwords[found]
        frequency = np.zeros(len(subwords))
        frequency[found] = (self.starts_F[place[found] + 1] - self.starts_F[place[found]]) / total
        return frequency

    def _columns(self, features: NDArray[np.int64]) -> NDArray[np.int64]:
        place = np.searchsorted(self.features_F, features)
        inside = place < len(self.features_F)
        place, features = place[inside], features[inside]
        columns: NDArray[np.int64] = place[self.features_F[place] == features]
        return columns


class LexicalIndex:
    """BM25 over the passages of a corpus, each scored by the statistics of its own language.

    rows: language -> its passages' rows in the corpus, ascending.
    """

    def __init__(
        self, indexes: Mapping[str, _LanguageIndex], rows: Mapping[str, NDArray[np.int64]]
    ) -> None:
        self.rows = rows
        self._indexes = indexes

    @classmethod
    def read(cls, folder: Path, rows: Mapping[str, NDArray[np.int64]]) -> LexicalIndex:
        """The index in `folder`, memory-mapped. Raises BadInput where it is none of these rows."""
        try:
            described = orjson.loads((folder / DESCRIPTION).read_bytes())["languages"]
            arrays = {name: _map(folder / name) for name in (DATA, INDICES, STARTS, FEATURES)}
            return cls(dict(_split(described, rows, arrays)), rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"no readable lexical index ({error!r})", path=folder) from error

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of its passages, sorted."""
        return tuple(sorted(self._indexes))

    def scores(self, tokens: Sequence[int], lang: str) -> NDArray[np.float32]:
        """[R] scores of the passages of `lang` for a query, in the order of `rows[lang]`.

        0 where a passage shares no subword with the query.
        """
        return self._indexes[lang].scores(features_of(tokens))

    def all_scores(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """[P] scores of every passage by row, as `scores`."""
        features = features_of(tokens)
        scores_P = np.zeros(sum(map(len, self.rows.values())), dtype=np.float32)
        for lang, index in self._indexes.items():
            scores_P[self.rows[lang]] = index.scores(features)
        return scores_P

    def likeliest_language(self, tokens: Sequence[int]) -> str | None:
        """The passage language whose subwords are most like the query's; None if none is known.

        A unigram model of each language, smoothed with the mean of all (Jelinek and Mercer 1980).
        """
        subwords = np.array(tokens, dtype=np.int64)
        shares_LW = np.array([self._indexes[lang].shares(subwords) for lang in self.languages])
        background_W = shares_LW.mean(axis=0)
        known = background_W > 0
        if not known.any():
            return None
        mixed_LW = (1 - _BACKGROUND) * shares_LW + _BACKGROUND * background_W
        likelihood_L = np.log(mixed_LW[:, known]).sum(axis=1)
        return self.languages[int(np.argmax(likelihood_L))]


def _map(path: Path) -> NDArray[Any]:
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)


def _split(
    described: Sequence[Mapping[str, Any]],
    rows: Mapping[str, NDArray[np.int64]],
    arrays: Mapping[str, NDArray[Any]],
) -> list[tuple[str, _LanguageIndex]]:
    """The parts of the arrays that belong to each language. Raises ValueError."""
    found = {entry["lang"]: entry["passages"] for entry in described}
    expected = {lang: len(rows_R) for lang, rows_R in rows.items()}
    if found != expected:
        raise ValueError(f"expected passages {expected}, found {found}")
    totals = {
        FEATURES: sum(entry["features"] for entry in described),
        STARTS: sum(entry["features"] + 1 for entry in described),
        DATA: sum(entry["postings"] for entry in described),
        INDICES: sum(entry["postings"] for entry in described),
    }
    for name, total in totals.items():
        if arrays[name].shape != (total,):
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected ({total},)")
    parts, feature, start, posting = [], 0, 0, 0
    for entry in described:
        postings = slice(posting, posting + entry["postings"])
        index = _LanguageIndex(
            features_F=arrays[FEATURES][feature : feature + entry["features"]],
            starts_F=arrays[STARTS][start : start + entry["features"] + 1],
            data_N=arrays[DATA][postings],
            indices_N=arrays[INDICES][postings],
            passages=entry["passages"],
        )
        parts.append((entry["lang"], index))
        feature += entry["features"]
        start += entry["features"] + 1
        posting = postings.stop
    return parts
