"""Encoders kept in the store are the encoders that were given."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from retrieval.encoder import Encoder
from retrieval.errors import BadEncoder
from retrieval.store import Store
from retrieval.store.encoders import keep_encoder

TEXTS = ["Wo ist die Bibliothek?", "รถรางวิ่งทุกสิบนาที"]


def kept(store: Store) -> list[Path]:
    return sorted(path for path in (store.root / "encoders").iterdir() if path.is_dir())


def test_a_kept_encoder_has_the_same_fingerprint_and_vectors(
    store: Store, tiny_encoder: Path
) -> None:
    encoder = Encoder.load(tiny_encoder)
    record = store.keep_encoder(encoder)
    assert record.path == str(tiny_encoder)
    assert record.prompts == {"query": "Query: ", "document": "Passage: "}
    [folder] = kept(store)
    assert folder.name == record.fingerprint == encoder.fingerprint
    copy = Encoder.load(folder)
    assert copy.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(copy.encode_queries(TEXTS), encoder.encode_queries(TEXTS))


def test_an_encoder_is_kept_once(store: Store, tiny_encoder: Path) -> None:
    encoder = Encoder.load(tiny_encoder)
    store.keep_encoder(encoder)
    [folder] = kept(store)
    before = (folder / "model.safetensors").stat().st_ino
    store.keep_encoder(Encoder.load(folder))
    assert kept(store) == [folder]
    assert (folder / "model.safetensors").stat().st_ino == before


def test_an_encoder_that_came_by_name_is_kept_as_a_folder_of_its_own_fingerprint(
    store: Store, tiny_encoder: Path
) -> None:
    named = Encoder(Encoder.load(tiny_encoder).model, path="someone/tiny")
    record = store.keep_encoder(named)
    assert store.keep_encoder(named) == record
    [folder] = kept(store)
    assert record.path == "someone/tiny"
    copy = Encoder.load(folder)
    assert copy.fingerprint == record.fingerprint
    np.testing.assert_array_equal(copy.encode_passages(TEXTS), named.encode_passages(TEXTS))


def test_the_copy_of_a_dead_builder_is_swept(store: Store, tiny_encoder: Path) -> None:
    (store.root / "encoders" / ".tmp-dead").mkdir(parents=True)
    store.keep_encoder(Encoder.load(tiny_encoder))
    assert len(kept(store)) == 1


def test_an_encoder_that_changes_meanwhile_is_refused(
    store: Store, tiny_encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "changing")
    encoder = Encoder.load(tmp_path / "changing")
    assert encoder.fingerprint
    (tmp_path / "changing" / "extra.txt").write_text("new")
    with pytest.raises(BadEncoder, match="its files now have"):
        keep_encoder(store.root, encoder)
    assert kept(store) == []
