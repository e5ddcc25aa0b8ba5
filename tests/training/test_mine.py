"""Mined negatives against brute force over every pair."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from retrieval.demo_data import demo_items
from retrieval.encoder import Encoder
from retrieval.text import comparable
from retrieval.types import ParallelItem
from training.config import Mining
from training.data import build_table
from training.mine import Mined, mine

LANGUAGES = ("de", "en", "th")


def items_of() -> list[ParallelItem]:
    """Questions of the demo in three languages, with a translation unit, copies and a group."""
    found = [
        ParallelItem(
            id=item.id,
            source=item.source,
            query={lang: item.query[lang] for lang in LANGUAGES},
            passage={
                lang: item.passage[lang] for lang in LANGUAGES if (n + LANGUAGES.index(lang)) % 5
            },
            group="pair" if n in (3, 4, 5) else "",
        )
        for n, item in enumerate(islice(demo_items(), 40))
    ]
    one = found[7]
    echo = ParallelItem(
        id="echo",
        source="extra",
        query={"en": "What is said elsewhere?"},
        # This passage repeats a question of item 7 in what is said to be another language.
        passage={"de": one.query["en"].upper(), "en": "Elsewhere it is said."},
    )
    copy = ParallelItem(
        id="copy", source="extra", query={"de": "Noch einmal?"}, passage=dict(one.passage)
    )
    texts = {"de": "Ein übersetzter Satz über Bücher.", "en": "A translated sentence on books."}
    unit = ParallelItem(id="unit", source="units", query=texts, passage=texts, is_translation=True)
    return [*found, echo, copy, unit]


def brute_force(
    items: list[ParallelItem],
    encoder: Encoder,
    mining: Mining,
    item: ParallelItem,
    lang: str,
    query_lang: str,
) -> list[str]:
    """The negatives of one question, by its scores with every passage of the language."""
    query = encoder.encode_queries([item.query[query_lang]])[0].astype(np.float64)
    passages = {
        comparable(i.passage[lang]): i.passage[lang] for i in reversed(items) if lang in i.passage
    }
    relatives = relatives_of(item, items)
    mine_too = {comparable(i.passage[lang]) for i in relatives if lang in i.passage}
    scored = sorted(
        (
            (float(np.float32(query @ encoder.encode_passages([text])[0].astype(np.float64))), text)
            for text in passages.values()
        ),
        reverse=True,
    )
    own = next(s for s, text in scored if comparable(text) == comparable(item.passage[lang]))
    true = [
        (score, text)
        for score, text in scored
        if comparable(text) not in mine_too
        and comparable(text) != comparable(item.query[query_lang])
    ]
    window = true[mining.ranks[0] - 1 : mining.ranks[1]]
    return [text for score, text in window if score <= own - mining.margin][: mining.per_question]


def relatives_of(item: ParallelItem, items: list[ParallelItem]) -> list[ParallelItem]:
    """The item and all that share a long text or a group with one of them, and so on."""
    found = [item]
    while True:
        more = [i for i in items if i not in found and any(related(i, known) for known in found)]
        if not more:
            return found
        found += more


def related(a: ParallelItem, b: ParallelItem) -> bool:
    shared = long_texts(a) & long_texts(b)
    return bool(shared) or bool(a.group and a.group == b.group)


def long_texts(item: ParallelItem) -> set[tuple[str, str]]:
    sides = (item.query, item.passage)
    return {(k, comparable(v)) for side in sides for k, v in side.items() if len(v) >= 12}


@pytest.mark.parametrize(
    "mining",
    [
        Mining(cross_lingual=False, margin=0.02, ranks=(1, 6), per_question=3),
        Mining(cross_lingual=False, margin=0.0, ranks=(3, 8), per_question=10),
        Mining(monolingual=False, margin=0.02, ranks=(2, 9), per_question=2),
    ],
    ids=["monolingual", "window", "cross-lingual"],
)
def test_mined_negatives_are_those_of_brute_force(mining: Mining) -> None:
    items, encoder = items_of(), Encoder.load()
    table = build_table(items)
    mined = mine(table, encoder, mining, seed=3)
    checked = 0
    for number, item in enumerate(items):
        for lang in LANGUAGES:
            got = [table.text(np.array([row]))[0] for row in mined.rows.get((number, lang), ())]
            langs = [lang] if mining.monolingual else [x for x in LANGUAGES if x != lang]
            if lang not in item.passage or (item.is_translation and mining.monolingual):
                assert got == []
                continue
            candidates = [
                brute_force(items, encoder, mining, item, lang, query_lang)
                for query_lang in langs
                if query_lang in item.query
            ]
            assert got in (candidates or [[]])
            checked += len(got)
    assert checked == mined.monolingual + mined.cross_lingual > 50


def test_both_searches_together_give_what_each_gives() -> None:
    table, encoder = build_table(items_of()), Encoder.load()
    settings = {"margin": 0.02, "ranks": (1, 6), "per_question": 2}
    both, one, other = (
        mine(table, encoder, Mining.model_validate(settings | extra), seed=3)
        for extra in ({}, {"cross_lingual": False}, {"monolingual": False})
    )
    for key in both.rows.keys() | one.rows.keys() | other.rows.keys():
        expected = dict.fromkeys((*one.rows.get(key, ()), *other.rows.get(key, ())))
        assert both.rows[key] == tuple(expected)
    assert other.cross_lingual > 20
    again = mine(table, encoder, Mining.model_validate(settings), seed=3)
    assert again.rows == both.rows


def test_an_item_keeps_what_it_came_with_in_front() -> None:
    table = build_table(items_of())
    item = items_of()[0]
    given = ParallelItem(
        id=item.id,
        source=item.source,
        query=item.query,
        passage=item.passage,
        negatives={"de": ("Etwas anderes.",)},
    )
    rows = {(0, "de"): (3, 5), (0, "th"): (8,)}
    added = Mined(rows, monolingual=3, cross_lingual=0).add_to(given, 0, table)
    german, thai = (tuple(table.text(np.array(rows[0, lang]))) for lang in ("de", "th"))
    assert added.negatives == {"de": ("Etwas anderes.", *german), "th": thai}


def test_passages_are_never_taken_for_the_group_or_the_copy() -> None:
    items = items_of()
    table = build_table(items)
    mined = mine(table, Encoder.load(), Mining(margin=0, ranks=(1, 60), per_question=60), seed=1)
    for number, item in enumerate(items):
        for lang in LANGUAGES:
            texts = {
                comparable(table.text(np.array([row]))[0])
                for row in mined.rows.get((number, lang), ())
            }
            for relative in relatives_of(item, items):
                assert comparable(relative.passage.get(lang, "")) not in texts
