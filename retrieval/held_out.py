"""Held-out pages: a page is on one side of the split, whole, in every file it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from retrieval.types import ParallelItem

# Files made from the same pages: `docs` has sections, `docs_par` paragraphs, `docs_doc` documents.
_SIBLINGS = ("_par", "_doc")


def family_of(source: str) -> str:
    """The source without the ending that tells siblings made from the same pages apart."""
    for ending in _SIBLINGS:
        source = source.removesuffix(ending)
    return source


def page_of(item: ParallelItem) -> str | None:
    """`family:page` for ids of the form `source:page#part`; None where the id names no page."""
    name, hash_sign, _ = item.id.removeprefix(f"{item.source}:").partition("#")
    return f"{family_of(item.source)}:{name}" if hash_sign else None


def is_held_out(item: ParallelItem, *, share: float, whole_sources: Collection[str]) -> bool:
    """Whether the item's page is among the `share` of pages kept from training.

    By a hash of the page's name: the same pages whatever else is read. Items without a page, and
    families in `whole_sources`, are never held out.
    """
    page = page_of(item)
    if page is None or family_of(item.source) in whole_sources:
        return False
    number = int.from_bytes(hashlib.sha256(page.encode()).digest()[:8], "big")
    return number < share * 2.0**64
