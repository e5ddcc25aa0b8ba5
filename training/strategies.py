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


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy; `alpha` is the share of monolingual batches and counts for `hybrid` alone."""

    name: StrategyName
    alpha: float = 0.5

    def __str__(self) -> str:
        """`hybrid(0.5)`, or the bare name."""
        return f"hybrid({self.alpha:g})" if self.name is StrategyName.HYBRID else self.name.value

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Modes that its batches can have, in the order the coin of `draw_mode` names them."""
        if self.name is not StrategyName.HYBRID:
            return (Mode(self.name.value),)
        if self.alpha >= 1:
            return (Mode.MONOLINGUAL,)
        if self.alpha <= 0:
            return (Mode.CROSS_LINGUAL,)
        return (Mode.MONOLINGUAL, Mode.CROSS_LINGUAL)

    def draw_mode(self, rng: np.random.Generator) -> Mode:
        """The mode of one batch.

        Always uses one draw, so that the batches of `monolingual` and of `hybrid` with the same
        seed that fall on a monolingual step are the same batches.
        """
        coin = rng.random()
        modes = self.modes
        return modes[0] if len(modes) == 1 or coin < self.alpha else modes[1]
