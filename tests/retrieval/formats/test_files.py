"""Lines and objects out of files of every packing, and the place of every fault."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import BadInput, MalformedFile
from retrieval.formats.files import (
    check_target,
    expand_inputs,
    read_json,
    read_lines,
    read_objects,
    write_json,
)
from retrieval.formats.packing import STDIN

LINES = [{"n": 1, "text": "ä"}, {"n": 2, "text": "ไทย"}]
RAW = b"\n".join(orjson.dumps(line) for line in LINES) + b"\n"


DAMAGED_GZIP = gzip.compress(RAW)[:12] + b"\xff" * 20 + gzip.compress(RAW)[32:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", RAW),
        ("a.jsonl", b"\xef\xbb\xbf" + RAW),
        ("a.jsonl", RAW.replace(b"\n", b"\r\n\r\n")),
        ("a.jsonl.gz", gzip.compress(RAW)),
        ("a.jsonl.zst", zstandard.compress(RAW)),
        ("a.jsonl.zst", zstandard.compress(RAW[:9]) + zstandard.compress(RAW[9:])),
    ],
)
def test_objects_are_read_from_every_packing(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert [found for _, found in read_objects(path)] == LINES


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RAW)))
    assert [found for _, found in read_objects(STDIN)] == LINES


@pytest.mark.parametrize(
    ("name", "content", "line", "says"),
    [
        ("a.jsonl", RAW + b"\n{oops}\n", 4, "broken JSON"),
        ("a.jsonl", RAW + b"[1]\n", 3, "expected a JSON object, found list"),
        ("a.jsonl", RAW + b"\xff\n", 3, "not UTF-8"),
        ("a.jsonl.gz", gzip.compress(RAW)[:-9], None, "broken compression"),
        ("a.jsonl.gz", RAW, None, "broken compression"),
        ("a.jsonl.gz", DAMAGED_GZIP, None, "broken compression"),
        ("a.jsonl.zst", RAW, None, "broken compression"),
        ("a.jsonl.zst", zstandard.compress(RAW * 999)[:-7], None, "broken compression"),
        ("a.jsonl.zst", zstandard.compress(RAW) + zstandard.compress(RAW)[:9], None, "broken"),
    ],
)
def test_faults_are_told_with_their_line(
    tmp_path: Path, name: str, content: bytes, line: int | None, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MalformedFile, match=says) as caught:
        list(read_objects(path))
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for read in (read_json, lambda path: list(read_lines(path))):
        with pytest.raises(BadInput, match="No such file"):
            read(tmp_path / "none.json")


def test_inputs_are_files_folders_globs_and_standard_input(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt", "sub/d.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = expand_inputs(
        [str(tmp_path), "-", str(tmp_path / "*.txt"), str(tmp_path / "a.jsonl")],
        endings=(".jsonl",),
    )
    names = ["a.jsonl", "b.jsonl", "sub/d.jsonl", "c.txt", "a.jsonl"]
    expected = [tmp_path / name for name in names]
    assert found == [*expected[:3], STDIN, *expected[3:]]
    with pytest.raises(BadInput, match="no such file or folder"):
        expand_inputs([str(tmp_path / "*.csv")], endings=(".jsonl",))


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(-(2**53), 2**53), st.none())))
def test_written_json_is_read_back(value: dict[str, object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.json"
        write_json(value, str(path))
        assert read_json(path) == value


def test_a_target_must_be_a_file_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    for fine in (None, "-", tmp_path / "new.json", str(tmp_path / "old.json"), "/dev/null"):
        check_target(fine)
    with pytest.raises(BadInput, match="no such folder"):
        check_target(tmp_path / "none" / "f.json")
    with pytest.raises(BadInput, match="no such folder"):
        check_target(tmp_path / "old.json" / "f.json")
    with pytest.raises(BadInput, match="it is a folder"):
        check_target(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.json"]
