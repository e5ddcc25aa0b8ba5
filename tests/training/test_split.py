"""No page on both sides of the split."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.formats.parallel import read_parallel
from retrieval.held_out import family_of, page_of
from retrieval.types import ParallelItem
from training.config import Data
from training.split import chosen, is_held_out


def item(identifier: str, source: str) -> ParallelItem:
    return ParallelItem(id=identifier, source=source, query={"en": "q"}, passage={"en": "p"})


@pytest.mark.parametrize("source", ["docs", "docs_par", "docs_doc"])
def test_siblings_of_a_page_share_its_name(source: str) -> None:
    assert page_of(item(f"{source}:guide/a.md#3", source)) == "docs:guide/a.md"
    assert family_of(source) == "docs"


def test_items_without_a_page_and_whole_sources_are_never_held_out() -> None:
    data = Data(files=("x",), dev_share=0.999999, whole_sources=("help",))
    assert page_of(item("units:en.17", "units")) is None
    assert not is_held_out(item("units:en.17", "units"), data)
    assert not is_held_out(item("help_par:a#1", "help_par"), data)
    assert is_held_out(item("docs:a#1", "docs"), data)


def test_the_share_of_pages_held_out_is_about_what_was_asked() -> None:
    data = Data(files=("x",), dev_share=0.2)
    held = sum(is_held_out(item(f"docs:{n}#0", "docs"), data) for n in range(5000))
    assert held / 5000 == pytest.approx(0.2, abs=0.03)  # five standard deviations


def test_sources_are_chosen_by_name() -> None:
    items = [item("a:1", "a"), item("b:1", "b"), item("c:1", "c")]
    data = Data(files=("x",), sources=("a", "b"), exclude_sources=("b",))
    assert [i.source for i in chosen(items, data)] == ["a"]


def test_real_pages_stay_whole(test_data: Path) -> None:
    names = ("astro_docs", "astro_docs_par", "djangogirls", "djangogirls_par")
    data = Data(files=("x",), dev_share=0.2)
    sides: dict[str, set[bool]] = {}
    for found in read_parallel(test_data / "parallel" / f"{n}.jsonl.gz" for n in names):
        page = page_of(found)
        assert page is not None
        sides.setdefault(page, set()).add(is_held_out(found, data))
    assert len(sides) > 300
    assert all(len(side) == 1 for side in sides.values())
    assert {next(iter(side)) for side in sides.values()} == {True, False}
