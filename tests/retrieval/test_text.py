"""Texts that compare equal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retrieval.text import comparable


def test_composition_case_and_white_space_do_not_matter() -> None:
    assert comparable("Caf\u00e9  Stra\u00dfe\n") == comparable("cafe\u0301 STRASSE")
    assert comparable("cafe") != comparable("caf\u00e9")


@given(st.text())
def test_comparing_twice_changes_nothing_that_matters(text: str) -> None:
    once = comparable(text)
    assert comparable(once) == comparable(comparable(once))
