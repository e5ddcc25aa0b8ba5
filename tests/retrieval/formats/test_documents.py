"""Text and Markdown files as documents, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from retrieval.errors import BadInput, DuplicateId, MalformedFile, SynglotError, UnknownLanguage
from retrieval.formats.corpus import corpus_inputs, read_corpus
from retrieval.formats.documents import language_of_path, read_document
from retrieval.types import Passage

GERMAN = "Der Bus fährt alle zehn Minuten bis Mitternacht, am Sonntag alle zwanzig."
ENGLISH = "The library is open until six; renew your card at the counter on the first floor."


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def read(*inputs: Path | str, default_lang: str = "und") -> list[Passage]:
    return list(read_corpus(corpus_inputs(map(str, inputs)), default_lang=default_lang))


def record(path: Path, content: str | bytes) -> dict[str, object]:
    found = read_document(write(path, content), name=path.name)
    assert found is not None
    return found


def test_a_folder_is_a_document_a_file_in_order_of_path(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "b" / "Guide.MD", f"# Bus\n\n{GERMAN}")
    write(tmp_path / "docs" / "a.txt.gz", ENGLISH)
    write(tmp_path / "docs" / "c.markdown", "Text")
    write(tmp_path / "docs" / "picture.png", b"\x89PNG\0")
    write(tmp_path / "docs" / ".git" / "description.txt", "hidden")
    write(tmp_path / "docs" / "b" / ".draft.md", "hidden")
    assert read(tmp_path / "docs") == [
        Passage(id="a.txt.gz", text=ENGLISH, title=ENGLISH),
        Passage(id="b/Guide.MD", text=f"# Bus\n\n{GERMAN}", title="Bus"),
        Passage(id="c.markdown", text="Text", title="Text"),
    ]


def test_the_texts_of_a_folder_with_records_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "README.md", "About this dataset")
    write(tmp_path / "corpus.jsonl", '{"id":"1","text":"a"}')
    assert [passage.id for passage in read(tmp_path)] == ["1"]
    assert [passage.id for passage in read(tmp_path, tmp_path / "*.md")] == ["1", "README.md"]


def test_ids_are_paths_inside_what_was_given(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "de" / "x" / "a.md", GERMAN)
    assert [p.id for p in read(tmp_path / "docs")] == ["de/x/a.md"]
    assert [p.id for p in read(tmp_path / "docs" / "*" / "x" / "*.md")] == ["de/x/a.md"]
    assert [p.id for p in read(tmp_path / "docs" / "de" / "x" / "a.md")] == ["a.md"]
    write(tmp_path / "more" / "de" / "x" / "a.md", GERMAN)
    with pytest.raises(DuplicateId, match=r"de/x/a\.md") as raised:
        read(tmp_path / "docs", tmp_path / "more")
    assert raised.value.path == str(tmp_path / "more" / "de" / "x" / "a.md")


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("a.md", "Intro\n\n## The *first* heading ##\n\n# Another", "The *first* heading"),
        ("a.md", "```\n# a comment\n```\n# Real", "Real"),
        ("a.md", "Under\nlined\n-----\n", "lined"),
        ("a.md", "---\ntitle: From above\n---\n# Heading", "From above"),
        ("a.md", "+++\ntitle = 'TOML'\n+++\nText", "TOML"),
        ("a.md", "---\ntitle: 2024\n---\n# Heading", "Heading"),
        ("a.md", "A line\n\nand no heading", "A line"),
        ("a.txt", "\n\n  First line\n# no heading in plain text", "First line"),
        ("long.name.txt", "word " * 40, "long.name"),
        ("page.md.gz", "word " * 40, "page"),
        ("a.md", "# " + "x" * 300, "x" * 100),
    ],
)
def test_the_title_is_heading_then_first_line_then_name(
    tmp_path: Path, name: str, content: str, title: str
) -> None:
    assert record(tmp_path / name, content)["title"] == title


def test_front_matter_is_read_as_fields_and_taken_off(tmp_path: Path) -> None:
    content = f"---\ntags: [a, b]\ndate: 2024-05-01\nlang: de\nid: 7\n---\n\n{GERMAN}\n"
    path = write(tmp_path / "a.md", content)
    assert read(path) == [
        Passage(
            id="a.md",
            text=f"\n{GERMAN}\n",
            title=GERMAN,
            lang="de",
            metadata={"tags": ["a", "b"], "date": "2024-05-01"},
        )
    ]


@pytest.mark.parametrize(
    "content",
    ["---\nOnly a text between rules\n---\nmore", "---\nno end", "----\ntitle: x\n----\n"],
)
def test_rules_are_no_front_matter(tmp_path: Path, content: str) -> None:
    assert record(tmp_path / "a.md", content)["text"] == content


def test_front_matter_of_plain_text_is_text(tmp_path: Path) -> None:
    content = "---\ntitle: x\n---\nText"
    assert record(tmp_path / "a.txt", content)["text"] == content


@pytest.mark.parametrize(
    ("name", "lang"),
    [
        ("guide.de.md", "de"),
        ("guide.de.md.gz", "de"),
        ("de/guide.md", "de"),
        ("docs/pt-BR/guide.md", "pt-BR"),
        ("docs/zh_hant/guide.md", "zh-Hant"),
        ("DE/guide.md", "de"),
        ("de/guide.de.md", "de"),
        ("de/guide.fr.md", ""),
        ("de/fr/guide.md", ""),
        ("guide.md", ""),
        ("de.md", ""),
        ("guide.new.md", ""),
        ("klingon/guide.md", ""),
        ("v1.de.0/guide.md", ""),
    ],
)
def test_a_path_declares_a_language_only_where_it_is_unambiguous(name: str, lang: str) -> None:
    assert language_of_path(name) == lang


def test_a_text_that_contradicts_its_path_declares_nothing(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "de" / "a.md", GERMAN)
    write(tmp_path / "docs" / "de" / "b.md", ENGLISH)
    write(tmp_path / "docs" / "my" / "c.md", ENGLISH)
    assert [p.lang for p in read(tmp_path / "docs")] == ["de", "und", "und"]
    assert [p.lang for p in read(tmp_path / "docs", default_lang="en")] == ["de", "en", "en"]


def test_empty_files_are_skipped_and_told(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "")
    write(tmp_path / "b.md", " \n\t\n")
    write(tmp_path / "c.md", "---\ntitle: Nothing below\n---\n")
    write(tmp_path / "d.md", "Text")
    empty: list[Path] = []
    passages = read_corpus(corpus_inputs([str(tmp_path)]), on_empty=empty.append)
    assert [passage.id for passage in passages] == ["d.md"]
    assert [path.name for path in empty] == ["a.txt", "b.md", "c.md"]


BOMBED = "---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\nText"


@pytest.mark.parametrize(
    ("name", "content", "error", "line", "message"),
    [
        ("m.txt", b"text\n\0\1\2", MalformedFile, 2, "NUL bytes"),
        ("m.txt", "ein Übel\n".encode("latin-1"), MalformedFile, 1, "not UTF-8 (byte 0xdc)"),
        ("m.txt", b"one\ntwo \xff", MalformedFile, 2, "not UTF-8 (byte 0xff)"),
        ("m.txt", "text".encode("utf-16"), MalformedFile, 1, "NUL bytes"),
        ("m.md", "---\ntitle: 'x\n---\nText", MalformedFile, None, "broken front matter"),
        ("m.md", "+++\ntitle = x\n+++\nText", MalformedFile, None, "broken front matter"),
        ("m.md", BOMBED, MalformedFile, None, "YAML alias"),
        ("m.md", f"---\na: {'[' * 5000}\n---\nText", MalformedFile, None, "broken front matter"),
        ("m.md", "---\nlang: klingon\n---\nText", UnknownLanguage, 1, "unknown language code"),
    ],
)
def test_a_file_in_the_middle_that_is_no_text_is_refused_with_its_path(
    tmp_path: Path,
    name: str,
    content: str | bytes,
    error: type[SynglotError],
    line: int | None,
    message: str,
) -> None:
    write(tmp_path / "a.txt", "first")
    path = write(tmp_path / name, content)
    write(tmp_path / "z.txt", "last")
    with pytest.raises(error) as raised:
        read(tmp_path)
    assert raised.value.path == str(path)
    assert message in str(raised.value)
    if line is not None:
        assert raised.value.line == line


def test_broken_compression_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"text" * 99)[:-9])
    with pytest.raises(MalformedFile, match="broken compression") as raised:
        read(tmp_path)
    assert raised.value.path == str(tmp_path / "a.txt.gz")


def test_a_file_that_vanishes_in_the_middle_is_refused_with_its_path(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        write(tmp_path / name, "text " + name)
    stream = read_corpus(corpus_inputs([str(tmp_path)]))
    assert next(stream).id == "a.txt"
    (tmp_path / "b.txt").unlink()
    with pytest.raises(BadInput, match="cannot read the file") as raised:
        next(stream)
    assert raised.value.path == str(tmp_path / "b.txt")


@pytest.mark.parametrize("names", [("a/ü 🚋/\u200fשלום.md", "%2e%2e.md", "a#1.md")])
def test_names_of_any_kind_are_ids(tmp_path: Path, names: Sequence[str]) -> None:
    for name in names:
        write(tmp_path / name, "Text")
    assert {passage.id for passage in read(tmp_path)} == set(names)


def test_byte_order_marks_and_line_ends_are_normal(tmp_path: Path) -> None:
    assert record(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\ntwo\rthree")["text"] == "one\ntwo\nthree"
