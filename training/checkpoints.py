"""What an interrupted run leaves, and whether another run may go on from it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer

from retrieval.errors import BadConfig
from training.config import EncoderStart, TrainingConfig
from training.data import ParallelTable

_RUN, _START = "run.json", "start"
# A checkpoint is written file by file; these are its first and its last.
_FILES = ("modules.json", "trainer_state.json")
# What may change between an interrupted run and the one that goes on.
_FREE = frozenset({"out", "checkpoint_steps"})


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """`OUT.checkpoints/`: the run's configuration, its start, and its state every so many steps."""

    folder: Path

    @classmethod
    def beside(cls, out: Path) -> Checkpoints:
        """Those of the run that writes `out`."""
        return cls(out.with_name(f"{out.name}.checkpoints"))

    @property
    def start(self) -> EncoderStart:
        """The start that `begin` kept."""
        return EncoderStart(kind="encoder", path=str(self.folder / _START))

    def begin(
        self,
        model: SentenceTransformer,
        config: TrainingConfig,
        table: ParallelTable,
    ) -> None:
        """Clear what another run left and keep the start.

        A tokenizer trained again would be another one: a resumed run, and every process but the
        first, takes the one kept here.
        """
        self.remove()
        model.save_pretrained(str(self.folder / _START), create_model_card=False)
        run = json.dumps(_identity(config, table), indent=1)
        (self.folder / _RUN).write_text(run, "utf-8")

    def kept_start(self, config: TrainingConfig, table: ParallelTable) -> EncoderStart:
        """The start of the interrupted run. Raises BadConfig where this is not the same run."""
        self.latest()
        kept = json.loads((self.folder / _RUN).read_text("utf-8"))
        asked = _identity(config, table)
        changed = sorted(key for key in kept.keys() | asked if kept.get(key) != asked.get(key))
        if changed:
            raise BadConfig(
                f"the interrupted run had another {', '.join(changed)}",
                path=self.folder,
                fix="Resume with the same configuration and data, or train without --resume.",
            )
        return self.start

    def latest(self) -> str:
        """The last checkpoint that was written to its end. Raises BadConfig."""
        found = self._whole()
        if not found or not (self.folder / _RUN).is_file():
            raise BadConfig(
                "there is no checkpoint to resume from",
                path=self.folder,
                fix="Train without --resume; checkpoint_steps says how often one is written.",
            )
        return str(max(found, key=lambda path: int(path.name.rpartition("-")[2])))

    def tidy(self) -> None:
        """After a failure: remove everything if there is nothing to go on from."""
        if not self._whole():
            self.remove()

    def _whole(self) -> list[Path]:
        return [
            path
            for path in self.folder.glob("checkpoint-*")
            if all((path / name).is_file() for name in _FILES)
        ]

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _identity(config: TrainingConfig, table: ParallelTable) -> dict[str, object]:
    settings = config.model_dump(mode="json")
    return {k: v for k, v in settings.items() if k not in _FREE} | {
        "fingerprint of the data": table.fingerprint
    }
