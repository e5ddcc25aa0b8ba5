"""What a long step shows: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback


class TrainingBar(TrainerCallback):
    """A bar with the latest loss."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self._bar = tqdm(
            total=state.max_steps, initial=state.global_step, desc="training", disable=None
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the loss."""
        logs = kwargs.get("logs") or {}
        if "loss" in logs and self._bar is not None:
            self._bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def bar(steps: range, label: str) -> range:
    """`steps` behind a bar named `label`."""
    return tqdm(steps, desc=label, disable=None)  # type: ignore[return-value]
