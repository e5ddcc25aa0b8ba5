"""Search from text to hits, against brute force over what the encoder says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.encoder import Encoder
from retrieval.errors import BadInput, EncoderMismatch, UnknownLanguage
from retrieval.evaluation import Ranker
from retrieval.search import Searcher, SearchOptions
from retrieval.store import Store
from retrieval.types import Hit, Passage, Query
from retrieval.vectors import IndexKind
from tests.tiny import save_tiny_encoder

# Ten texts over 200 passages: most scores occur about twenty times.
PASSAGES = [
    Passage(
        id=f"p{(i * 37) % 200}",
        text=f"Die Straßenbahn Nummer {i % 10}",
        title="รถราง" if i % 2 else "",
        lang=("de", "th", "zh-Hant")[i % 3],
        metadata={"row": i},
    )
    for i in range(200)
]
TEXTS = ["Wann fährt die Straßenbahn 3?", "รถรางไปไหน", "Nummer 7", "电车 📍"]


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


@pytest.fixture(scope="module")
def searcher(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    store = Store(tmp_path_factory.mktemp("store"))
    with store.draft("city", dim=encoder.dim) as draft:
        draft.append(PASSAGES, encoder.encode_passages([p.to_encode for p in PASSAGES]))
        draft.build_index(IndexKind.FLAT)
        draft.publish(encoder=store.keep_encoder(encoder))
    with store.open("city") as version:
        yield Searcher(version, encoder)


def brute_force(
    searcher: Searcher, vector_D: NDArray[np.float32], options: SearchOptions
) -> list[tuple[float, str]]:
    """Score every passage, drop what the options exclude, sort, cut: the slow obvious way."""
    scored = []
    for passage, row_D in zip(PASSAGES, searcher.version.vectors_PD, strict=True):
        products = [float(x) * float(y) for x, y in zip(vector_D, row_D, strict=True)]
        score = float(np.float32(math.fsum(products)))
        wanted = not options.languages or passage.lang in options.languages
        if wanted and (options.min_score is None or score >= options.min_score):
            scored.append((score, passage.id))
    return sorted(scored, reverse=True)[options.offset : options.offset + options.top_k]


def keys(hits: tuple[Hit, ...]) -> list[tuple[float, str]]:
    return [(hit.score, hit.passage.id) for hit in hits]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    options=st.builds(
        SearchOptions,
        top_k=st.integers(1, 250),
        offset=st.integers(0, 210),
        languages=st.lists(st.sampled_from(["de", "th", "zh-Hant"]), max_size=3).map(tuple),
        min_score=st.none() | st.floats(-1, 1),
        exact=st.booleans(),
    )
)
def test_hits_equal_brute_force_for_any_options(searcher: Searcher, options: SearchOptions) -> None:
    vectors_QD = searcher.encode(TEXTS)
    for vector_D, hits in zip(vectors_QD, searcher.search(TEXTS, options), strict=True):
        assert keys(hits) == brute_force(searcher, vector_D, options)


def test_hits_carry_their_passages(searcher: Searcher) -> None:
    by_id = {passage.id: passage for passage in PASSAGES}
    for hits in searcher.search(TEXTS, SearchOptions(top_k=40)):
        assert len(hits) == 40
        for hit in hits:
            assert hit.passage == by_id[hit.passage.id]


def test_searching_a_batch_equals_searching_its_vectors_one_by_one(searcher: Searcher) -> None:
    vectors_QD = searcher.encode(TEXTS * 10)
    together = searcher.search_vectors(vectors_QD)
    assert together == [searcher.search_vectors(row[None])[0] for row in vectors_QD]


def test_no_queries_have_no_hits(searcher: Searcher) -> None:
    assert searcher.search([]) == []
    assert list(searcher.score_blocks([])) == []


def test_it_ranks_every_passage_as_evaluation_asks(searcher: Searcher) -> None:
    ranker: Ranker = searcher
    queries = [Query(id=str(i), text=text) for i, text in enumerate(TEXTS)]
    scores_QP = np.concatenate(list(ranker.score_blocks(queries, progress=True)))
    assert scores_QP.dtype == np.float32
    assert scores_QP.shape == (len(TEXTS), len(PASSAGES))
    assert list(ranker.passage_ids) == [passage.id for passage in PASSAGES]
    assert list(ranker.passage_languages) == [passage.lang for passage in PASSAGES]
    for scores_P, hits in zip(scores_QP, searcher.search(TEXTS, SearchOptions(top_k=200))):  # noqa: B905
        ranked = sorted(zip(scores_P.tolist(), ranker.passage_ids, strict=True), reverse=True)
        assert ranked == keys(hits)


def test_another_encoder_is_refused_with_both_names(searcher: Searcher, tmp_path: Path) -> None:
    other = Encoder.load(save_tiny_encoder(tmp_path / "other", seed=1))
    with pytest.raises(EncoderMismatch) as caught:
        Searcher(searcher.version, other)
    message = str(caught.value)
    assert other.fingerprint in message
    assert searcher.encoder.fingerprint in message
    assert "build the corpus again" in message


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "　"])
def test_an_empty_query_is_refused(searcher: Searcher, text: str) -> None:
    with pytest.raises(BadInput, match="query 1 is empty"):
        searcher.search(["fine", text])
    with pytest.raises(BadInput, match="query 'q7' is empty"):
        list(searcher.score_blocks([Query(id="q7", text=text)]))


def test_options_that_cannot_be_met_are_refused(searcher: Searcher) -> None:
    with pytest.raises(BadInput, match="top_k is 0"):
        SearchOptions(top_k=0)
    with pytest.raises(BadInput, match="offset is -1"):
        SearchOptions(offset=-1)
    with pytest.raises(UnknownLanguage, match="klingon"):
        SearchOptions(languages=("klingon",))
    with pytest.raises(BadInput, match=r"no passages in fr\. It has de, th, zh-Hant"):
        searcher.search(["Nummer"], SearchOptions(languages=("de", "fr")))


@pytest.mark.parametrize("rows", [np.full((1, 32), np.nan), np.ones((1, 32)), np.zeros((1, 31))])
def test_vectors_that_are_no_query_vectors_are_refused(
    searcher: Searcher, rows: NDArray[np.float32]
) -> None:
    with pytest.raises(BadInput, match="expected"):
        searcher.search_vectors(rows)
