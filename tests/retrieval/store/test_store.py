"""Corpora and versions: listed, opened, activated, rolled back, deleted."""

from __future__ import annotations

import pytest

from retrieval.errors import BadInput, CorruptVersion, MachineFailure, UnknownCorpus, UnknownVersion
from retrieval.store import Store
from tests.corpora import ENCODER, publish, some_passages


def test_an_empty_or_missing_root_has_no_corpora(store: Store) -> None:
    assert store.corpora() == []
    store.root.mkdir()
    assert store.corpora() == []


def test_corpora_and_versions_are_listed_in_order(store: Store) -> None:
    for name in ("town", "city"):
        for count in (1, 2):
            publish(store, name, some_passages(count))
    assert store.corpora() == ["city", "town"]
    assert store.versions("city") == ["v000001", "v000002"]
    assert store.active("city") == "v000002"


def test_what_is_half_written_or_foreign_is_not_listed(store: Store) -> None:
    publish(store, "city", some_passages(1))
    versions = store.root / "corpora" / "city" / "versions"
    for name in (".tmp-0123", "v2", "backup", "v000009.old"):
        (versions / name).mkdir()
    (versions / "v000007").write_text("a file")
    for name in ("empty", "Not A Name", ".tmp-city-01"):
        (store.root / "corpora" / name / "versions").mkdir(parents=True)
    assert store.corpora() == ["city"]
    assert store.versions("city") == ["v000001"]


def test_versions_past_a_million_keep_their_order(store: Store) -> None:
    publish(store, "city", some_passages(1))
    versions = store.root / "corpora" / "city" / "versions"
    for name in ("v999999", "v1000000"):
        (versions / name).mkdir()
    assert store.versions("city") == ["v000001", "v999999", "v1000000"]


def test_an_unknown_corpus_says_which_exist(store: Store) -> None:
    publish(store, "city", some_passages(1))
    publish(store, "town", some_passages(1))
    for method in (store.versions, store.active, store.manifest, store.open, store.verify):
        with pytest.raises(UnknownCorpus, match="found: city, town"):
            method("village")
    for other in (store.rollback, store.delete, store.encoder_path):
        with pytest.raises(UnknownCorpus, match="found: city, town"):
            other("village")
    with pytest.raises(UnknownCorpus, match="found: city, town"):
        store.activate("village", "v000001")


@pytest.mark.parametrize("version", ["v000009", "../v000001", "", "v000001/../v000001"])
def test_an_unknown_version_says_which_exist(store: Store, version: str) -> None:
    publish(store, "city", some_passages(1))
    publish(store, "city", some_passages(2))
    for method in (store.manifest, store.open, store.verify, store.activate):
        with pytest.raises(UnknownVersion, match="published: v000001, v000002"):
            method("city", version)
    assert store.active("city") == "v000002"


def test_an_older_version_can_be_opened_and_activated(store: Store) -> None:
    publish(store, "city", some_passages(1))
    publish(store, "city", some_passages(2))
    assert len(store.open("city", "v000001").passages) == 1
    store.activate("city", "v000001")
    assert store.active("city") == "v000001"
    assert len(store.open("city").passages) == 1


def test_a_version_published_without_activation_waits(store: Store) -> None:
    publish(store, "city", some_passages(1), activate=False)
    assert store.corpora() == ["city"]
    assert store.active("city") is None
    with pytest.raises(UnknownVersion, match="no active version; published: v000001"):
        store.open("city")
    with pytest.raises(UnknownVersion, match="no version before"):
        store.rollback("city")
    store.activate("city", "v000001")
    publish(store, "city", some_passages(2), activate=False)
    assert store.active("city") == "v000001"


def test_a_rollback_goes_one_version_back_until_the_first(store: Store) -> None:
    for count in (1, 2, 3):
        publish(store, "city", some_passages(count))
    assert store.rollback("city") == "v000002"
    assert store.rollback("city") == "v000001"
    assert store.active("city") == "v000001"
    with pytest.raises(UnknownVersion, match="no version before v000001"):
        store.rollback("city")


@pytest.mark.parametrize("content", [b"", b"v000009\n", b"../../x\n", b"\xff\xfe", b"v000001 v2"])
def test_a_broken_pointer_is_refused_and_mended_by_activation(store: Store, content: bytes) -> None:
    publish(store, "city", some_passages(1))
    current = store.root / "corpora" / "city" / "CURRENT"
    current.write_bytes(content)
    with pytest.raises(CorruptVersion, match="index activate city VERSION` with v000001"):
        store.open("city")
    store.activate("city", "v000001")
    assert len(store.open("city").passages) == 1


def test_a_deleted_corpus_is_gone_and_can_be_built_again(store: Store) -> None:
    publish(store, "city", some_passages(1))
    publish(store, "town", some_passages(1))
    store.delete("city")
    assert store.corpora() == ["town"]
    assert sorted(path.name for path in (store.root / "corpora").iterdir()) == ["town"]
    assert publish(store, "city", some_passages(3)).version == "v000001"
    assert len(store.open("city").passages) == 3


def test_a_corpus_is_not_deleted_under_its_builder(store: Store) -> None:
    publish(store, "city", some_passages(1))
    with store.draft("city", dim=8), pytest.raises(BadInput, match="being built"):
        store.delete("city")
    assert store.corpora() == ["city"]
    store.delete("city")
    assert store.corpora() == []


def test_a_root_that_is_no_folder_is_the_machines_failure(store: Store) -> None:
    store.root.write_text("a file")
    with pytest.raises(MachineFailure), store.draft("city", dim=8):
        pass


def test_the_path_of_a_versions_encoder_lies_in_the_store(store: Store) -> None:
    publish(store, "city", some_passages(1))
    assert store.encoder_path("city") == store.root / "encoders" / ENCODER.fingerprint
