"""Passages survive the file, whatever they contain."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import DuplicateId
from retrieval.store.passages import Passages, PassageWriter
from retrieval.types import Passage
from tests.corpora import some_passages

GOLDEN = Path(__file__).parents[2] / "golden" / "passages"

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
METADATA = st.dictionaries(
    ANY_TEXT,
    st.none() | st.booleans() | ANY_TEXT | st.lists(st.integers(-(2**53), 2**53)) | st.floats(0, 1),
    max_size=3,
)
PASSAGES = st.lists(
    st.builds(
        Passage,
        id=ANY_TEXT.filter(bool),
        text=ANY_TEXT,
        title=ANY_TEXT,
        lang=st.sampled_from(["de", "th", "und"]),
        url=ANY_TEXT,
        metadata=METADATA,
        document=ANY_TEXT,
        start=st.integers(0, 2**40),
    ),
    unique_by=lambda passage: passage.id,
    min_size=1,
    max_size=12,
)


def write(path: Path, passages: list[Passage], chunk: int) -> None:
    writer = PassageWriter(path)
    for start in range(0, len(passages), chunk):
        writer.append(passages[start : start + chunk])
    writer.close()


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("passages") / "passages.arrow"


@settings(deadline=None)
@given(passages=PASSAGES, chunk=st.integers(1, 5))
def test_any_passage_survives_a_round_trip(path: Path, passages: list[Passage], chunk: int) -> None:
    path.unlink(missing_ok=True)
    write(path, passages, chunk)
    stored = Passages(path)
    assert list(stored) == passages
    assert [stored[row] for row in range(len(stored))] == passages
    assert stored[-1] == passages[-1]
    assert stored[1:3] == passages[1:3]
    assert stored.ids() == [passage.id for passage in passages]
    assert stored.documents_at(range(len(stored))) == [passage.whole for passage in passages]
    assert stored.has_chunks == any(passage.document for passage in passages)
    assert stored.rows_of([*stored.ids(), "no such id"]) == {
        passage.id: row for row, passage in enumerate(passages)
    }


def test_passages_of_release_0_1_are_whole_documents() -> None:
    stored = Passages(GOLDEN / "1" / "passages.arrow")
    assert list(stored) == [
        Passage(
            id="de-1",
            text="Der Bus fährt alle zehn Minuten.",
            lang="de",
            title="Bus",
            url="https://example.org/1",
            metadata={"year": 2019, "tags": ["a", "b"]},
        ),
        Passage(id="th/2", text="รถรางวิ่งทุกสิบนาที", lang="th"),
        Passage(id="3", text="No language.", metadata={"year": 2024}),
    ]
    assert not stored.has_chunks
    assert stored.documents_at([2, 0]) == ["3", "de-1"]


def test_rows_are_found_in_any_order_over_batches(path: Path) -> None:
    passages = some_passages(50)
    path.unlink(missing_ok=True)
    write(path, passages, 7)
    stored = Passages(path)
    assert stored.ids_at([49, 0, 7, 6, 13]) == ["p49", "p0", "p7", "p6", "p13"]
    names, codes_P = stored.language_codes()
    assert [names[code] for code in codes_P] == [passage.lang for passage in passages]
    with pytest.raises(IndexError):
        stored[50]


def test_an_id_that_occurs_twice_is_refused_within_and_across_batches(tmp_path: Path) -> None:
    writer = PassageWriter(tmp_path / "passages.arrow")
    writer.append(some_passages(3))
    for batch in (some_passages(1), [Passage(id="x", text="a"), Passage(id="x", text="b")]):
        with pytest.raises(DuplicateId, match="occurs twice"):
            writer.append(batch)
    writer.close()


def test_values_that_json_does_not_know_are_kept_as_text(tmp_path: Path) -> None:
    write(tmp_path / "p", [Passage(id="a", text="t", metadata={"path": Path("/x"), "n": 1})], 1)
    assert Passages(tmp_path / "p")[0].metadata == {"path": "/x", "n": 1}
