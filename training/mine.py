"""Hard negatives: passages that the encoder itself takes for answers, though they are none.

For every language of passages an index is searched with the items' questions, in that language
(monolingual) and in another one (cross-lingual). What is found is a negative if its rank is in the
window, it is no copy of the item (same item, group, passage, or an equal text), and it scores less
than the item's own passage by the margin: what scores alike may well be an answer nobody marked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.encoder import Encoder, cpu_threads
from retrieval.text import comparable
from retrieval.types import ParallelItem
from retrieval.vectors import IndexKind, VectorIndex, build_index, exact_scores, unit_rows
from training.config import Mining
from training.data import ParallelTable, text_key

_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Mined:
    """Negatives found: rows of texts by (item number, language), and how many each search gave."""

    rows: Mapping[tuple[int, str], tuple[int, ...]]
    monolingual: int
    cross_lingual: int

    def add_to(self, item: ParallelItem, number: int, table: ParallelTable) -> ParallelItem:
        """The item with what was found behind the negatives it came with."""
        negatives = {lang: list(texts) for lang, texts in item.negatives.items()}
        for lang in table.languages:
            texts = table.text(np.array(self.rows.get((number, lang), ()), dtype=np.int64))
            if texts:
                known = negatives.setdefault(lang, [])
                known += [text for text in texts if text not in known]
        return replace(item, negatives={lang: tuple(texts) for lang, texts in negatives.items()})


def mine(
    table: ParallelTable, encoder: Encoder, mining: Mining, *, seed: int, progress: bool = False
) -> Mined:
    """Negatives of every item of the table, in each language it has a passage in.

    The languages of cross-lingual questions are a function of the seed.
    """
    rows: dict[tuple[int, str], tuple[int, ...]] = {}
    found = {True: 0, False: 0}
    for column, lang in enumerate(tqdm(table.languages, desc="mining", disable=not progress)):
        pool = _Pool.of(table, encoder, column)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "passages.faiss"
            build_index(pool.vectors_PD, path, kind=IndexKind.FLAT)
            index = VectorIndex.read(path, pool.vectors_PD, threads=cpu_threads())
            for same_language, langs_N in _searches(table, column, mining, seed=seed):
                for item, negatives in _search(table, encoder, mining, pool, index, langs_N):
                    found[same_language] += len(negatives)
                    known = rows.get((item, lang), ())
                    rows[item, lang] = known + tuple(n for n in negatives if n not in known)
    return Mined(rows, monolingual=found[True], cross_lingual=found[False])


@dataclass(frozen=True, eq=False)
class _Pool:
    """The P distinct passages of one language, and which of them are copies of which item.

    rows_P: of the table's texts. keys_P: ascending. echoes_P: equal for equal texts of any
    language. own_N: every item's own passage, -1 where it has none.
    """

    rows_P: NDArray[np.int64]
    keys_P: NDArray[np.int64]
    echoes_P: NDArray[np.int64]
    vectors_PD: NDArray[np.float32]
    own_N: NDArray[np.int64]
    component_N: NDArray[np.int64]

    @classmethod
    def of(cls, table: ParallelTable, encoder: Encoder, column: int) -> _Pool:
        rows_N = table.passages_NL[:, column]
        there = np.flatnonzero(rows_N >= 0)
        keys_P, first = np.unique(table.keys_T[rows_N[there]], return_index=True)
        rows_P = rows_N[there][first].astype(np.int64)
        own_N = np.full(len(table), -1, dtype=np.int64)
        own_N[there] = np.searchsorted(keys_P, table.keys_T[rows_N[there]])
        texts = table.text(rows_P)
        return cls(
            rows_P=rows_P,
            keys_P=keys_P,
            echoes_P=_echoes(texts),
            vectors_PD=unit_rows(encoder.encode_passages(texts), dim=encoder.dim),
            own_N=own_N,
            component_N=table.component_N,
        )

    @cached_property
    def copies(self) -> dict[int, NDArray[np.int64]]:
        """Component -> the passages of its items."""
        there = np.flatnonzero(self.own_N >= 0)
        pairs = np.unique(np.column_stack([self.component_N[there], self.own_N[there]]), axis=0)
        names, starts = np.unique(pairs[:, 0], return_index=True)
        return dict(zip(names.tolist(), np.split(pairs[:, 1], starts[1:]), strict=True))


def _searches(
    table: ParallelTable, column: int, mining: Mining, *, seed: int
) -> Iterator[tuple[bool, NDArray[np.int64]]]:
    """(whether monolingual, each item's language of questions or -1) of each search."""
    there_N = table.passages_NL[:, column] >= 0
    asked_NL = table.queries_NL >= 0
    if mining.monolingual:
        usable_N = there_N & asked_NL[:, column] & ~table.translation_N
        yield True, np.where(usable_N, column, -1)
    if mining.cross_lingual:
        asked_NL[:, column] = False
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, column], np.uint64)))
        lots_NL = np.where(asked_NL, rng.random(asked_NL.shape), -1.0)
        usable_N = there_N & asked_NL.any(axis=1)
        yield False, np.where(usable_N, lots_NL.argmax(axis=1), -1)


def _search(
    table: ParallelTable,
    encoder: Encoder,
    mining: Mining,
    pool: _Pool,
    index: VectorIndex,
    langs_N: NDArray[np.int64],
) -> Iterator[tuple[int, list[int]]]:
    """(item, rows of its negatives, best first) of every item that asks in some language."""
    # One more than the copies: a passage may repeat the question.
    depth = mining.ranks[1] + max(map(len, pool.copies.values()), default=0) + 1
    asking = np.flatnonzero(langs_N >= 0)
    for start in range(0, len(asking), _AT_ONCE):
        items_Q = asking[start : start + _AT_ONCE]
        texts = table.text(table.queries_NL[items_Q, langs_N[items_Q]])
        queries_QD = unit_rows(encoder.encode_queries(texts), dim=encoder.dim)
        own_Q = exact_scores(queries_QD, pool.vectors_PD[pool.own_N[items_Q]])
        rankings = index.search(
            queries_QD,
            min(depth, len(pool.rows_P)),
            ids_of=lambda rows: [f"{r:012d}" for r in rows],
        )
        for item, echo, own, ranking in zip(
            items_Q.tolist(), _echoes(texts), own_Q, rankings, strict=True
        ):
            false_C = np.isin(ranking.rows, pool.copies[int(table.component_N[item])])
            false_C |= pool.echoes_P[ranking.rows] == echo
            window = slice(mining.ranks[0] - 1, mining.ranks[1])
            rows, scores = ranking.rows[~false_C][window], ranking.scores[~false_C][window]
            far_enough = scores <= own - np.float32(mining.margin)
            chosen = rows[far_enough][: mining.per_question]
            if len(chosen):
                yield item, pool.rows_P[chosen].tolist()


def _echoes(texts: list[str]) -> NDArray[np.int64]:
    return np.array([text_key("", comparable(text)) for text in texts], dtype=np.int64)
