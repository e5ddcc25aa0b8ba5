"""A page read as a program reads it, strictly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass
class Element:
    """One element with its attributes and the text inside it, that of its children included."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""
    sections: tuple[str, ...] = ()


@dataclass
class Page:
    """Elements in document order."""

    elements: list[Element] = field(default_factory=list)

    @classmethod
    def of(cls, html: str) -> Page:
        """Raises ValueError where a tag is not closed, or closed without being open."""
        reader = _Reader()
        reader.feed(html)
        reader.close()
        if reader.open:
            raise ValueError(f"not closed: {[element.tag for element in reader.open]}")
        return cls(reader.elements)

    def all(self, tag: str, *, section: str | None = None) -> list[Element]:
        """The elements of a tag, in a section by its id."""
        return [
            element
            for element in self.elements
            if element.tag == tag and (section is None or section in element.sections)
        ]

    def values(self, section: str) -> Counter[float]:
        """The exact numbers of a section."""
        return Counter(float(e.attributes["value"]) for e in self.all("data", section=section))

    def text(self, section: str) -> str:
        """Everything written in a section."""
        return next(e.text for e in self.elements if e.attributes.get("id") == section)

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [e.attributes["id"] for e in self.elements if "id" in e.attributes]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._add(tag, attrs)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID and not any(e.tag == "svg" for e in self.open):
            raise ValueError(f"<{tag}/> closes itself, which HTML does not know")
        self._add(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            raise ValueError(f"</{tag}> at line {self.getpos()[0]} closes {self.open[-1:]}")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            raise ValueError(f"<{tag}> has an attribute twice: {names}")
        element = Element(
            tag=tag,
            attributes={name: value or "" for name, value in attrs},
            parents=tuple(e.tag for e in self.open),
            sections=tuple(e.attributes["id"] for e in self.open if "id" in e.attributes),
        )
        self.elements.append(element)
        return element
