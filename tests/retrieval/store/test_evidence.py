"""Lexical index and calibrations as files of a version: listed, sealed, refused when damaged."""

from __future__ import annotations

import pytest

from retrieval.errors import BadInput, CorruptVersion
from retrieval.store import Store
from retrieval.vectors import IndexKind
from tests.corpora import ENCODER, publish, some_passages, unit_vectors

NAMES = ("data.npy", "indices.npy", "starts.npy", "features.npy", "index.json")


def publish_lexical(store: Store, count: int = 12) -> None:
    with store.draft("city", dim=8) as draft:
        tokens = [[i % 5, 7, i] for i in range(count)]
        draft.append(some_passages(count), unit_vectors(count), tokens)
        draft.build_index(IndexKind.FLAT)
        draft.publish(encoder=ENCODER)


def test_the_manifest_lists_the_lexical_files_and_their_parameters(store: Store) -> None:
    publish_lexical(store)
    manifest = store.verify("city")
    assert {f"lexical/{name}" for name in NAMES} <= manifest.files.keys()
    assert manifest.lexical["k1"] == "0.9"
    with store.open("city") as version:
        assert version.lexical is not None
        assert version.lexical.scores([7], "de").shape == (4,)
        assert set(version.calibrations) == {"dense", "lexical"}


def test_a_version_without_tokens_has_no_lexical_index(store: Store) -> None:
    publish(store, "city", some_passages(9))
    with store.open("city") as version:
        assert version.lexical is None
        assert version.manifest.lexical == {}
        assert set(version.calibrations) == {"dense"}


@pytest.mark.parametrize("name", [*(f"lexical/{name}" for name in NAMES), "calibration.json"])
def test_a_flipped_byte_is_refused_before_it_is_read(store: Store, name: str) -> None:
    publish_lexical(store)
    path = store.root / "corpora" / "city" / "versions" / "v000001" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptVersion, match="SHA-256"):
        store.open("city")
    path.unlink()
    with pytest.raises(CorruptVersion, match="expected a file"):
        store.open("city")


def test_passages_come_with_tokens_all_or_none(store: Store) -> None:
    some, vectors = some_passages(4), unit_vectors(2)
    with store.draft("city", dim=8) as draft:
        draft.append(some[:2], vectors, [[1], [2]])
        with pytest.raises(BadInput, match="others without"):
            draft.append(some[2:], vectors)
    with store.draft("city", dim=8) as draft:
        draft.append(some[:2], vectors)
        with pytest.raises(BadInput, match="others without"):
            draft.append(some[2:], vectors, [[1], [2]])
    with store.draft("city", dim=8) as draft, pytest.raises(BadInput, match="tokens of 1"):
        draft.append(some[:2], vectors, [[1]])
    assert store.corpora() == []
