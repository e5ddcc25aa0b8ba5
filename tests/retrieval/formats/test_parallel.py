"""Parallel training data, read as documented."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.errors import BadInput, DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.parallel import read_parallel, write_parallel
from retrieval.types import ParallelItem

PAIR = {
    "id": "s:1",
    "source": "s",
    "query": {"de": "Frage", "th": "คำถาม"},
    "passage": {"de": "Antwort"},
    "negatives": {"de": ["Unsinn"]},
    "group": "g",
    "answer": {"de": "ignored"},
}
UNIT = {"id": "s:2", "source": "s", "text": {"de": "eins", "en": "one"}}


def write(path: Path, *records: Any) -> Path:
    path.write_bytes(b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in records))
    return path


def test_pairs_and_units_are_told_apart(tmp_path: Path) -> None:
    pair, unit = read_parallel([write(tmp_path / "a.jsonl", PAIR, UNIT)])
    assert pair == ParallelItem(
        id="s:1",
        source="s",
        query={"de": "Frage", "th": "คำถาม"},
        passage={"de": "Antwort"},
        negatives={"de": ("Unsinn",)},
        group="g",
    )
    assert unit.is_translation
    assert unit.query == unit.passage == {"de": "eins", "en": "one"}


def test_a_file_gives_its_name_to_items_without_a_source(tmp_path: Path) -> None:
    (item,) = read_parallel(
        [write(tmp_path / "manual.jsonl", {k: UNIT[k] for k in ("id", "text")})]
    )
    assert item.source == "manual"


def test_items_survive_a_round_trip(tmp_path: Path) -> None:
    items = list(read_parallel([write(tmp_path / "a.jsonl", PAIR, UNIT)]))
    write_parallel(items, tmp_path / "b.jsonl")
    assert list(read_parallel([tmp_path / "b.jsonl"])) == items


def test_parquet_holds_the_same_fields(tmp_path: Path) -> None:
    rows = [{k: PAIR[k] for k in ("id", "source", "query", "passage")}, UNIT]
    pq.write_table(
        pa.Table.from_pylist([{**rows[0], "text": None}, rows[1]]), tmp_path / "a.parquet"
    )
    (pair, *_) = read_parallel([tmp_path / "a.parquet"])
    assert pair.query == PAIR["query"]
    assert pair.passage == PAIR["passage"]


@pytest.mark.parametrize(
    ("record", "error", "says"),
    [
        ({**UNIT, "id": ""}, MalformedFile, "'id' is empty"),
        ({k: UNIT[k] for k in ("source", "text")}, MalformedFile, "no field 'id'"),
        ({**UNIT, "text": {"de": "eins"}}, MalformedFile, "at least two languages"),
        ({**UNIT, "text": {"de": "eins", "en": "  "}}, MalformedFile, "'en' is empty"),
        ({**UNIT, "text": {"de": "eins", "en": 1}}, MalformedFile, "'en' is int"),
        ({**UNIT, "text": {"de": "eins", "english": "one"}}, UnknownLanguage, "'english'"),
        ({**PAIR, "query": {}}, MalformedFile, "'query' must map"),
        ({**PAIR, "passage": "text"}, MalformedFile, "'passage' must map"),
        ({**PAIR, "negatives": {"de": "x"}}, MalformedFile, "negatives of 'de'"),
        ({"id": "s:9", "source": "s"}, MalformedFile, "'query' must map"),
        (UNIT, DuplicateId, "'s:2' occurs twice"),
    ],
)
def test_faults_are_told_with_file_and_line(
    tmp_path: Path, record: Any, error: type[BadInput], says: str
) -> None:
    path = write(tmp_path / "a.jsonl", PAIR, UNIT, record)
    with pytest.raises(error, match=says) as caught:
        list(read_parallel([path]))
    assert (caught.value.path, caught.value.line) == (str(path), 3)


def test_every_file_of_the_public_data_is_read(test_data: Path) -> None:
    names = ("bitcoin_org_faq", "djangogirls", "xcopa", "react_docs")
    counts = {"bitcoin_org_faq": 211, "djangogirls": 94, "xcopa": 1800, "react_docs": 252}
    for name in names:
        path = test_data / "parallel" / f"{name}.jsonl.gz"
        items = list(read_parallel([path]))
        assert len(items) == counts[name]
        with gzip.open(path, "rb") as stream:
            first = orjson.loads(stream.readline())
        assert items[0].id == first["id"]
        assert items[0].query == first.get("text", first.get("query"))
