"""Triplet codes to the tensors of one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.utils.data import Dataset

from training.data import ParallelTable
from training.sampler import decode_triplets

Features = Callable[[NDArray[np.integer], str], dict[str, Tensor]]
"""(rows of texts, prompt) -> the encoder's input for those texts."""

# Texts are tokenised this many at a time, to show progress and bound the tokenizer's memory.
_TOKENIZE_CHUNK = 65_536


class TripletCodes(Dataset[int]):
    """Index i is triplet code i: the collator looks everything up, a whole batch at once."""

    def __getitem__(self, code: int) -> int:
        """The code itself."""
        return code


@dataclass(frozen=True, slots=True)
class TripletCollator:
    """Codes of a batch -> question and passage features and [B, 3] labels for the loss."""

    table: ParallelTable
    features: Features
    query_prompt: str = ""
    passage_prompt: str = ""

    def __call__(self, codes: list[int]) -> dict[str, Tensor]:
        """The batch, its columns named as sentence-transformers' trainer reads them."""
        table = self.table
        items_B, query_langs_B, passage_langs_B = decode_triplets(
            np.array(codes, dtype=np.int64), len(table.languages)
        )
        query_rows_B = table.queries_NL[items_B, query_langs_B]
        passage_rows_B = table.passages_NL[items_B, passage_langs_B]
        batch = {f"query_{k}": v for k, v in self.features(query_rows_B, self.query_prompt).items()}
        batch |= {
            f"passage_{k}": v for k, v in self.features(passage_rows_B, self.passage_prompt).items()
        }
        labels = [
            table.component_N[items_B],
            table.keys_T[query_rows_B],
            table.keys_T[passage_rows_B],
        ]
        batch["label"] = torch.from_numpy(np.column_stack(labels))
        return batch


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
