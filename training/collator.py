"""Triplet codes to the tensors of one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.utils.data import Dataset

from training.data import ParallelTable
from training.distillation import RerankerScores, TeacherVectors
from training.masks import NO_TEXT
from training.sampler import TripletRow, decode_triplets

Features = Callable[[NDArray[np.integer], str], dict[str, Tensor]]
"""(rows of texts, prompt) -> the encoder's input for those texts."""

# Texts are tokenised this many at a time, to show progress and bound the tokenizer's memory.
_TOKENIZE_CHUNK = 65_536


class TripletCodes(Dataset[TripletRow]):
    """Index i is triplet i: the collator looks everything up, a whole batch at once."""

    def __getitem__(self, row: TripletRow) -> TripletRow:
        """The row itself."""
        return row


@dataclass(frozen=True, slots=True)
class TripletCollator:
    """Rows of a batch -> features of questions, passages and negatives, and labels for the loss."""

    table: ParallelTable
    features: Features
    query_prompt: str = ""
    passage_prompt: str = ""
    teacher: TeacherVectors | None = None
    reranker: RerankerScores | None = None

    def __call__(self, rows: list[TripletRow]) -> dict[str, Any]:
        """The batch, its columns named as sentence-transformers' trainer reads them.

        `label` holds the loss' labels (see training/losses.py).
        """
        table = self.table
        rows_BX = np.array(rows, dtype=np.int64).reshape(len(rows), -1)
        triplets = decode_triplets(rows_BX[:, 0], len(table.languages))
        items_B, query_langs_B, passage_langs_B = triplets
        query_rows_B = table.queries_NL[items_B, query_langs_B]
        passage_rows_B = table.passages_NL[items_B, passage_langs_B]
        batch: dict[str, Any] = self._columns("query", query_rows_B, self.query_prompt)
        batch |= self._columns("passage", passage_rows_B, self.passage_prompt)
        keys = [
            table.component_N[items_B],
            table.keys_T[query_rows_B],
            table.keys_T[passage_rows_B],
        ]
        given = [_Given.of(table, numbers_B) for numbers_B in rows_BX[:, 1:].T]
        for place, negative in enumerate(given):
            # A row must hold some text; the labels say that it does not count.
            rows_B = np.where(negative.rows_B >= 0, negative.rows_B, passage_rows_B)
            batch |= self._columns(f"negative{place}", rows_B, self.passage_prompt)
            keys += [negative.components_B, negative.keys_B]
        labels = {"keys": torch.from_numpy(np.column_stack(keys))}
        if self.teacher is not None:
            targets = (
                self.teacher.targets(table.queries_NL[items_B], query_langs_B),
                self.teacher.targets(table.passages_NL[items_B], passage_langs_B),
            )
            labels["teacher"] = torch.stack(targets, dim=1)
        if self.reranker is not None:
            sides: list[NDArray[np.integer]] = [passage_rows_B, *(n.rows_B for n in given)]
            scores = [self.reranker.scores(query_rows_B, rows_B) for rows_B in sides]
            labels["scores"] = torch.stack(scores, dim=1)
        return batch | {"label": labels}

    def _columns(self, name: str, rows_B: NDArray[np.integer], prompt: str) -> dict[str, Tensor]:
        return {f"{name}_{key}": value for key, value in self.features(rows_B, prompt).items()}


@dataclass(frozen=True, slots=True)
class _Given:
    """One given negative of every triplet: row of its text, component and key; -1 for none."""

    rows_B: NDArray[np.int64]
    components_B: NDArray[np.int64]
    keys_B: NDArray[np.int64]

    @classmethod
    def of(cls, table: ParallelTable, numbers_B: NDArray[np.int64]) -> _Given:
        there_B, negatives = numbers_B >= 0, table.negatives
        rows_B = np.where(there_B, negatives.rows_M[numbers_B], -1)
        return cls(
            rows_B=rows_B,
            components_B=np.where(there_B, negatives.components_M[numbers_B], -1),
            keys_B=np.where(there_B, table.keys_T[rows_B], NO_TEXT),
        )


def live_features(model: SentenceTransformer, table: ParallelTable) -> Features:
    """Tokenise each batch when it is needed: right for transformers, which cost far more."""

    def features(rows: NDArray[np.integer], prompt: str) -> dict[str, Tensor]:
        preprocessed = model.preprocess(table.text(rows), prompt=prompt or None)
        return {k: v for k, v in preprocessed.items() if isinstance(v, Tensor)}

    return features


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Every text of a table as token ids: text t is ids[offsets[t]:offsets[t + 1]]."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def gather(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(ids of the texts one after the other, offset at which each begins)."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        begins = np.cumsum(lengths) - lengths
        positions = np.repeat(starts - begins, lengths) + np.arange(int(lengths.sum()))
        return self.ids[positions].astype(np.int64), begins

    def features(self, rows: NDArray[np.integer], prompt: str) -> dict[str, Tensor]:
        """Input of a StaticEmbedding. Raises ValueError for a prompt, which it does not hold."""
        if prompt:
            raise ValueError("texts were tokenised without a prompt")
        ids, begins = self.gather(rows)
        return {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(begins)}


def tokenize_table(
    table: ParallelTable,
    tokenize: Callable[[list[str]], list[list[int]]],
    *,
    progress: Callable[[range], range] = lambda chunks: chunks,
) -> TokenTable:
    """Tokenise every text once: a bag of subwords trains faster than a tokenizer tokenises."""
    ids: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    for start in progress(range(0, len(table.texts), _TOKENIZE_CHUNK)):
        tokenised = tokenize(table.texts.slice(start, _TOKENIZE_CHUNK).to_pylist())
        ids.append(np.fromiter(chain.from_iterable(tokenised), dtype=np.int32))
        lengths += map(len, tokenised)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return TokenTable(np.concatenate(ids), offsets)
