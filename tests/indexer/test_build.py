"""Builds: streamed, whole or not at all, whoever is killed and whatever fills up."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.build import build_corpus, choose_encoder, chunked
from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadInput, DuplicateId, MalformedFile
from retrieval.search import Searcher, SearchOptions
from retrieval.store import Store
from retrieval.types import Passage
from tests.indexer.builder import STEPS

REPOSITORY = Path(__file__).parents[2]


class Builders:
    """Speaks to the program `tests.indexer.builder`."""

    def __init__(self, root: Path, encoder: Path) -> None:
        self.store = Store(root)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.indexer.builder", root, encoder],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def together(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Run these builds at once; a build is a dictionary for `builder.build`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(requests) + "\n")
        self._process.stdin.flush()
        answers: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return answers

    def build(self, corpus: str, count: int, **request: object) -> dict[str, Any]:
        """Run one build."""
        [answer] = self.together({"corpus": corpus, "count": count, "tag": "t", **request})
        return answer

    def close(self) -> None:
        """End the program."""
        self._process.communicate()


@pytest.fixture(scope="module")
def builders(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builders]:
    with closing(Builders(tmp_path_factory.mktemp("builds") / "root", tiny_encoder)) as running:
        yield running


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def texts(count: int) -> list[Passage]:
    return [
        Passage(
            id=f"p{i}",
            text=f"Straßenbahn {i}",
            title="ราง" if i % 2 else "",
            lang=["de", "th"][i % 2],
        )
        for i in range(count)
    ]


def leftovers(store: Store) -> list[Path]:
    return list(store.root.rglob(".tmp-*"))


def test_what_is_built_is_what_was_given(store: Store, encoder: Encoder) -> None:
    given_passages = texts(50)
    report = build_corpus(
        "city", iter(given_passages), store=store, encoder=encoder, chunk_passages=16
    )
    assert report.active
    with store.open("city") as version:
        assert list(version.passages) == given_passages
        expected = encoder.encode_passages([p.to_encode for p in given_passages])
        np.testing.assert_allclose(version.vectors_PD, expected, atol=1e-6)
        hits = Searcher(version, encoder).search(["Straßenbahn 7"], SearchOptions(top_k=50))[0]
        assert len(hits) == 50
    figures = report.to_json()
    assert figures["passages"] == 50
    assert figures["languages"] == {"de": 25, "th": 25}
    assert Encoder.load(store.encoder_path("city")).fingerprint == encoder.fingerprint


@given(
    lengths=st.lists(st.integers(0, 5), max_size=40),
    chunk_passages=st.integers(1, 9),
)
def test_chunks_hold_every_passage_once_in_order(lengths: list[int], chunk_passages: int) -> None:
    passages = [Passage(id=str(i), text="x" * n) for i, n in enumerate(lengths)]
    chunks = list(chunked(passages, chunk_passages=chunk_passages))
    assert [p for chunk in chunks for p in chunk] == passages
    assert all(len(chunk) == chunk_passages for chunk in chunks[:-1])


def test_long_documents_end_a_chunk_early() -> None:
    long = "x" * (40 * 2**20)
    passages = (Passage(id=str(i), text=long) for i in range(4))
    assert [len(chunk) for chunk in chunked(passages, chunk_passages=100)] == [2, 2]


def test_passages_are_read_as_they_are_needed(store: Store, encoder: Encoder) -> None:
    """When chunk n is encoded, no passage after it has been asked for."""
    asked = 0

    def stream() -> Iterator[Passage]:
        nonlocal asked
        for passage in texts(40):
            asked += 1
            yield passage

    chunks = chunked(stream(), chunk_passages=10)
    next(chunks)
    assert asked == 10


@pytest.mark.parametrize("kept", [0, 1])
def test_a_failing_reader_leaves_nothing_and_touches_nothing(
    store: Store, encoder: Encoder, kept: int
) -> None:
    for _ in range(kept):
        build_corpus("city", texts(5), store=store, encoder=encoder)

    def broken() -> Iterator[Passage]:
        yield from texts(20)
        raise MalformedFile("broken JSON", path="passages.jsonl", line=21)

    with pytest.raises(MalformedFile, match=r"passages\.jsonl:21"):
        build_corpus("city", broken(), store=store, encoder=encoder, chunk_passages=8)
    assert leftovers(store) == []
    assert store.corpora() == ["city"] * kept
    assert (store.root / "encoders").exists() == bool(kept)


def test_duplicate_ids_are_refused_far_apart(store: Store, encoder: Encoder) -> None:
    twice = [*texts(20), *texts(1)]
    with pytest.raises(DuplicateId, match="'p0' occurs twice"):
        build_corpus("city", twice, store=store, encoder=encoder, chunk_passages=4)
    assert store.corpora() == []


def test_nothing_to_index_is_refused(store: Store, encoder: Encoder) -> None:
    with pytest.raises(BadInput, match="no passages"):
        build_corpus("city", [], store=store, encoder=encoder)
    with pytest.raises(BadInput, match="chunk_passages is 0"):
        build_corpus("city", texts(1), store=store, encoder=encoder, chunk_passages=0)
    with pytest.raises(BadInput, match="cannot name a corpus"):
        build_corpus("../x", texts(1), store=store, encoder=encoder)
    assert leftovers(store) == []


def test_the_encoder_is_the_one_given_else_the_corpus_own_else_the_bundled_one(
    store: Store, encoder: Encoder
) -> None:
    assert choose_encoder(store, "city", "some/encoder") == "some/encoder"
    assert choose_encoder(store, "city", None) == COMPACT
    build_corpus("city", texts(2), store=store, encoder=encoder, activate=False)
    assert choose_encoder(store, "city", None) == COMPACT
    store.activate("city", "v000001")
    assert choose_encoder(store, "city", None) == store.encoder_path("city")


def killed_everywhere(builders: Builders, corpus: str, kills: list[dict[str, object]]) -> None:
    """Kill a build in each way: each time the corpus opens, at the old version or the new."""
    store = builders.store
    count, active = 40, builders.build(corpus, 40)["version"]
    for number, kill in enumerate(kills):
        answer = builders.build(corpus, 41 + number, **kill)
        assert answer == {"killed": 9} or "kill_after_s" in kill
        now = store.active(corpus)
        if now != active:
            active, count = now, 41 + number
        assert store.verify(corpus).counts.total == count
    assert builders.build(corpus, 500)["version"] == store.active(corpus)
    assert store.verify(corpus).counts.total == 500
    assert leftovers(store) == []
    for version in store.versions(corpus):
        store.verify(corpus, version)


def steps_of(builders: Builders, corpus: str) -> list[str]:
    builders.build(corpus, 40)
    steps: list[str] = builders.build(corpus, 40)["steps"]
    assert set(steps) == set(STEPS)
    return steps


def test_a_builder_killed_at_the_steps_of_publication_leaves_the_old_version_or_the_new(
    builders: Builders,
) -> None:
    steps = steps_of(builders, "few")
    last = len(steps)
    points = sorted({1, 3, steps.index("unlink") + 1, steps.index("rename") + 1, last - 2, last})
    killed_everywhere(builders, "few", [{"kill_at": point} for point in points])


@pytest.mark.slow
def test_a_builder_killed_at_every_step_leaves_the_old_version_or_the_new(
    builders: Builders,
) -> None:
    steps = steps_of(builders, "every")
    points = range(1, len(steps) + 1)
    killed_everywhere(builders, "every", [{"kill_at": point} for point in points])


@pytest.mark.slow
def test_a_builder_killed_at_random_times_leaves_the_old_version_or_the_new(
    builders: Builders,
) -> None:
    chosen = random.Random(0)  # noqa: S311
    kills: list[dict[str, object]] = [
        {"kill_after_s": chosen.uniform(0.0, 0.4), "chunk": 4} for _ in range(50)
    ]
    killed_everywhere(builders, "random", kills)


def test_a_first_build_that_is_killed_leaves_no_corpus(builders: Builders) -> None:
    assert builders.build("first", 40, kill_at=8) == {"killed": 9}
    assert "first" not in builders.store.corpora()
    assert builders.build("first", 40)["version"] == "v000001"
    assert leftovers(builders.store) == []


def test_builders_at_once_on_one_corpus_publish_one_after_the_other(builders: Builders) -> None:
    asked = [{"corpus": "race", "count": 50 + n, "tag": f"b{n}"} for n in range(3)]
    answers = builders.together(*asked)
    assert sorted(answer["version"] for answer in answers) == ["v000001", "v000002", "v000003"]
    for n, answer in enumerate(answers):
        manifest = builders.store.verify("race", answer["version"])
        assert manifest.counts.total == 50 + n
        with builders.store.open("race", manifest.version) as version:
            assert version.passages[0].id == f"b{n}-0"
    assert builders.store.active("race") == "v000003"
    assert leftovers(builders.store) == []


@pytest.mark.parametrize("limit_bytes", [0, 100, 3_000, 12_000, 60_000])
def test_a_disk_that_fills_up_leaves_the_old_version(builders: Builders, limit_bytes: int) -> None:
    corpus = f"full-{limit_bytes}"
    builders.build(corpus, 10)
    answer = builders.build(corpus, 2000, limit_bytes=limit_bytes, chunk=500)
    assert answer["error"] == "MachineFailure"
    assert str(builders.store.root) in answer["message"]
    assert leftovers(builders.store) == []
    assert builders.store.versions(corpus) == ["v000001"]
    assert builders.store.verify(corpus).counts.total == 10
