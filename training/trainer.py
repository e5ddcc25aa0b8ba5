"""sentence-transformers' trainer, fed with planned batches."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from sentence_transformers import SentenceTransformerTrainer
from torch.utils.data import DataLoader

from retrieval.errors import MachineFailure
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

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """As the library does; a checkpoint that cannot be written is no reason to lose another.

        Raises MachineFailure.
        """
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            shutil.rmtree(folder, ignore_errors=True)
            raise MachineFailure(
                f"cannot write the checkpoint ({error})",
                path=folder,
                fix="Make room, then go on from the checkpoint before it with --resume.",
            ) from error

    def _load_best_model(self) -> None:
        """The best checkpoint; the library's own goes on with the last state where it fails."""
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing: the model card is written from the run's own figures (training/card.py)."""
