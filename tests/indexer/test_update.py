"""Updates: what a fresh build of the same passages would be, each text encoded once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.build import build_corpus
from indexer.update import (
    UpdateOptions,
    add_passages,
    reindex_corpus,
    remove_passages,
    same_index,
)
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, MalformedFile, UnknownCorpus, UnknownVersion
from retrieval.pool import Mode
from retrieval.search import Searcher, SearchOptions
from retrieval.store import Store
from retrieval.types import Passage
from retrieval.vectors import IndexOptions
from tests.indexer.test_build import Builders, leftovers
from tests.tiny import save_tiny_encoder

QUERIES = ["Straßenbahn 7", "รถราง", "library card"]


class CountingEncoder(Encoder):
    """An encoder that remembers which passages it encoded."""

    def __init__(self, folder: Path) -> None:
        loaded = Encoder.load(folder)
        super().__init__(loaded.model, path=loaded.path)
        self.encoded: list[str] = []

    def encode_and_tokenize(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.float32], Sequence[Sequence[int]]]:
        self.encoded += texts
        return super().encode_and_tokenize(texts)


@pytest.fixture
def encoder(tiny_encoder: Path) -> CountingEncoder:
    return CountingEncoder(tiny_encoder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def texts(first: int, last: int) -> list[Passage]:
    return [
        Passage(id=f"p{i}", text=f"Straßenbahn {i * i}", lang=["de", "th"][i % 2])
        for i in range(first, last)
    ]


@pytest.fixture
def built(store: Store, encoder: CountingEncoder) -> list[Passage]:
    """The passages of which corpus `city` was built; the encoder's count begins after it."""
    given = texts(0, 40)
    build_corpus("city", given, store=store, encoder=encoder, chunk_passages=16)
    encoder.encoded.clear()
    return given


def found(store: Store, name: str, encoder: Encoder) -> list[list[tuple[str, str, float]]]:
    with store.open(name) as version:
        return [
            [(hit.passage.id, hit.passage.lang, round(hit.score, 5)) for hit in hits]
            for mode in Mode
            for hits in Searcher(version, encoder).search(
                QUERIES, SearchOptions(top_k=30, mode=mode)
            )
        ]


def same_as_fresh(store: Store, encoder: Encoder, expected: list[Passage]) -> None:
    """Corpus `city` holds and finds what a corpus freshly built of `expected` does."""
    fresh = build_corpus("fresh", expected, store=store, encoder=encoder).manifest
    updated = store.verify("city")
    with store.open("city") as version, store.open("fresh") as other:
        assert list(version.passages) == expected
        np.testing.assert_allclose(version.vectors_PD, other.vectors_PD, atol=1e-6)
    assert updated.counts == fresh.counts
    assert updated.lexical == fresh.lexical
    assert found(store, "city", encoder) == found(store, "fresh", encoder)
    assert leftovers(store) == []


SMALL_CHUNKS = UpdateOptions(chunk_passages=7)


def test_an_added_and_a_changed_passage_are_all_that_is_encoded(
    store: Store, encoder: CountingEncoder, built: list[Passage]
) -> None:
    changed = replace(built[3], text="รถรางสาย 3")
    given = [changed, *texts(40, 45)]
    report = add_passages("city", given, store=store, encoder=encoder, options=SMALL_CHUNKS)
    assert encoder.encoded == [passage.to_encode for passage in given]
    assert (report.encoded, report.reused) == (6, 39)
    assert report.to_json()["encoded"] == 6
    assert report.manifest.version == store.active("city") == "v000002"
    same_as_fresh(store, encoder, [*built[:3], *built[4:], *given])


def test_another_language_metadata_or_id_alone_encodes_nothing(
    store: Store, encoder: CountingEncoder, built: list[Passage]
) -> None:
    given = [
        replace(built[5], lang="fr", metadata={"line": 5}),
        replace(built[9], id="copy", url="https://city.example/9"),
    ]
    report = add_passages("city", given, store=store, encoder=encoder)
    assert encoder.encoded == []
    assert (report.encoded, report.reused) == (0, 41)
    same_as_fresh(store, encoder, [*built[:5], *built[6:], *given])


def test_a_document_given_again_replaces_all_chunks_of_the_old_one(
    store: Store, encoder: CountingEncoder
) -> None:
    chunks = [Passage(id=f"doc#{n}", text=f"part {n}", document="doc") for n in range(1, 5)]
    declared = Passage(id="note#1", text="a note", document="folder")
    build_corpus("city", [*chunks, declared], store=store, encoder=encoder)
    single = replace(chunks[2], text="another part 3")
    add_passages("city", [single], store=store, encoder=encoder, records={"doc#3"})
    same_as_fresh(store, encoder, [*chunks[:2], chunks[3], declared, single])
    whole = Passage(id="doc", text="short now")
    add_passages("city", [whole], store=store, encoder=encoder, records={"doc"})
    same_as_fresh(store, encoder, [declared, whole])


def test_removed_passages_are_gone_and_nothing_is_encoded(
    store: Store, encoder: CountingEncoder, built: list[Passage]
) -> None:
    ids = {passage.id for passage in built[::3]}
    report = remove_passages("city", ids, store=store, encoder=encoder, options=SMALL_CHUNKS)
    assert report is not None
    assert (encoder.encoded, report.reused) == ([], 40 - len(ids))
    same_as_fresh(store, encoder, [passage for passage in built if passage.id not in ids])
    with store.open("city", "v000001") as old:
        assert len(old.passages) == 40


