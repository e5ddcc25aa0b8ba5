"""Chunks: short enough, nothing lost, in time and memory that grow with the text."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import build_corpus
from indexer.chunking import DOCUMENT_TOKENS, Chunker, ChunkOptions
from indexer.languages import Languages
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, DuplicateId
from retrieval.formats.corpus import read_corpus
from retrieval.store import Store
from retrieval.types import Passage
from tests.indexer.test_sentences import SCRIPTS

RECORDS, FILE = Path("corpus.jsonl"), Path("guide.md")

TEXTS = st.lists(
    st.sampled_from(SCRIPTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    min_size=1,
    max_size=120,
).map("".join)
TITLES = st.sampled_from(["", "Title", "ชื่อ " * 9, "word " * 60, "x" * 300])


@pytest.fixture(scope="module")
def tiny(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return Encoder.load()


def check_chunks(whole: Passage, chunks: list[Passage], encoder: Encoder, limit: int) -> None:
    """What holds of the chunks of any passage."""
    if chunks == [whole]:
        assert encoder.passage_tokens([whole.to_encode])[0] <= limit
        return
    covered = [False] * len(whole.text)
    for number, chunk in enumerate(chunks, start=1):
        assert chunk.id == f"{whole.id}#{number}"
        assert (chunk.document, chunk.lang, chunk.url) == (whole.id, whole.lang, whole.url)
        end = chunk.start + len(chunk.text)
        assert whole.text[chunk.start : end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        covered[chunk.start : end] = [True] * len(chunk.text)
    lost = [c for c, is_covered in zip(whole.text, covered, strict=True) if not is_covered]
    assert "".join(lost).strip() == ""
    starts = [chunk.start for chunk in chunks]
    assert starts == sorted(set(starts))
    lengths = encoder.passage_tokens([chunk.to_encode for chunk in chunks])
    too_long = [c for c, n in zip(chunks, lengths, strict=True) if n > limit and len(c.text) > 1]
    assert too_long == []


@settings(deadline=None)
@given(
    text=TEXTS.filter(str.strip),
    title=TITLES,
    limit=st.integers(16, 80),
    share=st.floats(0, 0.5),
    lang=st.sampled_from(["en", "th", "und"]),
)
def test_every_character_is_in_a_chunk_that_the_encoder_reads_whole(
    tiny: Encoder, text: str, title: str, limit: int, share: float, lang: str
) -> None:
    whole = Passage(id="a/b", text=text, title=title, lang=lang, url="u")
    options = ChunkOptions(max_tokens=limit, overlap=int(share * limit))
    check_chunks(whole, list(Chunker(tiny, options).split(whole, RECORDS)), tiny, limit)


@settings(deadline=None, max_examples=40)
@given(text=TEXTS.filter(str.strip), title=TITLES, limit=st.integers(16, 60))
def test_the_bundled_encoder_reads_its_chunks_whole(
    bundled: Encoder, text: str, title: str, limit: int
) -> None:
    whole = Passage(id="a", text=text, title=title, lang="en")
    chunker = Chunker(bundled, ChunkOptions(max_tokens=limit))
    check_chunks(whole, list(chunker.split(whole, RECORDS)), bundled, limit)


def test_chunks_end_where_sentences_end(bundled: Encoder) -> None:
    sentences = [
        f"This is sentence number {n} of the document, as Dr. Smith wrote it." for n in range(99)
    ]
    whole = Passage(id="a", text=" ".join(sentences), lang="en")
    chunks = list(Chunker(bundled, ChunkOptions(max_tokens=100)).split(whole, RECORDS))
    assert len(chunks) > 10
    assert all(chunk.text.endswith("wrote it.") for chunk in chunks)
    assert all(chunk.text.startswith("This is") for chunk in chunks)
    lengths = bundled.passage_tokens([chunk.to_encode for chunk in chunks])
    longest = max(bundled.passage_tokens(sentences))
    assert all(length > 100 - longest - 1 for length in lengths[:-1])


def test_an_overlap_repeats_the_last_sentences(bundled: Encoder) -> None:
    sentences = [f"Sentence number {n} is here." for n in range(60)]
    whole = Passage(id="a", text=" ".join(sentences), lang="en")
    options = ChunkOptions(max_tokens=80, overlap=30)
    chunks = list(Chunker(bundled, options).split(whole, RECORDS))
    for before, after in pairwise(chunks):
        shared = before.text[after.start - before.start :]
        assert shared
        assert after.text.startswith(shared)
        assert shared.startswith("Sentence number")
        assert sum(bundled.count_tokens([shared])) <= 30


def test_what_is_short_enough_stays_as_it_is(bundled: Encoder) -> None:
    long = Passage(id="a", text="A sentence of a few words. " * 200, lang="en")
    by_default = Chunker(bundled)
    assert list(by_default.split(long, RECORDS)) == [long]
    chunks = list(by_default.split(long, FILE))
    assert max(bundled.passage_tokens([c.to_encode for c in chunks])) <= DOCUMENT_TOKENS
    assert (by_default.documents, by_default.chunks) == (1, len(chunks))
    never = Chunker(bundled, ChunkOptions(max_tokens=0))
    assert list(never.split(long, FILE)) == [long]
    short = Passage(id="b", text="Short.")
    assert list(by_default.split(short, FILE)) == [short]


def test_a_chunk_of_a_chunk_keeps_the_first_document(bundled: Encoder) -> None:
    part = Passage(id="a#2", text="A few words. " * 50, lang="en", document="a", start=1000)
    chunks = list(Chunker(bundled, ChunkOptions(max_tokens=40)).split(part, RECORDS))
    assert {chunk.document for chunk in chunks} == {"a"}
    assert chunks[0].id == "a#2#1"
    assert all(part.text[c.start - 1000 :].startswith(c.text) for c in chunks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": -1}, "expected at least 16"),
        ({"max_tokens": 15}, "expected at least 16"),
        ({"overlap": -1}, "overlap of -1"),
        ({"max_tokens": 20, "overlap": 11}, "overlap of 11"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ChunkOptions(**options)


def test_chunk_ids_that_exist_are_refused_with_their_place(
    bundled: Encoder, tmp_path: Path
) -> None:
    path = tmp_path / "c.jsonl"
    long = '{"id":"a","text":"' + "Some words here. " * 60 + '"}\n'
    for content, line in (
        (long + '{"id":"a#2","text":"b"}', 2),
        ('{"id":"a#2","text":"b"}\n' + long, 2),
    ):
        path.write_text(content)
        chunker = Chunker(bundled, ChunkOptions(max_tokens=40))
        with pytest.raises(DuplicateId, match="'a#2' occurs twice") as raised:
            list(read_corpus([path], split=chunker.split))
        assert raised.value.where == f"{path}:{line}"


def test_a_document_that_changes_language_is_told_chunk_by_chunk(bundled: Encoder) -> None:
    german = "Der Bus fährt alle zehn Minuten bis Mitternacht, am Sonntag alle zwanzig. " * 8
    thai = "รถรางวิ่งทุกสิบนาทีจนถึงเที่ยงคืน ห้องสมุดเปิดถึงหกโมงเย็น " * 8
    table = "| 1 | 2 | 3 |\n" * 40
    whole = Passage(id="a", text=german + "\n\n" + thai + "\n\n" + table)
    chunker = Chunker(bundled, ChunkOptions(max_tokens=60))
    told = list(Languages(detect=True).of(chunker.split(whole, RECORDS)))
    assert {c.lang for c in told if c.text.startswith("Der")} == {"de"}
    assert {c.lang for c in told if c.text.startswith("รถ")} == {"th"}
    assert {c.lang for c in told if c.text.startswith("|")} == {"th"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["Some words, and a few more. ", "รถรางวิ่งทุกสิบนาที ", "电车每十分钟一班。", "a"]
)
def test_a_document_of_ten_megabytes_is_cut_in_time(bundled: Encoder, unit: str) -> None:
    text = unit * (10_000_000 // len(unit.encode()))
    began = time.perf_counter()
    chunks = sum(
        1
        for _ in Chunker(bundled, ChunkOptions(max_tokens=256)).split(
            Passage(id="a", text=text), FILE
        )
    )
    assert chunks > 1000
    assert time.perf_counter() - began < 240


def test_chunks_are_stored_with_their_document(bundled: Encoder, tmp_path: Path) -> None:
    whole = Passage(id="d/🚋\u200f", text="A sentence of some words. " * 99, title="T", lang="en")
    chunks = list(Chunker(bundled, ChunkOptions(max_tokens=50)).split(whole, RECORDS))
    store = Store(tmp_path)
    build_corpus("city", chunks, store=store, encoder=bundled)
    with store.open("city") as version:
        assert list(version.passages) == chunks
        assert version.passages.has_chunks
        assert set(version.passages.documents_at(range(len(chunks)))) == {"d/🚋\u200f"}
