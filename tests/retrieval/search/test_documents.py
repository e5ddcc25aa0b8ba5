"""Search grouped by document and filtered by metadata, against brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.search import Searcher, SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.filters import parse_filter
from retrieval.search.grouping import GroupBy
from retrieval.search.pool import Mode
from retrieval.store import Store
from retrieval.types import Hit, Passage
from retrieval.vectors import IndexKind, IndexOptions

# Document 0 has half of all chunks, some documents one, and thirty passages are whole documents.
SIZES = (120, 60, 20, 5, 3, 1, 1)
PASSAGES = [
    Passage(
        id=f"doc{number}#{part}",
        text=f"Die Straßenbahn Nummer {(number + part) % 10}",
        lang=("de", "th")[part % 2],
        document=f"doc{number}",
        start=30 * part,
        metadata={"number": number, "part": part, "name": f"n{part % 3}"},
    )
    for number, size in enumerate(SIZES)
    for part in range(size)
] + [Passage(id=f"whole{n}", text=f"Straßenbahn {n % 4}", lang="de") for n in range(30)]
TEXTS = ["Wann fährt die Straßenbahn 3?", "Nummer 7"]
FILTERS: tuple[tuple[dict[str, object] | None, Callable[[Passage], bool]], ...] = (
    (None, lambda _: True),
    ({"number": {"gte": 1, "lt": 4}}, lambda p: p.metadata.get("number") in (1, 2, 3)),
    ({"name": {"in": ["n1", "n2"]}}, lambda p: p.metadata.get("name") in ("n1", "n2")),
    ({"not": {"number": 0}}, lambda p: p.metadata.get("number") != 0),
    ({"part": {"gt": 500}}, lambda _: False),
)


@pytest.fixture(scope="module")
def searcher(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    encoder, store = Encoder.load(tiny_encoder), Store(tmp_path_factory.mktemp("store"))
    with store.draft("city", dim=encoder.dim) as draft:
        draft.append(PASSAGES, encoder.encode_passages([p.to_encode for p in PASSAGES]))
        draft.build_index(IndexKind.FLAT)
        draft.publish(encoder=store.keep_encoder(encoder))
    with store.open("city") as version:
        yield Searcher(version, encoder)


@settings(deadline=None, max_examples=80)
@given(
    top_k=st.integers(1, 60),
    offset=st.integers(0, 45),
    languages=st.sampled_from([(), ("de",), ("th",), ("de", "th")]),
    filtered=st.sampled_from(FILTERS),
    group_by=st.sampled_from([None, GroupBy.DOCUMENT]),
    exact=st.booleans(),
    min_score=st.none() | st.floats(-1, 1),
)
def test_hits_equal_brute_force(
    searcher: Searcher,
    top_k: int,
    offset: int,
    languages: tuple[str, ...],
    filtered: tuple[dict[str, object] | None, Callable[[Passage], bool]],
    group_by: GroupBy | None,
    exact: bool,
    min_score: float | None,
) -> None:
    condition, holds = filtered
    options = SearchOptions(
        top_k=top_k,
        offset=offset,
        languages=languages,
        filter=None if condition is None else parse_filter(condition),
        group_by=group_by,
        exact=exact,
        min_score=min_score,
    )
    everything = searcher.search(TEXTS, SearchOptions(top_k=len(PASSAGES)))
    for all_hits, hits in zip(everything, searcher.search(TEXTS, options), strict=True):
        left = [
            hit
            for hit in all_hits
            if (not languages or hit.passage.lang in languages) and holds(hit.passage)
        ]
        if group_by is not None:
            best = {hit.passage.whole: hit for hit in reversed(left)}
            left = [hit for hit in left if best[hit.passage.whole] is hit]
        expected = left[offset : offset + top_k]
        assert list(hits) == [h for h in expected if min_score is None or h.score >= min_score]


def test_as_many_documents_come_back_as_exist(searcher: Searcher) -> None:
    options = SearchOptions(top_k=1000, group_by=GroupBy.DOCUMENT)
    for hits in searcher.search(TEXTS, options):
        assert {hit.passage.whole for hit in hits} == {passage.whole for passage in PASSAGES}
        assert len(hits) == len(SIZES) + 30


def test_a_filter_on_what_nobody_has_is_refused(searcher: Searcher) -> None:
    with pytest.raises(BadInput, match="'colour'"):
        searcher.search(TEXTS, SearchOptions(filter=parse_filter({"colour": "red"})))


def test_a_corpus_of_whole_documents_groups_into_its_passages(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder, store = Encoder.load(tiny_encoder), Store(tmp_path)
    wholes = [passage for passage in PASSAGES if not passage.document]
    with store.draft("city", dim=encoder.dim) as draft:
        draft.append(wholes, encoder.encode_passages([p.to_encode for p in wholes]))
        draft.build_index(IndexKind.FLAT)
        draft.publish(encoder=store.keep_encoder(encoder))
    with store.open("city") as version:
        searcher = Searcher(version, encoder)
        grouped = searcher.search(TEXTS, SearchOptions(group_by=GroupBy.DOCUMENT))
        assert grouped == searcher.search(TEXTS)


@pytest.fixture(scope="module")
def mixed(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """A searcher that can do every mode and balance."""
    encoder, store = Encoder.load(tiny_encoder), Store(tmp_path_factory.mktemp("mixed"))
    build_corpus("city", PASSAGES, store=store, encoder=encoder)
    with store.open("city") as version:
        yield Searcher(version, encoder)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("balance", Balance)
@pytest.mark.parametrize("top_k", [1, 5, 100])
def test_every_mode_and_balance_is_grouped_as_it_ranks(
    mixed: Searcher, mode: Mode, balance: Balance, top_k: int
) -> None:
    options = SearchOptions(
        mode=mode, balance=balance, filter=parse_filter({"not": {"number": 1}}), top_k=1000
    )
    grouped = replace(options, group_by=GroupBy.DOCUMENT, top_k=top_k)
    everything, found = mixed.search(TEXTS, options), mixed.search(TEXTS, grouped)
    for all_hits, hits in zip(everything, found, strict=True):
        best: dict[str, Hit] = {}
        for hit in all_hits:
            best.setdefault(hit.passage.whole, hit)
        ids = [hit.passage.id for hit in hits]
        assert ids == [hit.passage.id for hit in best.values()][:top_k]


def test_an_approximate_index_returns_every_document(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder, store = Encoder.load(tiny_encoder), Store(tmp_path)
    build_corpus("city", PASSAGES, store=store, encoder=encoder, index=IndexOptions(kind="hnsw"))
    with store.open("city") as version:
        options = SearchOptions(group_by=GroupBy.DOCUMENT, top_k=len(SIZES) + 30)
        for hits in Searcher(version, encoder).search(TEXTS, options):
            assert len({hit.passage.whole for hit in hits}) == len(SIZES) + 30
