"""A manifest is read only as it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from retrieval.errors import CorruptVersion
from retrieval.store import Manifest, Store
from retrieval.store.manifest import read_manifest, write_manifest
from tests.corpora import publish, some_passages

GOLDEN = Path(__file__).parents[2] / "golden" / "manifests"

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(store: Store) -> Path:
    publish(store, "city", some_passages(9))
    return store.root / "corpora" / "city" / "versions" / "v000001"


def reseal(folder: Path, change: Change) -> None:
    """Change a manifest and seal it again, as a careful forger would."""
    path = folder / "manifest.json"
    content = orjson.loads(path.read_bytes())
    del content["seal"]
    change(content)
    seal = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    path.write_bytes(orjson.dumps(content | {"seal": seal}))


def test_a_manifest_survives_a_round_trip(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder, corpus="city")
    copy = tmp_path / "v000001"
    copy.mkdir()
    write_manifest(manifest, copy)
    assert read_manifest(copy, corpus="city") == manifest
    assert manifest.counts.languages == {"de": 3, "en": 3, "th": 3}
    assert manifest.created.utcoffset() is not None
    assert manifest.size == sum(
        path.stat().st_size for path in folder.iterdir() if path.name != "manifest.json"
    )


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/manifest.json")), ids=str)
def test_every_manifest_ever_shipped_is_read(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "v000001"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(path.read_bytes())
    assert isinstance(read_manifest(folder, corpus="city"), Manifest)


def test_what_an_index_gives_is_kept_and_was_not_by_the_first_releases(tmp_path: Path) -> None:
    found = {}
    for name in ("1", "1-measured"):
        folder = tmp_path / name / "v000001"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_bytes((GOLDEN / name / "manifest.json").read_bytes())
        found[name] = read_manifest(folder, corpus="city").index
    assert (found["1"].reason, found["1"].recall, found["1"].speed) == ("", None, None)
    recall, speed = found["1-measured"].recall, found["1-measured"].speed
    assert recall is not None
    assert recall.worst is not None
    assert recall.worst[1].recall == min(each.recall for each in recall.by_language.values())
    assert speed is not None
    assert speed.ratio == pytest.approx(speed.exact_ms / speed.ms, abs=0.01)


def test_a_truncated_manifest_is_refused_at_every_length(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptVersion, match="manifest"):
            read_manifest(folder, corpus="city")


def test_a_flipped_bit_anywhere_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CorruptVersion):
            read_manifest(folder, corpus="city")


def test_an_unknown_schema_version_says_which_is_known(folder: Path) -> None:
    reseal(folder, lambda content: content.update(schema_version=2))
    with pytest.raises(CorruptVersion, match="expected schema version 1, found 2"):
        read_manifest(folder, corpus="city")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(dim=0), "'dim'"),
        (lambda content: content.update(dim="many"), "'dim'"),
        (lambda content: content.update(colour="red"), "'colour'"),
        (lambda content: content.pop("encoder"), "'encoder'"),
        (lambda content: content["index"].update(kind="magic"), "'index.kind'"),
        (lambda content: content["files"].pop("vectors.npy"), "it names no vectors.npy"),
        (lambda content: content.update(corpus="town"), "expected city v000001, found town"),
        (lambda content: content.update(version="v000002"), "found city v000002"),
        *[
            (lambda c, n=name: c["files"].update({n: c["files"]["index.faiss"]}), "files")
            for name in ("../x", "/etc/passwd", "a/../../x", "a/b/c", ".hidden", "..")
        ],
    ],
)
def test_a_manifest_of_another_shape_is_refused(folder: Path, change: Change, message: str) -> None:
    reseal(folder, change)
    with pytest.raises(CorruptVersion, match=message) as caught:
        read_manifest(folder, corpus="city")
    assert caught.value.path == str(folder / "manifest.json")
    assert "synglot index" in caught.value.fix


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"{}"])
def test_what_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptVersion):
        read_manifest(folder, corpus="city")
