"""The processes of one run: `torchrun --nproc-per-node N --no-python synglot train ...`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import PartialState

from retrieval.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Ranks:
    """One process of the run: `rank` of `world`, counted from 0."""

    rank: int
    world: int

    @classmethod
    def current(cls) -> Ranks:
        """As torchrun's environment says; joins the other processes on the first call."""
        state = PartialState(cpu=not torch.cuda.is_available())
        return cls(rank=state.process_index, world=state.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process writes what the run writes."""
        return self.rank == 0

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The first process runs the block while the others wait; then they run it."""
        if self.world > 1 and not self.is_main:
            torch.distributed.barrier()
        try:
            yield
        finally:
            if self.world > 1 and self.is_main:
                torch.distributed.barrier()

    def check_batch(self, size: int) -> None:
        """Refuse a batch that cannot be shared out evenly. Raises BadConfig."""
        if size % self.world:
            raise BadConfig(
                f"a batch of {size} cannot be shared by {self.world} processes",
                fix="Make batches.size a multiple of the number of processes.",
            )
