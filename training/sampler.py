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


@dataclass(slots=True)
class Tally:
    """What was really drawn: batches by mode, triplets by language pair and by source."""

    modes: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, plan: BatchPlan, table: ParallelTable) -> None:
        """Count one batch."""
        self.modes[plan.mode.value] += 1
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


class PlannedBatches(Sampler[list[int]]):
    """The plans of a run as a torch batch sampler of triplet codes (see `encode_triplets`)."""

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

    def __iter__(self) -> Iterator[list[int]]:
        """Codes of every triplet of every step."""
        self.tally = Tally()
        for step in range(self.steps):
            plan = self.planner.plan(step)
            self.tally.add(plan, self.planner.table)
            yield encode_triplets(plan, len(self.planner.table.languages)).tolist()


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
