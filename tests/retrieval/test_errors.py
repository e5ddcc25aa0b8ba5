"""Messages say where, what and what to do; the drawn tree is the real one."""

from __future__ import annotations

import re

import retrieval.errors
from retrieval.errors import MalformedFile, SynglotError


def test_a_message_has_place_finding_and_fix() -> None:
    error = MalformedFile("broken JSON", path="a.jsonl", line=7, fix="Mend it.")
    assert str(error) == "a.jsonl:7: broken JSON. Mend it."
    assert str(MalformedFile("broken JSON", path="a.jsonl")) == "a.jsonl: broken JSON"
    assert str(SynglotError("no")) == "no"


def test_the_tree_at_the_top_of_the_file_is_the_real_one() -> None:
    def drawn(kind: type[SynglotError]) -> list[str]:
        children = [c for c in kind.__subclasses__() if c.__module__ == "retrieval.errors"]
        return [kind.__name__, *(name for child in children for name in drawn(child))]

    tree = (retrieval.errors.__doc__ or "").split("\n\n")[1]
    assert re.findall(r"^[│├└─ ]*(\w+)", tree, re.MULTILINE) == drawn(SynglotError)
