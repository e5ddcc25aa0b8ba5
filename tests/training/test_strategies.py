"""Strategies and the modes of their batches."""

from __future__ import annotations

import numpy as np
import pytest

from training.strategies import AlphaRamp, Mode, Strategy, StrategyName


@pytest.mark.parametrize("name", set(StrategyName) - {StrategyName.HYBRID})
def test_a_pure_strategy_has_the_mode_of_its_name(name: StrategyName) -> None:
    strategy = Strategy(name)
    assert strategy.modes == (Mode(name.value),)
    assert strategy.draw_mode(np.random.default_rng(0), 0) is Mode(name.value)
    assert str(strategy) == name.value


@pytest.mark.parametrize(
    ("alpha", "modes"),
    [
        (0.0, (Mode.CROSS_LINGUAL,)),
        (0.5, (Mode.MONOLINGUAL, Mode.CROSS_LINGUAL)),
        (1.0, (Mode.MONOLINGUAL,)),
    ],
)
def test_hybrid_has_the_modes_that_alpha_lets_happen(alpha: float, modes: tuple[Mode]) -> None:
    strategy = Strategy(StrategyName.HYBRID, alpha)
    assert strategy.modes == modes
    rng = np.random.default_rng(0)
    assert {strategy.draw_mode(rng, 0) for _ in range(100)} == set(modes)
    assert str(strategy) == f"hybrid({alpha:g})"


def test_a_ramp_goes_from_its_first_to_its_last_value_and_stays() -> None:
    ramp = AlphaRamp(first=0.8, last=0.2, steps=4)
    assert [ramp.at(step) for step in range(6)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.2, 0.2])
    assert AlphaRamp(first=0.8, last=0.2, steps=1).at(0) == 0.2
    strategy = Strategy(StrategyName.HYBRID, ramp)
    assert str(strategy) == "hybrid(0.8 to 0.2 in 4 steps)"
    assert strategy.modes == (Mode.MONOLINGUAL, Mode.CROSS_LINGUAL)
    pure = Strategy(StrategyName.HYBRID, AlphaRamp(first=1, last=1, steps=4))
    assert pure.modes == (Mode.MONOLINGUAL,)
