"""Text and Markdown files: each is one document.

Its id is its path inside the folder given, its title the first heading of Markdown, else the first
line where that is short, else the name of the file. Its language is told by the path where that is
unambiguous: `de/guide.md` or `guide.de.md`. Markdown is kept as it is written, code and all, since
people search for commands and messages, too; only front matter is taken off, and read as the fields
of the record.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from retrieval.detection import Detector, contradicts
from retrieval.errors import BadInput, MalformedFile
from retrieval.formats.files import MAX_LINE_BYTES
from retrieval.formats.packing import BROKEN_COMPRESSION, open_binary
from retrieval.formats.tables import endings_of
from retrieval.languages import ISO_639_1, is_language

_MARKDOWN = endings_of(".md", ".markdown")
ENDINGS = (*endings_of(".txt"), *_MARKDOWN)

MAX_BYTES = MAX_LINE_BYTES
"""A larger file is no document; one as large as a line of JSONL may be is."""

_TITLE_CHARACTERS = 100
_FRONT_MATTER_CHARACTERS = 65_536
_FIRST_LINE = re.compile(r"\S[^\n]*")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)")
_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)?\1[ \t]*(?:\n|\Z)", re.DOTALL)

_OWN_KEYS = frozenset({"id", "_id", "docid", "text", "document", "start"})


def is_document(path: Path) -> bool:
    """Whether it is a text or Markdown file, by its ending."""
    return path.name.lower().endswith(ENDINGS)


def read_document(path: Path, *, name: str) -> dict[str, object] | None:
    """The record of a file, None where it is empty or white space alone.

    name: its path inside the folder given; becomes the id.
    Raises BadInput where it cannot be read; MalformedFile where it is no UTF-8 text, larger than
    MAX_BYTES, or its front matter is broken.
    """
    text = _text(path)
    front: dict[str, object] = {}
    is_markdown = path.name.lower().endswith(_MARKDOWN)
    if is_markdown:
        front, text = _split_front_matter(text, path)
    if not text.strip():
        return None
    record = {key: value for key, value in front.items() if key not in _OWN_KEYS}
    lang = language_of_path(name)
    # A name such as `my` or `is` is a word more often than a language: the text may say so.
    if "lang" not in record and lang and not contradicts(text, lang, Detector().detect([text])[0]):
        record["lang"] = lang
    if not isinstance(record.get("title"), str):
        record["title"] = _title(text, is_markdown=is_markdown) or _stem(name)
    return record | {"id": name, "text": text}


def language_of_path(name: str) -> str:
    """The language that a path declares, empty where it declares none or several.

    A code is two letters, alone or with a script or region (`pt-BR`, `zh_Hant`), and is a folder or
    the last part of the file's name before its ending.
    """
    path = PurePosixPath(name)
    candidates = [*path.parts[:-1], *_stem(name).split(".")[1:][-1:]]
    codes = {code for part in candidates if (code := _code(part))}
    return codes.pop() if len(codes) == 1 else ""


def _code(part: str) -> str:
    base, separator, subtag = part.replace("_", "-").partition("-")
    if separator:
        subtag = subtag.title() if len(subtag) == 4 else subtag.upper()
    code = f"{base.lower()}{separator}{subtag}"
    return code if base.lower() in ISO_639_1 and is_language(code) else ""


def _stem(name: str) -> str:
    """The file's name without its ending."""
    base = PurePosixPath(name).name
    ending = max((end for end in ENDINGS if base.lower().endswith(end)), key=len, default="")
    return base[: len(base) - len(ending)] or base


def _text(path: Path) -> str:
    try:
        with open_binary(path) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except BROKEN_COMPRESSION as error:
        raise MalformedFile(f"broken compression ({error})", path=path) from error
    except OSError as error:
        raise BadInput(f"cannot read the file ({error.strerror or error})", path=path) from error
    if len(raw) > MAX_BYTES:
        raise MalformedFile(
            f"larger than {MAX_BYTES} bytes", path=path, fix="Cut it into several documents."
        )
    if b"\0" in raw:
        raise MalformedFile(
            "not a text file: it holds NUL bytes",
            path=path,
            line=1 + raw.count(b"\n", 0, raw.index(b"\0")),
            fix="Leave it out, or save it as UTF-8.",
        )
    return _decoded(raw, path).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedFile(
            f"not UTF-8 (byte {raw[error.start]:#04x})",
            path=path,
            line=1 + raw.count(b"\n", 0, error.start),
            fix="Save the file as UTF-8.",
        ) from error


def _split_front_matter(text: str, path: Path) -> tuple[dict[str, object], str]:
    found = _FRONT_MATTER.match(text)
    if found is None or found.end() > _FRONT_MATTER_CHARACTERS:
        return {}, text
    marks, content = found.group(1), found.group(2) or ""
    fields = _toml(content, path) if marks == "+++" else _yaml(content, path)
    if fields is None:  # a text between two horizontal rules
        return {}, text
    return {str(key): value for key, value in fields.items()}, text[found.end() :]


def _yaml(content: str, path: Path) -> Mapping[object, object] | None:
    try:
        # An alias lets a few lines stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content)):
            raise MalformedFile("front matter with a YAML alias", path=path, fix="Write it out.")
        fields = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken(error, path) from error
    if fields is None:
        return {}
    return fields if isinstance(fields, dict) else None


def _toml(content: str, path: Path) -> Mapping[object, object]:
    try:
        return {str(key): value for key, value in tomllib.loads(content).items()}
    except tomllib.TOMLDecodeError as error:
        raise _broken(error, path) from error


def _broken(error: Exception, path: Path) -> MalformedFile:
    place = getattr(error, "problem_mark", None)
    first = str(getattr(error, "problem", None) or error).splitlines()[0]
    return MalformedFile(
        f"broken front matter ({first})",
        path=path,
        line=None if place is None else place.line + 2,
        fix="Write it as YAML between `---` or TOML between `+++`, or take it out.",
    )


def _title(text: str, *, is_markdown: bool) -> str:
    lines = text.split("\n", 1000)[:1000]
    heading = _first_heading(lines) if is_markdown else ""
    if heading:
        return heading[:_TITLE_CHARACTERS]
    first = _FIRST_LINE.search(text)
    line = first.group().strip() if first else ""
    return line if len(line) <= _TITLE_CHARACTERS else ""


def _first_heading(lines: list[str]) -> str:
    """The first heading outside code blocks, empty where there is none."""
    in_code, before = False, ""
    for line in lines:
        if _FENCE.match(line):
            in_code, line = not in_code, ""
        elif not in_code:
            found = _HEADING.match(line)
            if found and found.group(1):
                return found.group(1)
            if before and _UNDERLINE.match(line):
                return before
        before = "" if in_code else line.strip()
    return ""
