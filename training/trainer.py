"""sentence-transformers' trainer, fed with planned batches."""

from __future__ import annotations

from typing import Any

from sentence_transformers import SentenceTransformerTrainer
from torch.utils.data import DataLoader

from training.collator import TripletCodes, TripletCollator
from training.sampler import PlannedBatches, TripletRow


class HybridTrainer(SentenceTransformerTrainer):
    """Takes its batches from `PlannedBatches`; everything else is sentence-transformers' own.

    The plan covers global steps. With several processes accelerate hands each rank its slice of
    the *same* planned batch (`split_batches`): dealing successive batches to the ranks would put
    several languages into one step and undo monolingual batches.
    """

    def __init__(
        self, *, batches: PlannedBatches, collator: TripletCollator, **kwargs: Any
    ) -> None:
        self.batches = batches
        self.triplet_collator = collator
        super().__init__(**kwargs)

    def get_train_dataloader(self) -> DataLoader[TripletRow]:
        """The planned batches, collated and prepared for the ranks."""
        loader: DataLoader[TripletRow] = DataLoader(
            TripletCodes(),
            batch_sampler=self.batches,
            collate_fn=self.triplet_collator,
        )
        prepared: DataLoader[TripletRow] = self.accelerator.prepare(loader)
        self._train_dataloader = prepared
        return prepared

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing: the model card is written from the run's own figures (training/card.py)."""
