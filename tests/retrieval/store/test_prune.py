"""Pruning: what is needed stays, what is not goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, UnknownCorpus
from retrieval.store import Store
from retrieval.types import Passage
from tests.tiny import save_tiny_encoder

PASSAGES = [Passage(id=str(i), text=f"tram {i}") for i in range(3)]


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


@pytest.fixture(scope="module")
def other_encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder.load(save_tiny_encoder(tmp_path_factory.mktemp("other") / "tiny", seed=1))


def build(store: Store, encoder: Encoder, times: int, name: str = "city") -> None:
    for _ in range(times):
        build_corpus(name, PASSAGES, store=store, encoder=encoder)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_newest_versions_stay_and_the_space_of_the_others_is_freed(
    store: Store, encoder: Encoder
) -> None:
    build(store, encoder, 5)
    store.verify("city", "v000001")
    before = size_of(store.root / "corpora" / "city" / "versions")
    pruned = store.prune("city", keep=3)
    assert pruned.versions == ("v000001", "v000002")
    assert store.versions("city") == ["v000003", "v000004", "v000005"]
    assert pruned.bytes == before - size_of(store.root / "corpora" / "city" / "versions")
    assert not list((store.root / "corpora" / "city" / "stamps").glob("v000001.*"))
    assert not list(store.root.rglob(".tmp-*"))
    assert store.prune("city", keep=3).versions == ()


def test_the_active_version_and_that_of_a_rollback_stay(store: Store, encoder: Encoder) -> None:
    build(store, encoder, 6)
    store.activate("city", "v000003")
    assert store.prune("city", keep=1).versions == ("v000001", "v000004", "v000005")
    assert store.rollback("city") == "v000002"
    assert store.verify("city", "v000003").version == "v000003"
    build(store, encoder, 1)
    assert store.active("city") == "v000007"


def test_an_open_version_stays_readable(store: Store, encoder: Encoder) -> None:
    build(store, encoder, 3)
    with store.open("city", "v000001") as version:
        assert store.prune("city", keep=1).versions == ("v000001",)
        assert list(version.passages) == PASSAGES
        assert version.vectors_PD.shape == (3, encoder.dim)


def test_an_encoder_goes_with_the_last_version_of_any_corpus_that_needs_it(
    store: Store, encoder: Encoder, other_encoder: Encoder
) -> None:
    build(store, encoder, 1)
    build(store, encoder, 1, name="village")
    build(store, other_encoder, 3)
    assert store.prune("city", keep=2).encoders == ()
    store.delete("village")
    folder = store.root / "encoders" / encoder.fingerprint
    expected = size_of(folder)
    pruned = store.prune("city", keep=2)
    assert (pruned.encoders, pruned.bytes) == ((encoder.fingerprint,), expected)
    assert not folder.exists()
    assert store.load_encoder("city").fingerprint == other_encoder.fingerprint


def test_encoders_stay_while_a_corpus_is_being_built_or_cannot_be_read(
    store: Store, encoder: Encoder, other_encoder: Encoder
) -> None:
    build(store, encoder, 1)
    store.keep_encoder(other_encoder)
    with store.draft("village", dim=4):
        assert store.prune("city", keep=1).encoders == ()
    build(store, encoder, 1, name="hamlet")
    manifest = store.root / "corpora" / "hamlet" / "versions" / "v000001" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("hamlet", "camlet"))
    assert store.prune("city", keep=1).encoders == ()
    manifest.write_text(text)
    assert store.prune("city", keep=1).encoders == (other_encoder.fingerprint,)


def test_nothing_to_keep_and_an_unknown_corpus_are_refused(store: Store, encoder: Encoder) -> None:
    build(store, encoder, 1)
    with pytest.raises(BadInput, match="keep is 0, expected at least 1"):
        store.prune("city", keep=0)
    with pytest.raises(UnknownCorpus):
        store.prune("village", keep=1)
    assert store.versions("city") == ["v000001"]
