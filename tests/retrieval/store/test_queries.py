"""Sample queries: a version whose files are whole but do not belong together is found out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import orjson
import pytest

from retrieval.errors import CorruptVersion
from retrieval.store import EncoderRecord, Store
from retrieval.store.layout import INDEX, MANIFEST
from retrieval.store.manifest import file_record, read_manifest, write_manifest
from retrieval.types import Passage
from retrieval.vectors import IndexOptions

RECORD = EncoderRecord(fingerprint="0" * 16, path="made/by/hand", prompts={})


def publish(store: Store, name: str, *, kind: str, seed: int, copies: int = 1) -> Path:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.standard_normal((400 // copies, 16)), copies, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    passages = [Passage(id=str(i), text=f"tram {i}", lang="de") for i in range(len(vectors))]
    with store.draft(name, dim=16) as draft:
        draft.append(passages, vectors.astype(np.float32))
        draft.build_index(IndexOptions(kind=kind))
        draft.publish(encoder=RECORD)
    return store.root / "corpora" / name / "versions" / "v000001"


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "ivf-pq"])
@pytest.mark.parametrize("copies", [1, 100])
def test_a_version_finds_its_own_vectors(store: Store, kind: str, copies: int) -> None:
    publish(store, "city", kind=kind, seed=0, copies=copies)
    assert store.verify("city").counts.total == 400


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_an_index_of_other_vectors_is_found_out(store: Store, kind: str) -> None:
    folder = publish(store, "city", kind=kind, seed=0)
    other = publish(store, "other", kind=kind, seed=1)
    (folder / INDEX).write_bytes((other / INDEX).read_bytes())
    manifest = read_manifest(folder, corpus="city")
    files = {**manifest.files, INDEX: file_record(folder / INDEX)}
    write_manifest(manifest.model_copy(update={"files": files}), folder)
    with pytest.raises(CorruptVersion, match=r"stored vectors as queries, .* found themselves"):
        store.verify("city")


def test_counts_that_disagree_are_found_out(store: Store) -> None:
    folder = publish(store, "city", kind="flat", seed=0)
    content = orjson.loads((folder / MANIFEST).read_bytes())
    del content["seal"]
    content["counts"]["languages"] = {"de": 399, "th": 1}
    seal = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    (folder / MANIFEST).write_bytes(orjson.dumps(content | {"seal": seal}))
    with pytest.raises(CorruptVersion, match="expected passages by language"):
        store.verify("city")
