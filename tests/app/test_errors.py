"""Every error of the domain has a status."""

from __future__ import annotations

from app.errors import STATUS
from retrieval.errors import SynglotError


def subclasses(kind: type[SynglotError]) -> set[type[SynglotError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_class_has_a_row_of_its_own() -> None:
    ours = {kind for kind in subclasses(SynglotError) if kind.__module__ == "retrieval.errors"}
    assert set(STATUS) == ours
