"""What a batch may hold: the strategies of LAReQA (arXiv 2004.05484) and of hybrid batches.

| strategy      | batch                                                                    |
|---------------|--------------------------------------------------------------------------|
| english       | question and passage in English (En-En)                                  |
| mixed         | each pair in one language, languages mixed in the batch (X-X)            |
| monolingual   | the whole batch in one language, drawn uniformly (X-X-mono)              |
| cross-lingual | question language differs from passage language, per triplet (X-Y)       |
| multilingual  | question and passage languages drawn independently, per triplet          |
| hybrid        | monolingual with probability alpha, else cross-lingual (arXiv 2408.10536) |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Mode(StrEnum):
    """How the languages of one batch are drawn."""

    ENGLISH = "english"
    MIXED = "mixed"
    MONOLINGUAL = "monolingual"
    CROSS_LINGUAL = "cross-lingual"
    MULTILINGUAL = "multilingual"


class StrategyName(StrEnum):
    """The strategies that can be configured."""

    ENGLISH = "english"
    MIXED = "mixed"
    MONOLINGUAL = "monolingual"
    CROSS_LINGUAL = "cross-lingual"
    MULTILINGUAL = "multilingual"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaRamp:
    """An alpha that goes in a straight line from `first` at step 0 to `last` at step `steps` - 1.

    It stays there afterwards.
    """

    first: float
    last: float
    steps: int

    def at(self, step: int) -> float:
        """Alpha of one step, counted from 0."""
        share = 1.0 if self.steps <= 1 else min(step / (self.steps - 1), 1.0)
        return self.first * (1 - share) + self.last * share

    def __str__(self) -> str:
        return f"{self.first:g} to {self.last:g} in {self.steps} steps"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy; `alpha` is the share of monolingual batches and counts for `hybrid` alone."""

    name: StrategyName
    alpha: float | AlphaRamp = 0.5

    def __str__(self) -> str:
        """`hybrid(0.5)`, or the bare name."""
        if self.name is not StrategyName.HYBRID:
            return self.name.value
        shown = self.alpha if isinstance(self.alpha, AlphaRamp) else f"{self.alpha:g}"
        return f"hybrid({shown})"

    def alpha_at(self, step: int) -> float:
        """Probability that the batch of `step` is monolingual."""
        return self.alpha.at(step) if isinstance(self.alpha, AlphaRamp) else self.alpha

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Modes that its batches can have, in the order the coin of `draw_mode` names them."""
        if self.name is not StrategyName.HYBRID:
            return (Mode(self.name.value),)
        ends = (
            (self.alpha.first, self.alpha.last)
            if isinstance(self.alpha, AlphaRamp)
            else (self.alpha,)
        )
        if min(ends) >= 1:
            return (Mode.MONOLINGUAL,)
        if max(ends) <= 0:
            return (Mode.CROSS_LINGUAL,)
        return (Mode.MONOLINGUAL, Mode.CROSS_LINGUAL)

    def draw_mode(self, rng: np.random.Generator, step: int) -> Mode:
        """The mode of the batch of `step`.

        Always uses one draw, so that the batches of `monolingual` and of `hybrid` with the same
        seed that fall on a monolingual step are the same batches.
        """
        coin = rng.random()
        modes = self.modes
        return modes[0] if len(modes) == 1 or coin < self.alpha_at(step) else modes[1]
