from __future__ import annotations

import pytest

from retrieval.reports import palette

SCHEMES = [False, True]


@pytest.mark.parametrize("dark", SCHEMES)
def test_text_reads_on_its_ground(dark: bool) -> None:
    colours = palette.colours(dark=dark)
    for ink in ("text", "muted", "link"):
        for ground in ("paper", "raised"):
            assert palette.contrast(colours[ink], colours[ground]) >= 4.5
    assert palette.contrast(colours["text"], colours["soft"]) >= 4.5
    for tone in ("good", "bad"):
        assert palette.contrast(colours[tone], colours[f"{tone}-soft"]) >= 4.5


@pytest.mark.parametrize("dark", SCHEMES)
def test_lines_and_bars_stand_out_from_the_paper(dark: bool) -> None:
    colours = palette.colours(dark=dark)
    for ink in ("first", "second", "absent"):
        assert palette.contrast(colours[ink], colours["paper"]) >= 3


@pytest.mark.parametrize("dark", SCHEMES)
def test_values_read_on_every_step_of_the_ramp(dark: bool) -> None:
    colours = palette.colours(dark=dark)
    for step in range(palette.STEPS):
        assert palette.contrast(colours[f"on-ramp-{step}"], colours[f"ramp-{step}"]) >= 4.5


@pytest.mark.parametrize("dark", SCHEMES)
def test_a_larger_value_stands_out_more(dark: bool) -> None:
    colours = palette.colours(dark=dark)
    contrasts = [
        palette.contrast(colours[f"ramp-{step}"], colours["paper"]) for step in range(palette.STEPS)
    ]
    assert contrasts == sorted(contrasts)
    assert len(set(contrasts)) == palette.STEPS


def test_both_schemes_name_the_same_colours_and_every_stand_in_has_one() -> None:
    light, dark = (palette.colours(dark=dark) for dark in SCHEMES)
    assert list(light) == list(dark)
    variables = {
        name.removeprefix("var(--").removesuffix(")") for name in palette.stand_ins().values()
    }
    assert variables <= set(light)
    assert len(palette.stand_ins()) == len(variables)


def test_contrast_is_that_of_the_guideline() -> None:
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
