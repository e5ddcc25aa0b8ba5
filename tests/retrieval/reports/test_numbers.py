from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluation.per_query import RANK_DISTANCE
from retrieval.reports import numbers


def test_a_measure_has_three_decimals_and_a_difference_four_with_its_sign() -> None:
    assert numbers.figure(0.20049) == '<data value="0.20049">0.200</data>'
    assert numbers.change(-0.00126) == '<data value="-0.00126">−0.0013</data>'
    assert numbers.change(0.00126) == '<data value="0.00126">+0.0013</data>'
    assert numbers.change(-0.00001) == '<data value="-1e-05">0.0000</data>'


def test_ranks_are_whole() -> None:
    assert numbers.in_ranks(RANK_DISTANCE)
    assert numbers.figure(3964.39, RANK_DISTANCE) == '<data value="3964.39">3,964</data>'
    assert numbers.change(-4.25, RANK_DISTANCE) == '<data value="-4.25">−4.2</data>'


def test_what_is_no_number_is_a_dash() -> None:
    values: tuple[object, ...] = (None, float("nan"), float("inf"), "0.5", True, [])
    for value in values:
        assert numbers.figure(value) == '<span class="none">–</span>'


def test_an_interval_without_ends_says_so() -> None:
    for ends in (None, [None, None], (float("-inf"), float("inf")), [0.1], "ab"):
        assert "no interval" in numbers.interval(ends)
    assert ">0.100<" in numbers.interval([0.1, 0.2])
    assert ">+0.1000<" in numbers.interval([0.1, 0.2], signed=True)


def test_a_small_p_value_is_not_zero() -> None:
    assert numbers.probability(0.00001) == '<data value="1e-05">&lt;0.0001</data>'
    assert numbers.probability(0.00009999) == '<data value="9.999e-05">0.0001</data>'


def test_medians_and_counts_are_short() -> None:
    assert numbers.median(1.0) == '<data value="1">1</data>'
    assert numbers.median(1.5) == '<data value="1.5">1.5</data>'
    assert numbers.count(13090) == '<data value="13090">13,090</data>'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_exact_value_survives(value: float) -> None:
    shown = numbers.figure(value)
    assert float(shown.partition('value="')[2].partition('"')[0]) == value


@pytest.mark.parametrize("value", [0.5, 0.0, 1.0, 12.0])
def test_a_gap_has_no_sign(value: float) -> None:
    assert "+" not in numbers.gap(value)