@pytest.mark.usefixtures("built")
def test_a_removal_of_what_is_not_there_or_of_everything_is_refused(
    store: Store, encoder: Encoder
) -> None:
    with pytest.raises(BadInput, match=r"has no passage 'x', 'y' \(2 of 3 ids\)"):
        remove_passages("city", ["x", "p1", "y"], store=store, encoder=encoder)
    everything = [f"p{i}" for i in range(40)]
    with pytest.raises(BadInput, match="nothing would be left"):
        remove_passages("city", everything, store=store, encoder=encoder)
    nothing = remove_passages("city", ["x"], store=store, encoder=encoder, missing_ok=True)
    assert nothing is None
    assert store.versions("city") == ["v000001"]
    assert leftovers(store) == []


def test_a_document_id_removes_its_chunks(store: Store, encoder: Encoder) -> None:
    chunks = [Passage(id=f"doc#{n}", text=f"part {n}", document="doc") for n in range(1, 5)]
    other = Passage(id="doc2", text="another")
    build_corpus("city", [*chunks, other], store=store, encoder=encoder)
    remove_passages("city", ["doc"], store=store, encoder=encoder)
    same_as_fresh(store, encoder, [other])


def test_another_index_encodes_nothing_and_later_updates_keep_it(
    store: Store, encoder: CountingEncoder
) -> None:
    given = texts(0, 300)
    build_corpus("city", given, store=store, encoder=encoder, lexical=False)
    encoder.encoded.clear()
    index = IndexOptions(kind="IVF4,Flat", target_recall=0.9)
    report = reindex_corpus(
        "city", store=store, encoder=encoder, options=UpdateOptions(index=index)
    )
    assert (report.encoded, report.reused, encoder.encoded) == (0, 300, [])
    added = add_passages("city", texts(300, 310), store=store, encoder=encoder)
    for manifest in (report.manifest, added.manifest):
        assert manifest.index.parameters["factory"] == "IVF4,Flat"
        assert same_index(manifest) == index
        assert manifest.lexical == {}
    assert store.verify("city").counts.total == 310


def test_another_encoder_encodes_everything(
    store: Store, encoder: CountingEncoder, built: list[Passage], tmp_path: Path
) -> None:
    other = CountingEncoder(save_tiny_encoder(tmp_path / "other", seed=1))
    report = reindex_corpus("city", store=store, encoder=other, options=SMALL_CHUNKS)
    assert other.encoded == [passage.to_encode for passage in built]
    assert (report.encoded, report.reused) == (40, 0)
    assert report.manifest.encoder.fingerprint == other.fingerprint != encoder.fingerprint
    same_as_fresh(store, other, built)


def test_an_update_that_cannot_be_leaves_everything_as_it_was(
    store: Store, encoder: Encoder, built: list[Passage]
) -> None:
    def broken() -> Iterator[Passage]:
        yield from texts(40, 60)
        raise MalformedFile("broken JSON", path="more.jsonl", line=21)

    with pytest.raises(MalformedFile, match=r"more\.jsonl:21"):
        add_passages("city", broken(), store=store, encoder=encoder, options=SMALL_CHUNKS)
    with pytest.raises(BadInput, match="no passages to add"):
        add_passages("city", [], store=store, encoder=encoder)
    with pytest.raises(UnknownCorpus):
        add_passages("village", built, store=store, encoder=encoder)
    with pytest.raises(UnknownVersion):
        reindex_corpus(
            "city", store=store, encoder=encoder, options=UpdateOptions(version="v000009")
        )
    assert store.versions("city") == ["v000001"]
    assert store.corpora() == ["city"]
    assert leftovers(store) == []


def test_an_update_may_start_from_an_old_version_and_wait(
    store: Store, encoder: Encoder, built: list[Passage]
) -> None:
    add_passages("city", texts(40, 50), store=store, encoder=encoder)
    options = UpdateOptions(version="v000001", activate=False)
    report = add_passages("city", texts(50, 51), store=store, encoder=encoder, options=options)
    assert not report.active
    assert store.active("city") == "v000002"
    with store.open("city", report.manifest.version) as version:
        assert list(version.passages) == [*built, *texts(50, 51)]


@pytest.fixture(scope="module")
def builders(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builders]:
    with closing(Builders(tmp_path_factory.mktemp("updates") / "root", tiny_encoder)) as running:
        yield running


def test_of_two_updates_at_once_the_later_is_refused_rather_than_losing_the_earlier(
    builders: Builders,
) -> None:
    base = builders.build("race", 20)["version"]
    asked = [{"corpus": "race", "count": 30, "tag": f"u{n}", "active": base} for n in range(2)]
    answers = builders.together(*asked)
    [won] = [n for n, answer in enumerate(answers) if "version" in answer]
    assert answers[won]["version"] == builders.store.active("race") == "v000002"
    assert answers[1 - won]["error"] == "BadInput"
    assert "v000001 was active when it began, v000002 is now" in answers[1 - won]["message"]
    with builders.store.open("race") as version:
        assert {identifier[:2] for identifier in version.passage_ids} == {"t-", f"u{won}"}
    again = builders.together(asked[1 - won] | {"active": "v000002"})
    assert again[0]["version"] == "v000003"
    assert builders.store.verify("race").counts.total == 80
    assert leftovers(builders.store) == []


@pytest.mark.slow
def test_an_update_killed_at_random_times_leaves_the_old_version_or_the_new(
    builders: Builders,
) -> None:
    chosen = random.Random(0)  # noqa: S311
    store, count = builders.store, 60
    active = builders.build("killed", count)["version"]
    for number in range(12):
        kill = {"kill_after_s": chosen.uniform(0.0, 0.4), "chunk": 4}
        builders.build("killed", 5, active=active, **kill | {"tag": f"k{number}"})
        if store.active("killed") != active:
            active, count = str(store.active("killed")), count + 5
        assert store.verify("killed").counts.total == count
    assert "version" in builders.build("killed", 5, active=active, tag="last")
    assert leftovers(store) == []
