"""/corpora, and what a running service makes of changes on disk."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import httpx

from indexer.build import build_corpus
from retrieval.demo_data import demo_passages
from retrieval.encoder import Encoder
from retrieval.store import Store


def search(client: httpx.Client, corpus: str = "demo", **more: str) -> httpx.Response:
    return client.post("/search", json={"corpus": corpus, "query": "dog", **more})


def test_a_corpus_is_described(client: httpx.Client, bundled: Encoder) -> None:
    (listed,) = client.get("/corpora").json()["corpora"]
    assert listed == client.get("/corpora/demo").json()
    assert listed["name"] == "demo"
    assert listed["active"] == "v000001"
    assert listed["passages"] == sum(listed["languages"].values()) == len(list(demo_passages()))
    assert listed["encoder"] == bundled.fingerprint
    assert listed["bytes"] > 0
    assert client.get("/corpora/nope").status_code == 404


def test_a_new_version_is_served_at_once_and_an_old_one_by_name(
    own: tuple[Store, httpx.Client], bundled: Encoder
) -> None:
    store, client = own
    assert search(client).json()["version"] == "v000001"
    build_corpus("demo", islice(demo_passages(), 5), store=store, encoder=bundled)
    assert search(client).json()["version"] == "v000002"
    assert search(client, version="v000001").json()["version"] == "v000001"
    store.rollback("demo")
    assert search(client).json()["version"] == "v000001"


def test_a_deleted_corpus_is_not_found(own: tuple[Store, httpx.Client]) -> None:
    store, client = own
    assert search(client).status_code == 200
    store.delete("demo")
    assert search(client).status_code == 404
    assert client.get("/corpora").json() == {"corpora": []}


def test_a_corrupted_version_is_refused_and_leaves_the_others_served(
    own: tuple[Store, httpx.Client], bundled: Encoder
) -> None:
    store, client = own
    build_corpus("other", islice(demo_passages(), 5), store=store, encoder=bundled)
    vectors = next((store.root / "corpora" / "other").rglob("vectors.npy"))
    content = bytearray(vectors.read_bytes())
    content[-1] ^= 1
    vectors.write_bytes(content)
    response = search(client, "other")
    assert response.status_code == 503
    assert response.json()["type"] == "urn:synglot:problem:corrupt-version"
    assert search(client).status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"][0].startswith("other: ")
    assert client.get("/livez").status_code == 200


def test_a_corpus_deleted_and_rebuilt_is_not_mistaken_for_the_old_one(
    own: tuple[Store, httpx.Client], bundled: Encoder
) -> None:
    store, client = own
    before = {hit["id"] for hit in search(client).json()["results"][0]["hits"]}
    store.delete("demo")
    last = list(demo_passages())[-3:]
    build_corpus("demo", last, store=store, encoder=bundled)
    answer = search(client).json()
    assert answer["version"] == "v000001"
    found = {hit["id"] for hit in answer["results"][0]["hits"]}
    assert found == {passage.id for passage in last} != before


def test_a_version_without_its_manifest_is_told_and_hides_no_other(
    own: tuple[Store, httpx.Client], bundled: Encoder
) -> None:
    store, client = own
    build_corpus("other", islice(demo_passages(), 5), store=store, encoder=bundled)
    next((store.root / "corpora" / "other").rglob("manifest.json")).unlink()
    response = search(client, "other")
    assert (response.status_code, response.json()["type"]) == (
        503,
        "urn:synglot:problem:corrupt-version",
    )
    assert client.get("/readyz").json()["reasons"][0].startswith("other: ")
    listed = {c["name"]: c["trouble"] for c in client.get("/corpora").json()["corpora"]}
    assert listed["demo"] is None
    assert "manifest" in listed["other"]
    assert client.get("/info").status_code == 200
    assert search(client).status_code == 200


def test_a_changed_encoder_is_refused_until_it_is_restored(
    own: tuple[Store, httpx.Client], tiny_encoder: Path
) -> None:
    store, client = own
    tiny = Encoder.load(tiny_encoder)
    build_corpus("tiny", islice(demo_passages(), 5), store=store, encoder=tiny)
    settings = store.encoder_path("tiny") / "config_sentence_transformers.json"
    original = settings.read_text()
    settings.write_text(original.replace('"prompts"', '"prompts": {}, "p"'))
    response = search(client, "tiny")
    assert response.status_code == 503
    assert f"was {tiny.fingerprint}" in response.json()["detail"]
    settings.write_text(original)
    assert search(client, "tiny").status_code == 200


def test_the_active_version_outlives_requests_for_many_old_ones(
    own: tuple[Store, httpx.Client], bundled: Encoder
) -> None:
    store, client = own
    for _ in range(11):
        build_corpus("demo", islice(demo_passages(), 3), store=store, encoder=bundled)
    for version in store.versions("demo"):
        assert search(client, version=version).json()["version"] == version
    assert search(client).json()["version"] == "v000012"
