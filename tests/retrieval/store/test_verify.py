"""What is on disk is what was published, or it is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import orjson
import pytest

from retrieval.errors import CorruptVersion
from retrieval.store import Store
from tests.corpora import publish, some_passages

FILES = ["passages.arrow", "vectors.npy", "index.faiss"]


@pytest.fixture
def folder(store: Store) -> Path:
    publish(store, "city", some_passages(40))
    return store.root / "corpora" / "city" / "versions" / "v000001"


@pytest.fixture(params=[False, True], ids=["never opened", "opened before"])
def seen(request: pytest.FixtureRequest, store: Store, folder: Path) -> None:
    if request.param:
        store.open("city").close()


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def refused(store: Store, path: Path) -> CorruptVersion:
    for attempt in (store.open, store.verify, lambda name: store.activate(name, "v000001")):
        with pytest.raises(CorruptVersion) as caught:
            attempt("city")
        assert caught.value.path == str(path)
        assert "synglot index verify city --version v000001" in caught.value.fix
    return caught.value


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 100, 500, -1])
def test_one_flipped_bit_is_refused(store: Store, folder: Path, name: str, place: int) -> None:
    flip(folder / name, place)
    error = refused(store, folder / name)
    assert "expected SHA-256" in error.what


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("name", FILES)
def test_a_shorter_file_is_refused(store: Store, folder: Path, name: str) -> None:
    size = (folder / name).stat().st_size
    os.truncate(folder / name, size - 1)
    assert f"expected {size} bytes, found {size - 1}" in refused(store, folder / name).what


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(store: Store, folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert "found none" in refused(store, folder / name).what


@pytest.mark.usefixtures("seen")
def test_a_missing_manifest_is_refused(store: Store, folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert "cannot read the manifest" in refused(store, folder / "manifest.json").what


def test_a_stamp_spares_the_checksums_and_a_full_check_does_not_trust_it(
    store: Store, folder: Path
) -> None:
    store.open("city").close()
    path = folder / "passages.arrow"
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CorruptVersion, match="SHA-256"):
        store.verify("city")
    stamps = list((folder.parents[1] / "stamps").iterdir())
    assert len(stamps) == 1
    for stamp in stamps:
        stamp.unlink()
    with pytest.raises(CorruptVersion, match="SHA-256"):
        store.open("city")


def test_a_copy_of_a_store_is_verified_anew(store: Store, folder: Path, tmp_path: Path) -> None:
    store.open("city").close()
    shutil.copytree(store.root, tmp_path / "copy", copy_function=shutil.copy2)
    copied = tmp_path / "copy" / folder.relative_to(store.root) / "vectors.npy"
    before = copied.stat()
    flip(copied, 200)
    os.utime(copied, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CorruptVersion):
        Store(tmp_path / "copy").open("city")


@pytest.mark.parametrize("stamp", [b"", b"[]", b"not json", b"{}"])
def test_a_broken_stamp_is_written_anew(store: Store, folder: Path, stamp: bytes) -> None:
    store.open("city").close()
    [path] = (folder.parents[1] / "stamps").iterdir()
    whole = path.read_bytes()
    path.write_bytes(stamp)
    store.open("city").close()
    assert orjson.loads(path.read_bytes()) == orjson.loads(whole)


def test_a_store_that_cannot_keep_stamps_opens_all_the_same(store: Store, folder: Path) -> None:
    (folder.parents[1] / "stamps").write_text("a file where the folder should be")
    for _ in range(2):
        with store.open("city") as version:
            assert len(version.passages) == 40
    flip(folder / "index.faiss", 60)
    with pytest.raises(CorruptVersion):
        store.open("city")
