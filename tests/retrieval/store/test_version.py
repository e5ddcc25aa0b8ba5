"""An opened version: what it holds, and how long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from retrieval.errors import CorruptVersion
from retrieval.store import Store, Version
from retrieval.store.manifest import Manifest, file_record, write_manifest
from tests.corpora import publish, some_passages, unit_vectors


@pytest.fixture
def version(store: Store) -> Version:
    publish(store, "city", some_passages(11))
    return store.open("city")


def test_it_gives_passages_vectors_languages_and_rows(version: Version) -> None:
    passages = some_passages(11)
    assert (version.corpus, version.id) == ("city", "v000001")
    assert list(version.passages) == passages
    assert version.passage_ids == [passage.id for passage in passages]
    assert version.passage_languages == [passage.lang for passage in passages]
    assert version.languages == ("de", "en", "th")
    assert version.rows_of(["p3", "nowhere"]) == {"p3": 3}
    np.testing.assert_array_equal(version.vectors_PD, unit_vectors(11))
    assert not version.vectors_PD.flags.writeable


def test_rows_of_languages_are_those_of_their_passages(version: Version) -> None:
    languages = np.array(version.passage_languages)
    for wanted in ({"th"}, {"de", "en"}, {"de", "en", "th"}, set[str](), {"xx"}):
        expected = np.flatnonzero(np.isin(languages, sorted(wanted)))
        np.testing.assert_array_equal(version.rows_in(wanted).rows, expected)


def test_it_stays_readable_after_its_corpus_is_gone(store: Store, version: Version) -> None:
    store.delete("city")
    assert version.passages[10].id == "p10"
    assert version.vectors_PD[10].shape == (8,)
    [ranking] = version.index.search(unit_vectors(1), 3, ids_of=version.passages.ids_at)
    assert len(ranking.rows) == 3


def test_closing_twice_is_closing_once(version: Version) -> None:
    with version:
        pass
    version.close()
    assert version.id == "v000001"
    with pytest.raises(AttributeError):
        _ = version.vectors_PD


def swap_file(store: Store, name: str, content: bytes) -> None:
    """Replace a file and write a manifest that vouches for it: the parts no longer fit."""
    folder = store.root / "corpora" / "city" / "versions" / "v000001"
    (folder / name).write_bytes(content)
    record = orjson.loads((folder / "manifest.json").read_bytes())
    del record["seal"]
    record["files"][name] = file_record(folder / name).model_dump()
    write_manifest(Manifest.model_validate_json(orjson.dumps(record)), folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("passages.arrow", "expected 11 passages, found 5"),
        ("vectors.npy", r"expected \(11, 8\) float32, found \(5, 8\) float32"),
        ("index.faiss", "the index holds 5 x 8, the vectors are 11 x 8"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(
    store: Store, version: Version, name: str, message: str
) -> None:
    publish(store, "other", some_passages(5))
    other = store.root / "corpora" / "other" / "versions" / "v000001"
    swap_file(store, name, (other / name).read_bytes())
    with pytest.raises(CorruptVersion, match=message):
        store.open("city")


@pytest.mark.parametrize("name", ["passages.arrow", "vectors.npy", "index.faiss"])
def test_files_that_are_something_else_are_refused(
    store: Store, version: Version, name: str
) -> None:
    swap_file(store, name, b"something else entirely" * 40)
    with pytest.raises(CorruptVersion) as caught:
        store.open("city")
    assert caught.value.path is not None
    assert Path(caught.value.path).name == name
