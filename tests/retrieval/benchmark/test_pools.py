"""Pools of parallel data: who is relevant to whom, and how pools are cut to equal sizes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.benchmark.pools import PassagePool, equal_pool, questions_of
from retrieval.errors import BadInput
from retrieval.types import ParallelItem, Passage, Query, QuerySet

LANGUAGES = ("de", "en", "th")


def item(name: str, *, group: str = "", source: str = "guide", **texts: str) -> ParallelItem:
    """Its question and passage in each of the languages named."""
    return ParallelItem(
        id=f"{source}:{name}",
        source=source,
        query={lang: f"{text}?" for lang, text in texts.items()},
        passage={lang: f"{text}." for lang, text in texts.items()},
        group=group,
    )


def items(count: int, *, groups: int = 0) -> list[ParallelItem]:
    return [
        item(
            f"p{n}#0", group=f"g{n % groups}" if groups else "", de=f"d{n}", en=f"e{n}", th=f"t{n}"
        )
        for n in range(count)
    ]


def test_every_question_is_asked_in_every_language_of_its_item() -> None:
    pool = questions_of([item("a", de="Haus", en="house"), item("b", en="tree")])
    assert [(q.id, q.text, q.lang, q.group) for q in pool.query_set.queries] == [
        ("de:guide:a", "Haus?", "de", "guide:a"),
        ("en:guide:a", "house?", "en", "guide:a"),
        ("en:guide:b", "tree?", "en", "guide:b"),
    ]
    assert [(p.id, p.text, p.lang) for p in pool.passages] == [
        ("de:guide:a", "Haus.", "de"),
        ("en:guide:a", "house.", "en"),
        ("en:guide:b", "tree.", "en"),
    ]
    both = {"de:guide:a": 1, "en:guide:a": 1}
    assert pool.query_set.qrels == {
        "de:guide:a": both,
        "en:guide:a": both,
        "en:guide:b": {"en:guide:b": 1},
    }
    assert pool.sizes == {"de": 1, "en": 2}


def test_passages_of_a_group_answer_all_its_questions() -> None:
    pool = questions_of([item("a", group="g", en="x"), item("b", group="g", en="y", de="z")])
    assert pool.query_set.qrels["en:guide:a"] == {"en:guide:a": 1, "en:guide:b": 1, "de:guide:b": 1}
    assert {query.cluster for query in pool.query_set.queries} == {"guide:g"}


def test_groups_of_two_sources_are_two_whatever_their_names() -> None:
    pool = questions_of([item("a", group="1", en="x"), item("b", group="1", source="faq", en="y")])
    assert pool.query_set.qrels == {"en:guide:a": {"en:guide:a": 1}, "en:faq:b": {"en:faq:b": 1}}
    assert len({query.cluster for query in pool.query_set.queries}) == 2


def test_plain_translations_ask_nothing() -> None:
    text = {"de": "Haus", "en": "house"}
    unit = ParallelItem(id="u", source="s", query=text, passage=text, is_translation=True)
    pool = questions_of([unit])
    assert (pool.query_set.queries, pool.passages, pool.sizes) == ((), [], {})


def check_equal(pool: PassagePool, cut: PassagePool, languages: set[str], candidates: int) -> None:
    """What every cut pool must be."""
    assert cut.sizes == dict.fromkeys(sorted(languages), candidates)
    before, kept = {p.id: p for p in pool.passages}, {p.id for p in cut.passages}
    assert all(before[passage.id] == passage for passage in cut.passages)
    chosen = {passage.id for passage in pool.passages if passage.lang in languages}
    original = {query.id: query for query in pool.query_set.queries}
    clusters = {query.cluster for query in cut.query_set.queries}
    for query in cut.query_set.queries:
        assert query == original[query.id]
        judged = pool.query_set.qrels[query.id]
        needed = {name for name, relevance in judged.items() if relevance > 0 and name in chosen}
        assert needed <= kept
        assert cut.query_set.qrels[query.id] == {n: r for n, r in judged.items() if n in kept}
    # Whole clusters: no question of a kept one is lost.
    expected = {q.id for q in original.values() if q.cluster in clusters and q.lang in languages}
    assert {query.id for query in cut.query_set.queries} == expected


def test_a_pool_is_cut_to_the_same_number_of_passages_a_language() -> None:
    pool = questions_of(items(20))
    cut = equal_pool(pool, languages=["th", "de"], candidates=7, seed=0)
    check_equal(pool, cut, {"de", "th"}, 7)
    assert len(cut.query_set.queries) == 14


def test_the_seed_decides_what_is_kept() -> None:
    pool = questions_of(items(30, groups=12))

    def cut(seed: int) -> PassagePool:
        return equal_pool(pool, languages=LANGUAGES, candidates=9, seed=seed)

    assert cut(1) == cut(1)
    assert len({tuple(p.id for p in cut(seed).passages) for seed in range(6)}) == 6


def test_the_order_of_languages_decides_nothing() -> None:
    pool = questions_of(items(30, groups=12))
    first, second = (
        equal_pool(pool, languages=given, candidates=9, seed=1)
        for given in (LANGUAGES, LANGUAGES[::-1])
    )
    assert first == second


def test_room_that_no_question_fits_in_is_filled_with_other_passages() -> None:
    # Two passages a question: three candidates hold one question and a passage of another.
    pool = questions_of(items(8, groups=4))
    cut = equal_pool(pool, languages=LANGUAGES, candidates=3, seed=0)
    check_equal(pool, cut, set(LANGUAGES), 3)
    assert len({query.cluster for query in cut.query_set.queries}) == 1
    judged = Counter(len(found) for found in cut.query_set.qrels.values())
    assert judged == {6: 6}


def test_questions_in_other_languages_take_no_room() -> None:
    passages = [Passage(id=f"p{n}", text="x", lang="de") for n in range(2)]
    queries = tuple(Query(id=lang, text="?", lang=lang) for lang in ("de", "en"))
    qrels = {"de": {"p0": 1}, "en": {"p1": 1}}
    pool = PassagePool(query_set=QuerySet(queries=queries, qrels=qrels), passages=passages)
    for seed in range(8):
        cut = equal_pool(pool, languages=["de"], candidates=1, seed=seed)
        assert cut.query_set.qrels == {"de": {"p0": 1}}


def test_judgements_of_zero_need_no_room_and_stay_where_their_passage_does() -> None:
    passages = [Passage(id=f"p{n}", text="x", lang="de") for n in range(6)]
    query = Query(id="q", text="?", lang="de")
    qrels = {"q": {"p0": 1, **{f"p{n}": 0 for n in range(1, 6)}}}
    pool = PassagePool(query_set=QuerySet(queries=(query,), qrels=qrels), passages=passages)
    cut = equal_pool(pool, languages=["de"], candidates=3, seed=0)
    check_equal(pool, cut, {"de"}, 3)
    assert sorted(cut.query_set.qrels["q"].values()) == [0, 0, 1]


def test_too_few_passages_are_refused_with_their_number() -> None:
    pool = questions_of([*items(4), item("more", de="d")])
    with pytest.raises(BadInput, match=r"expected 5 passages .* found \{'en': 4, 'fr': 0\}"):
        equal_pool(pool, languages=["de", "en", "fr"], candidates=5, seed=0)


def test_a_pool_too_small_for_any_question_is_refused() -> None:
    pool = questions_of(items(6, groups=2))
    with pytest.raises(BadInput, match="no question has all its relevant passages among 2"):
        equal_pool(pool, languages=LANGUAGES, candidates=2, seed=0)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sets(st.sampled_from(LANGUAGES), min_size=1)),
        min_size=1,
        max_size=25,
    ),
    st.sets(st.sampled_from(LANGUAGES), min_size=1),
    st.data(),
)
def test_any_pool_is_cut_so_or_refused(
    shapes: list[tuple[int, set[str]]], languages: set[str], data: st.DataObject
) -> None:
    pool = questions_of(
        [
            item(f"p{n}", group=f"g{group}", **{lang: f"{lang}{n}" for lang in sorted(spoken)})
            for n, (group, spoken) in enumerate(shapes)
        ]
    )
    smallest = min(pool.sizes.get(lang, 0) for lang in languages)
    candidates = data.draw(st.integers(1, max(1, smallest)))
    try:
        cut = equal_pool(pool, languages=languages, candidates=candidates, seed=data.draw(seeds))
    except BadInput:
        per_cluster = [
            Counter(p.split(":")[0] for p in judged) for judged in pool.query_set.qrels.values()
        ]
        fits = [all(count[lang] <= candidates for lang in languages) for count in per_cluster]
        asked = [query.lang in languages for query in pool.query_set.queries]
        both = [fit and ask for fit, ask in zip(fits, asked, strict=True)]
        assert smallest < candidates or not any(both)
    else:
        check_equal(pool, cut, languages, candidates)


seeds = st.integers(0, 2**32 - 1)
