"""Metadata as columns: every kind of value, shared by threads, bounded in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retrieval.errors import BadInput
from retrieval.store.fields import Fields, ValueKind
from retrieval.store.passages import Passages, PassageWriter
from retrieval.types import Passage


def stored(path: Path, metadata: Sequence[Mapping[str, object]], *, batch: int = 2) -> Passages:
    passages = [Passage(id=str(n), text="t", metadata=found) for n, found in enumerate(metadata)]
    writer = PassageWriter(path / "passages.arrow")
    for start in range(0, len(passages), batch):
        writer.append(passages[start : start + batch])
    writer.close()
    return Passages(path / "passages.arrow")


def test_a_field_holds_the_values_of_each_kind_with_their_rows(tmp_path: Path) -> None:
    found: list[Mapping[str, object]] = [
        {"a": "x"},
        {},
        {"a": [1, "y", None, True, 1.5]},
        {"b": 1},
        {"a": "x"},
        {"a": {"nested": 1}},
        {"a": None},
        {"a": 2**63},
    ]
    field = Fields(stored(tmp_path, found))["a"]
    values = {
        kind: (column.rows_V.tolist(), column.values.to_pylist())
        for kind, column in field.by_kind.items()
    }
    assert values == {
        ValueKind.STRING: ([0, 2, 4], ["x", "y", "x"]),
        ValueKind.INTEGER: ([2], [1]),
        ValueKind.DECIMAL: ([2, 7], [1.5, 2.0**63]),
        ValueKind.BOOLEAN: ([2], [True]),
    }
    assert field.kinds == set(ValueKind)


def test_an_unknown_field_names_the_known_ones(tmp_path: Path) -> None:
    fields = Fields(stored(tmp_path, [{"year": 1, "source": "a"}, {"tag": []}]))
    for _ in range(2):
        with pytest.raises(BadInput, match="no passage has the metadata field 'yaer'") as raised:
            fields["yaer"]
        assert raised.value.fix == "There are source, tag, year."
    assert fields["tag"].kinds == set()


def test_a_corpus_without_metadata_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="The corpus has no metadata"):
        Fields(stored(tmp_path, [{}, {}]))["a"]


def test_of_many_fields_some_are_named(tmp_path: Path) -> None:
    fields = Fields(stored(tmp_path, [{f"f{n:03}": n for n in range(500)}]))
    with pytest.raises(BadInput, match=r"f000, .*, f019 and 480 more"):
        fields["x"]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    found = [{"a": "x" * 99 + str(n), "b": "y" * 99 + str(n), "c": n} for n in range(40)]
    passages = stored(tmp_path, found)
    room = Fields(passages)["a"].size + Fields(passages)["c"].size + 8
    fields = Fields(passages, cache_bytes=room)
    a, c = fields["a"], fields["c"]
    assert (fields["a"], fields["c"]) == (a, c)
    fields["b"]
    assert fields["c"] is c
    assert fields["a"] is not a


def test_threads_share_what_one_of_them_read(tmp_path: Path) -> None:
    fields = Fields(stored(tmp_path, [{"a": n} for n in range(500)]))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fields["a"], range(32)))
    assert all(field is found[0] for field in found)
