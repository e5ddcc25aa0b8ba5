"""Typed access to one parsed JSON document: every error names the path inside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import MalformedFile
from retrieval.formats.files import read_json


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value with its place in its file, such as `data[0].paragraphs[2].context`."""

    value: object
    path: Path
    place: str = ""

    @classmethod
    def load(cls, path: Path) -> Node:
        """The object that a JSON file holds. Raises MalformedFile, BadInput."""
        return cls(read_json(path), path)

    def __getitem__(self, name: str) -> Node:
        """The field of an object. Raises MalformedFile where it has none of that name."""
        found = self.get(name)
        if found is None:
            raise self.wrong(f"has no field {name!r}")
        return found

    def get(self, name: str) -> Node | None:
        """The field of an object, None where it is absent or null. Raises MalformedFile."""
        if not isinstance(self.value, dict):
            raise self.wrong_type("an object")
        value = self.value.get(name)
        return None if value is None else Node(value, self.path, self._below(name))

    def items(self) -> Iterator[tuple[str, Node]]:
        """Names and values of an object. Raises MalformedFile."""
        if not isinstance(self.value, dict):
            raise self.wrong_type("an object")
        for name, value in self.value.items():
            yield name, Node(value, self.path, self._below(name))

    def elements(self) -> list[Node]:
        """The elements of a list. Raises MalformedFile."""
        if not isinstance(self.value, list):
            raise self.wrong_type("a list")
        return [
            Node(value, self.path, f"{self.place}[{index}]")
            for index, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """A string that is not blank. Raises MalformedFile."""
        if not isinstance(self.value, str):
            raise self.wrong_type("a string")
        if not self.value.strip():
            raise self.wrong("is empty")
        return self.value

    def optional_text(self, name: str) -> str:
        """The string in a field, empty where it is absent or null. Raises MalformedFile."""
        found = self.get(name)
        if found is None:
            return ""
        return "" if found.value == "" else found.text()

    def integer(self) -> int:
        """A whole number. Raises MalformedFile."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong_type("an integer")
        return self.value

    def wrong(self, what: str, *, fix: str = "") -> MalformedFile:
        """The error that says `what` of this value."""
        return MalformedFile(f"{self.place or 'the document'} {what}", path=self.path, fix=fix)

    def wrong_type(self, expected: str) -> MalformedFile:
        """The error that says what type was expected here."""
        return self.wrong(f"is {type(self.value).__name__}, expected {expected}")

    def _below(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name
