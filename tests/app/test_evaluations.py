"""The fields of an evaluation, and where its uploads go."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from app.evaluations import (
    EvaluationSearch,
    keep_upload,
    parse_layout,
    parse_measures,
    parse_search,
)
from retrieval.errors import BadInput, UnknownMeasure
from retrieval.formats.query_sets import Layout
from retrieval.metrics.measure import DEFAULT_MEASURES


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..", ".", "", ".hidden", "a/b\\c d.jsonl", "x" * 300],
)
def test_uploads_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    path = keep_upload(name, io.BytesIO(b"content"), tmp_path)
    assert path.resolve().parent == tmp_path.resolve()
    assert path.read_bytes() == b"content"
    assert not path.name.startswith(".")


def test_the_ending_of_an_upload_is_kept(tmp_path: Path) -> None:
    assert keep_upload("ü.jsonl.gz", io.BytesIO(), tmp_path).name.endswith(".jsonl.gz")


def test_search_options_are_read_from_json() -> None:
    assert parse_search("{}") == EvaluationSearch()
    assert parse_search('{"languages": ["de"]}').languages == ("de",)
    for text in ("", "[]", '{"top_k": 10}', '{"languages": "de"}'):
        with pytest.raises(BadInput, match="`search` options"):
            parse_search(text)


def test_layouts_and_measures_are_read_by_name() -> None:
    assert parse_layout(None) is None
    assert parse_layout("BEIR") is Layout.BEIR
    with pytest.raises(BadInput, match="unknown format 'xml'"):
        parse_layout("xml")
    assert parse_measures(" ") == DEFAULT_MEASURES
    assert [str(m) for m in parse_measures("R@1 mAP")] == ["Recall@1", "mAP"]
    with pytest.raises(UnknownMeasure):
        parse_measures("nDGC@10")
