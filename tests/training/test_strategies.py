"""Strategies and the modes of their batches."""

from __future__ import annotations

import numpy as np
import pytest

from training.strategies import Mode, Strategy, StrategyName


@pytest.mark.parametrize("name", set(StrategyName) - {StrategyName.HYBRID})
def test_a_pure_strategy_has_the_mode_of_its_name(name: StrategyName) -> None:
    strategy = Strategy(name)
    assert strategy.modes == (Mode(name.value),)
    assert strategy.draw_mode(np.random.default_rng(0)) is Mode(name.value)
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
    assert {strategy.draw_mode(rng) for _ in range(100)} == set(modes)
    assert str(strategy) == f"hybrid({alpha:g})"
