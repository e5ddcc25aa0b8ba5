"""What is served is what is evaluated, for every mode and balance, and both are what they claim."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.metrics.ranking import precedence, top_columns
from retrieval.search import Searcher, SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode
from retrieval.store import Store
from retrieval.types import UNDECLARED, Passage, Query
from tests.retrieval.search.test_searcher import keys

WORDS = {
    lang: text.split()
    for lang, text in {
        "de": "die Straßenbahn fährt alle zehn Minuten zum Bahnhof und zur Bibliothek",
        "en": "the tram runs every ten minutes to the station and the library 50 Riverton",
        "th": "รถราง วิ่ง ทุก สิบ นาที ไป สถานี ห้องสมุด บัตร Riverton",
        "zh-Hant": "電車 每 十 分鐘 一班 車站 圖書館 續辦 圖書證 50",
    }.items()
}
SIZES = {"de": 300, "en": 120, "th": 40, "zh-Hant": 7}
TEXTS = ["Wann fährt die Straßenbahn zum Bahnhof?", "library 50", "รถราง ไป ห้องสมุด", "圖書證", "~Q"]
DECLARED = ["de", "en", "th", "zh", "fr"]


def some_passages() -> list[Passage]:
    """Languages mixed up, short texts that often recur, so that scores tie."""
    rng = np.random.default_rng(0)
    langs = rng.permutation([lang for lang, size in SIZES.items() for _ in range(size)])
    return [
        Passage(
            id=f"p{(i * 37) % 1009:04d}",
            text=" ".join(rng.choice(WORDS[str(lang)], rng.integers(1, 5))),
            lang=str(lang),
        )
        for i, lang in enumerate(langs)
    ]


PASSAGES = some_passages()
ALL_TEXTS = [passage.text for passage in PASSAGES]


@pytest.fixture(scope="module")
def searcher(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    store, encoder = Store(tmp_path_factory.mktemp("store")), Encoder.load(tiny_encoder)
    build_corpus("city", PASSAGES, store=store, encoder=encoder, chunk_passages=100)
    with store.open("city") as version:
        yield Searcher(version, encoder)


def evaluated(searcher: Searcher, options: SearchOptions, languages: list[str]) -> list[list[str]]:
    """Ids in the order of the scores that evaluation sees, of each of TEXTS."""
    queries = [
        Query(id=str(i), text=text, lang=lang)
        for i, (text, lang) in enumerate(zip(TEXTS, languages, strict=True))
    ]
    blocks = searcher.ranker(options).score_blocks(queries)
    scores_QP, ids = np.concatenate(list(blocks)), searcher.passage_ids
    assert scores_QP.dtype == np.float32
    order = precedence(ids)
    return [[ids[c] for c in top_columns(scores_P, order, len(ids))] for scores_P in scores_QP]


OPTIONS = st.builds(
    SearchOptions,
    top_k=st.integers(1, 30) | st.just(500),
    offset=st.integers(0, 40),
    languages=st.lists(st.sampled_from(list(SIZES)), max_size=3).map(tuple),
    min_score=st.none() | st.sampled_from([-0.2, 0.1, 0.3]),
    exact=st.booleans(),
    mode=st.sampled_from(Mode),
    balance=st.sampled_from(Balance),
    quota=st.just({}) | st.just({"de": 1.0, "th": 2.5}),
    query_language=st.none() | st.sampled_from(DECLARED),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(OPTIONS)
def test_a_page_of_hits_is_that_part_of_the_evaluated_ranking(
    searcher: Searcher, options: SearchOptions
) -> None:
    page = slice(options.offset, options.offset + options.top_k)
    expected = evaluated(searcher, options, [UNDECLARED] * len(TEXTS))
    served = searcher.search(TEXTS, options)
    assert [[hit.passage.id for hit in hits] for hits in served] == [r[page] for r in expected]


@pytest.mark.parametrize(("mode", "balance"), list(product(Mode, Balance)))
@pytest.mark.parametrize("depth", [3, 100])
def test_served_first_hits_are_the_first_of_the_evaluated_ranking(
    searcher: Searcher,
    mode: Mode,
    balance: Balance,
    depth: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval.search.finding.DEPTH", depth)
    monkeypatch.setattr("retrieval.search.scoring.DEPTH", depth)
    options = SearchOptions(top_k=50, mode=mode, balance=balance)
    for text, lang, expected in zip(
        TEXTS, DECLARED, evaluated(searcher, options, DECLARED), strict=True
    ):
        declared = SearchOptions(top_k=50, mode=mode, balance=balance, query_language=lang)
        [hits] = searcher.search([text], declared)
        assert [hit.passage.id for hit in hits] == expected[:50]


@pytest.mark.parametrize("mode", Mode)
def test_a_balance_serves_the_same_passages_with_the_same_scores(
    searcher: Searcher, mode: Mode
) -> None:
    plain = searcher.search(TEXTS, SearchOptions(top_k=1000, mode=mode))
    for balance in Balance:
        found = searcher.search(TEXTS, SearchOptions(top_k=1000, mode=mode, balance=balance))
        assert [sorted(keys(hits)) for hits in found] == [sorted(keys(hits)) for hits in plain]


def test_round_robin_alternates_while_languages_last(searcher: Searcher) -> None:
    options = SearchOptions(top_k=28, balance=Balance.ROUND_ROBIN)
    for hits in searcher.search(TEXTS, options):
        langs = [hit.passage.lang for hit in hits]
        assert all(set(langs[i : i + 4]) == set(SIZES) for i in range(0, 28, 4))


@pytest.mark.parametrize("balance", Balance)
@pytest.mark.parametrize("mode", Mode)
def test_within_one_language_every_balance_is_none(
    searcher: Searcher, mode: Mode, balance: Balance
) -> None:
    plain = SearchOptions(mode=mode, languages=("de",))
    balanced = SearchOptions(mode=mode, languages=("de",), balance=balance)
    assert searcher.search(TEXTS, balanced) == searcher.search(TEXTS, plain)


def test_lexical_search_finds_what_shares_a_subword_and_nothing_else(searcher: Searcher) -> None:
    options = SearchOptions(mode=Mode.LEXICAL, top_k=1000)
    for text, hits in zip(TEXTS, searcher.search(TEXTS, options), strict=True):
        [tokens] = searcher.encoder.tokenize([text])
        shared = [bool(set(tokens) & set(t)) for t in searcher.encoder.tokenize(ALL_TEXTS)]
        expected = {p.id for p, shares in zip(PASSAGES, shared, strict=True) if shares}
        assert {hit.passage.id for hit in hits} == expected
        assert len(hits) < len(PASSAGES)
        assert all(hit.score > 0 for hit in hits)


def test_hybrid_leaves_other_languages_and_their_places_alone(searcher: Searcher) -> None:
    dense, hybrid = (
        searcher.search(TEXTS[:1], SearchOptions(top_k=1000, mode=mode, query_language="de"))[0]
        for mode in (Mode.DENSE, Mode.HYBRID)
    )
    others = [
        [(h.passage.id, h.score) for h in hits if h.passage.lang != "de"]
        for hits in (dense, hybrid)
    ]
    assert others[0] == others[1]
    own = [[h for h in hits if h.passage.lang == "de"] for hits in (dense, hybrid)]
    assert [h.passage.id for h in own[0]] != [h.passage.id for h in own[1]]
    # Passages that tie in both kinds of evidence share the highest of their scores.
    levels, dealt = ([h.score for h in hits] for hits in own)
    assert set(np.round(dealt, 5)) <= set(np.round(levels, 5))
    assert (np.array(dealt) >= np.array(levels) - 1e-5).all()


def test_hybrid_in_a_language_without_passages_is_dense(searcher: Searcher) -> None:
    dense, hybrid = (
        searcher.search(TEXTS, SearchOptions(mode=mode, query_language="fr"))
        for mode in (Mode.DENSE, Mode.HYBRID)
    )
    assert dense == hybrid


@pytest.mark.parametrize("mode", [Mode.LEXICAL, Mode.HYBRID])
def test_a_corpus_built_without_a_lexical_index_says_how_to_get_one(
    tiny_encoder: Path, tmp_path: Path, mode: Mode
) -> None:
    store, encoder = Store(tmp_path), Encoder.load(tiny_encoder)
    build_corpus("bare", PASSAGES[:9], store=store, encoder=encoder, lexical=False)
    with store.open("bare") as version:
        bare = Searcher(version, encoder)
        with pytest.raises(BadInput, match=r"no lexical index.* --lexical"):
            bare.search(TEXTS, SearchOptions(mode=mode))
        with pytest.raises(BadInput, match="no lexical index"):
            list(bare.ranker(SearchOptions(mode=mode)).score_blocks([Query(id="q", text="x")]))
        assert bare.search(TEXTS, SearchOptions(balance=Balance.CALIBRATED))


def test_lexical_search_of_bare_vectors_is_refused(searcher: Searcher) -> None:
    with pytest.raises(BadInput, match="needs the texts"):
        searcher.search_vectors(searcher.encode(TEXTS), SearchOptions(mode=Mode.HYBRID))


@pytest.mark.parametrize("share", [-1.0, float("nan"), float("inf")])
def test_a_quota_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="quota of 'de'"):
        SearchOptions(balance=Balance.QUOTA, quota={"de": share})


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="expected a Mode"):
        SearchOptions(mode="lexical")  # type: ignore[arg-type]
