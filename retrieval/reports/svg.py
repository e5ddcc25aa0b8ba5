"""A drawing made fit to stand inside an HTML page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from markupsafe import Markup

_NAMESPACE = re.compile(r"\{[^}]*\}")
_REFERENCE = re.compile(r"#([^\s\")]+)")
_FONT = re.compile(r"font-family:[^;]*;?\s*")
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_DROPPED = frozenset({"metadata", "style"})
_PLACES = frozenset({"d", "x", "y", "width", "height", "transform"})
_NO_TURN = "rotate(-0 "


def inline_svg(
    svg: str, *, key: str, title: str, description: str, colours: Mapping[str, str]
) -> Markup:
    """The `<svg>` element for a page: named, without a font, a foreign name or an address.

    key: prefix of its ids, which must differ from those of every other drawing of the page.
    title, description: what a reader who cannot see it is told.
    colours: what takes the place of colours, such as `#010203` -> `var(--ink)`.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - the plotting library wrote it, not a user
    referenced = {name for node in root.iter() for name in _references(node)}
    for node in root.iter():
        for child in [c for c in node if _local(c.tag) in _DROPPED]:
            node.remove(child)
        node.tag = _local(node.tag)
        node.attrib = _attributes(node.attrib, key, referenced, colours)
    _prune(root)
    _name(root, key, title, description)
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return Markup(text)  # noqa: S704 - serialised, hence escaped


def _prune(node: ElementTree.Element) -> None:
    """Remove what draws nothing, and the spaces of the file's layout."""
    for child in list(node):
        _prune(child)
        child.tail = None
        if (child.tag in ("g", "defs") and not len(child)) or _is_invisible(child):
            node.remove(child)
    if node.tag != "text":
        node.text = None


def _is_invisible(node: ElementTree.Element) -> bool:
    return node.tag == "path" and node.get("style") == "fill: none"


def _name(root: ElementTree.Element, key: str, title: str, description: str) -> None:
    width, height = root.attrib["viewBox"].split()[2:]
    names = {"title": title, "desc": description}
    root.attrib = {
        "class": "plot",
        "viewBox": root.attrib["viewBox"],
        "width": width,
        "height": height,
        "role": "img",
        "aria-labelledby": " ".join(f"{key}-{tag}" for tag in names),
    }
    for place, (tag, text) in enumerate(names.items()):
        node = ElementTree.Element(tag, {"id": f"{key}-{tag}"})
        node.text = text
        root.insert(place, node)


def _attributes(
    attributes: Mapping[str, str], key: str, referenced: set[str], colours: Mapping[str, str]
) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in attributes.items():
        local = _local(name)
        if local == "id":
            if value in referenced:
                kept[local] = f"{key}-{value}"
        elif local == "href" or "url(" in value:
            kept[local] = _REFERENCE.sub(rf"#{key}-\1", value)
        elif local in _PLACES:
            if not value.startswith(_NO_TURN):
                kept[local] = _DECIMALS.sub(r"\1", value)
        else:
            kept[local] = _coloured(_FONT.sub("", value), colours)
    return kept


def _coloured(value: str, colours: Mapping[str, str]) -> str:
    for colour, replacement in colours.items():
        value = value.replace(colour, replacement)
    return value


def _references(node: ElementTree.Element) -> list[str]:
    return [
        found
        for name, value in node.attrib.items()
        if _local(name) == "href" or "url(" in value
        for found in _REFERENCE.findall(value)
    ]


def _local(name: str) -> str:
    return _NAMESPACE.sub("", name)
