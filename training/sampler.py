"""Plans as a torch batch sampler, and the count of what they drew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from training.data import ParallelTable
from training.planner import BatchPlan, BatchPlanner

TripletRow = int | list[int]
"""A triplet's code, or a list of the code and the numbers of its given negatives."""


@dataclass(slots=True)
class Tally:
    """What was drawn: batches by mode, triplets by language pair and by source, negatives."""

    modes: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    negatives: int = 0

    def add(self, plan: BatchPlan, table: ParallelTable) -> None:
        """Count one batch."""
        self.modes[plan.mode.value] += 1
        self.negatives += int((plan.negatives_BK >= 0).sum())
        count = len(table.languages)
        codes, times = np.unique(
            plan.query_langs_B * count + plan.passage_langs_B, return_counts=True
        )
        for code, n in zip(codes, times, strict=True):
            query_lang, passage_lang = divmod(int(code), count)
            pair = f"{table.languages[query_lang]}->{table.languages[passage_lang]}"
            self.pairs[pair] += int(n)
        for source, n in zip(
            *np.unique(table.source_N[plan.items_B], return_counts=True), strict=True
        ):
            self.sources[table.sources[source]] += int(n)


class PlannedBatches(Sampler[list[TripletRow]]):
    """The plans of a run as a torch batch sampler of triplet codes (see `batch_rows`)."""

    def __init__(self, planner: BatchPlanner, *, steps: int) -> None:
        self.planner = planner
        self.steps = steps
        self.tally = Tally()
        # accelerate reads these two where it splits a global batch over ranks.
        self.batch_size = planner.batch_size
        self.drop_last = True

    def __len__(self) -> int:
        """Number of global steps."""
        return self.steps

    def tally_of(self, steps: int) -> Tally:
        """What the first `steps` batches drew; a run that stops early has drawn ahead."""
        if self.tally.modes.total() == steps:
            return self.tally
        tally = Tally()
        for step in range(steps):
            tally.add(self.planner.plan(step), self.planner.table)
        return tally

    def __iter__(self) -> Iterator[list[TripletRow]]:
        """Codes of every triplet of every step."""
        self.tally = Tally()
        for step in range(self.steps):
            plan = self.planner.plan(step)
            self.tally.add(plan, self.planner.table)
            yield batch_rows(plan, len(self.planner.table.languages))


def batch_rows(plan: BatchPlan, languages: int) -> list[TripletRow]:
    """What each triplet of a batch is told by: its code, followed by its negatives if it has any.

    A plain number where it can be: lists of numbers cost a large batch a tenth of its time.
    """
    codes_B = encode_triplets(plan, languages)
    if not plan.negatives_BK.shape[1]:
        return list(codes_B.tolist())
    return list(np.column_stack([codes_B, plan.negatives_BK]).tolist())


def encode_triplets(plan: BatchPlan, languages: int) -> NDArray[np.int64]:
    """[B] one number a triplet: (item * L + query language) * L + passage language."""
    return (plan.items_B * languages + plan.query_langs_B) * languages + plan.passage_langs_B


def decode_triplets(
    codes_B: NDArray[np.int64], languages: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Items, query languages and passage languages, each [B]: inverse of `encode_triplets`."""
    rest_B, passage_langs_B = np.divmod(codes_B, languages)
    items_B, query_langs_B = np.divmod(rest_B, languages)
    return items_B, query_langs_B, passage_langs_B
