"""Why a run may end before its last step: no better state for a while, or a person's Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback


class Patience(TrainerCallback):
    """Stops after `measurements` without a better one.

    It counts in the trainer's own log, which checkpoints keep: a resumed run stops where the
    uninterrupted one would have.
    """

    def __init__(self, measurements: int) -> None:
        self._measurements = measurements

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop if the best state lies too far back."""
        name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
        steps = [entry["step"] for entry in state.log_history if name in entry]
        best = state.best_global_step
        if best is not None and sum(step > best for step in steps) >= self._measurements:
            control.should_training_stop = True


class Interruption(TrainerCallback):
    """Ctrl-C (or SIGTERM) ends the run after its step, with a checkpoint; a second one at once.

    For one process: several would have to agree on the step, and go on from their last checkpoint.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While this lasts, the two signals are requests. Only the main thread gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.asked:
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the state and stop."""
        if self.asked:
            control.should_save = True
            control.should_training_stop = True
