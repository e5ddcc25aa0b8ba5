"""Publishing: all of a version or nothing, one publisher at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from retrieval.errors import BadInput, DuplicateId
from retrieval.store import Store
from retrieval.vectors import IndexKind
from tests.corpora import ENCODER, publish, some_passages, unit_vectors


def temporaries(store: Store) -> list[Path]:
    return list(store.root.rglob(".tmp-*"))


def test_a_draft_is_invisible_until_it_is_published(store: Store) -> None:
    with store.draft("city", dim=8) as draft:
        draft.append(some_passages(3), unit_vectors(3))
        assert store.corpora() == []
        draft.build_index(IndexKind.FLAT)
        assert store.corpora() == []
        draft.publish(encoder=ENCODER)
        assert store.corpora() == ["city"]
    assert temporaries(store) == []


def test_a_draft_that_fails_leaves_nothing_and_touches_nothing(store: Store) -> None:
    publish(store, "city", some_passages(3))
    twice = [*some_passages(3), *some_passages(1)]
    with pytest.raises(DuplicateId):
        publish(store, "city", twice, chunk=3)
    with pytest.raises(KeyboardInterrupt), store.draft("city", dim=8):
        raise KeyboardInterrupt
    assert temporaries(store) == []
    assert store.versions("city") == ["v000001"]
    assert store.verify("city").counts.total == 3


def test_an_empty_draft_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="no passages"), store.draft("city", dim=8) as draft:
        draft.build_index(IndexKind.FLAT)
    assert store.corpora() == []


def test_passages_must_come_with_as_many_vectors(store: Store) -> None:
    with pytest.raises(BadInput, match="3 passages came with 2"), store.draft("a", dim=8) as draft:
        draft.append(some_passages(3), unit_vectors(2))


def test_versions_are_numbered_in_the_order_of_publication(store: Store) -> None:
    with store.draft("city", dim=8) as early:
        early.append(some_passages(3), unit_vectors(3))
        publish(store, "city", some_passages(5))
        early.build_index(IndexKind.FLAT)
        assert early.publish(encoder=ENCODER).version == "v000002"
    assert store.manifest("city", "v000001").counts.total == 5
    assert store.manifest("city").counts.total == 3


def test_a_dead_draft_is_swept_and_a_live_one_is_not(store: Store) -> None:
    with store.draft("city", dim=8) as draft:
        dead = draft.folder.with_name(".tmp-of-the-dead")
        dead.mkdir()
        (dead / "alive.lock").touch()
        (dead / "passages.arrow").write_bytes(b"half")
        older = draft.folder.with_name(".tmp-older")
        older.mkdir()
        publish(store, "city", some_passages(5))
        assert temporaries(store) == [draft.folder]
        draft.append(some_passages(2), unit_vectors(2))
        draft.build_index(IndexKind.FLAT)
        draft.publish(encoder=ENCODER)
    assert store.verify("city").counts.total == 2
    assert temporaries(store) == []


def test_publishers_at_once_lose_nothing_while_readers_read(store: Store) -> None:
    publish(store, "city", some_passages(1))
    failures: list[BaseException] = []
    done = threading.Event()

    def publish_three(number: int) -> None:
        try:
            for i in range(3):
                publish(store, "city", some_passages(2 + number, prefix=f"{number}-{i}-"))
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            while not done.is_set():
                with store.open("city") as version:
                    assert len(version.passages) == version.manifest.counts.total
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=publish_three, args=(n,)) for n in range(3)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    assert store.versions("city") == [f"v{n:06d}" for n in range(1, 11)]
    assert store.active("city") == "v000010"
    for version in store.versions("city"):
        store.verify("city", version)
    assert temporaries(store) == []
