"""Configurations: read, filled in from the environment, checked, every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from retrieval.errors import BadConfig, BadInput
from retrieval.formats.configs import checked, expanded, read_mapping


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    names: tuple[str, ...] = ()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_mapping_is_read_as_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "size: 3\nnames: [ä, ไทย]\n")
    assert read_mapping(path) == {"size": 3, "names": ["ä", "ไทย"]}


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("a: 1\nb: [\n", 3, "broken YAML"),
        ("a: 1\n\tb: 2\n", 2, "broken YAML"),
        (b"a: \xff\n", None, "broken YAML"),
        ("a: 2024-13-45\n", None, "broken YAML"),
        ("a: !!python/object:os.system x\n", 1, "broken YAML"),
        ("{" * 3000, None, "broken YAML"),
        ("[1]\n", None, "expected a mapping, found list"),
        ("", None, "expected a mapping, found NoneType"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_place(
    tmp_path: Path, content: str | bytes, line: int | None, says: str
) -> None:
    path = write(tmp_path / "c.yaml", content)
    with pytest.raises(BadConfig, match=says) as raised:
        read_mapping(path)
    assert (raised.value.path, raised.value.line) == (str(path), line)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(BadInput, match="cannot read the configuration"):
            read_mapping(path)


def test_variables_are_filled_in_wherever_a_string_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SET", "s")
    monkeypatch.delenv("UNSET", raising=False)
    raw = {"a": "${SET}/${UNSET:-d}/x", "b": [{"c": "${UNSET:-}"}], "d": 1, "e": "$SET ${SET:-z}"}
    filled = {"a": "s/d/x", "b": [{"c": ""}], "d": 1, "e": "$SET s"}
    assert expanded(raw, Path("c.yaml")) == filled
    with pytest.raises(BadConfig, match="the environment variable UNSET is not set"):
        expanded({"a": "${UNSET}"}, Path("c.yaml"))


def test_an_alias_that_holds_itself_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", "a: &x [*x]\n")
    with pytest.raises(BadConfig, match="an alias holds itself"):
        expanded(read_mapping(path), path)


def test_every_mistake_is_listed_with_what_was_found() -> None:
    with pytest.raises(BadConfig) as raised:
        checked(Section, {"size": "many", "names": "x", "colour": 1}, path=None, fix="Mend it.")
    message = str(raised.value)
    for part in ("size: ", "found 'many'", "names: ", "colour: Extra inputs", "Mend it."):
        assert part in message
    assert checked(Section, {"size": 2}, path=None, fix="") == Section(size=2)
