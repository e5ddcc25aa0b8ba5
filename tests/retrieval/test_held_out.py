"""Held-out pages: which page an item is of, and how many are kept from training."""

from __future__ import annotations

import pytest

from retrieval.held_out import family_of, is_held_out, page_of
from retrieval.types import ParallelItem


def item(identifier: str, source: str) -> ParallelItem:
    return ParallelItem(id=identifier, source=source, query={"en": "q"}, passage={"en": "p"})


@pytest.mark.parametrize(
    ("identifier", "source", "page"),
    [
        ("docs:a/b.md#0", "docs", "docs:a/b.md"),
        ("docs_par:a/b.md#0.1", "docs_par", "docs:a/b.md"),
        ("docs_doc:a/b.md#", "docs_doc", "docs:a/b.md"),
        ("a/b.md#0", "docs", "docs:a/b.md"),
        ("other:a#0", "docs", "docs:other:a"),
        ("docs:a#b#c", "docs", "docs:a"),
        ("docs:a/b.md", "docs", None),
    ],
)
def test_a_page_is_named_alike_in_every_file_made_from_it(
    identifier: str, source: str, page: str | None
) -> None:
    assert page_of(item(identifier, source)) == page


def test_a_family_is_the_source_without_its_ending() -> None:
    names = ("docs", "docs_par", "docs_doc", "par")
    assert [family_of(n) for n in names] == ["docs", "docs", "docs", "par"]


def test_about_the_share_of_pages_is_held_out_and_more_where_it_is_larger() -> None:
    items = [item(f"docs:page{number}#0", "docs") for number in range(4000)]

    def kept(share: float) -> set[str]:
        return {i.id for i in items if is_held_out(i, share=share, whole_sources=())}

    assert kept(0) == set()
    assert len(kept(1)) == 4000
    assert len(kept(0.1)) == pytest.approx(400, abs=4 * (4000 * 0.1 * 0.9) ** 0.5)
    assert kept(0.1) < kept(0.2)


def test_items_without_a_page_and_whole_sources_are_never_held_out() -> None:
    assert not is_held_out(item("docs:entry", "docs"), share=1, whole_sources=())
    for source in ("docs", "docs_par"):
        given = item(f"{source}:page#0", source)
        assert is_held_out(given, share=1, whole_sources=("other",))
        assert not is_held_out(given, share=1, whole_sources=("docs",))
