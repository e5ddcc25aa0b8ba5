from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import MalformedFile
from retrieval.formats.tree import Node

NODE = Node({"a": [{"b": "x", "n": 3, "blank": " ", "null": None}], "t": True}, Path("f.json"))


def test_a_value_is_found_by_names_and_places() -> None:
    first = NODE["a"].elements()[0]
    assert (first["b"].text(), first["n"].integer()) == ("x", 3)
    assert first["b"].place == "a[0].b"
    assert first.get("null") is None
    assert first.optional_text("null") == ""
    assert [name for name, _ in NODE.items()] == ["a", "t"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: NODE["z"], "the document has no field 'z'"),
        (lambda: NODE["a"]["b"], r"a is list, expected an object"),
        (lambda: list(NODE["a"].items()), r"a is list, expected an object"),
        (lambda: NODE["t"].elements(), "t is bool, expected a list"),
        (lambda: NODE["t"].integer(), "t is bool, expected an integer"),
        (lambda: NODE["a"].elements()[0]["n"].text(), r"a\[0\].n is int, expected a string"),
        (lambda: NODE["a"].elements()[0]["blank"].text(), r"a\[0\].blank is empty"),
        (lambda: NODE["a"].elements()[0].optional_text("n"), r"a\[0\].n is int"),
        (lambda: NODE["a"].elements()[0]["null"], r"a\[0\] has no field 'null'"),
    ],
)
def test_an_error_names_the_file_and_the_place_in_it(wrong: object, message: str) -> None:
    assert callable(wrong)
    with pytest.raises(MalformedFile, match=f"^f.json: {message}"):
        wrong()
