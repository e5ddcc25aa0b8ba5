"""The table against the items it was built from."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import BadInput
from retrieval.types import ParallelItem
from training.data import build_table


def unit(identifier: str, **texts: str) -> ParallelItem:
    return ParallelItem(
        id=identifier, source="units", query=texts, passage=texts, is_translation=True
    )


def pair(identifier: str, group: str = "", **texts: tuple[str, str]) -> ParallelItem:
    return ParallelItem(
        id=identifier,
        source="qa",
        query={lang: q for lang, (q, _) in texts.items()},
        passage={lang: p for lang, (_, p) in texts.items()},
        group=group,
    )


def test_every_text_is_found_at_its_item_and_language() -> None:
    items = [
        pair("a", de=("Frage?", "Antwort."), th=("คำถาม", "คำตอบ")),
        unit("b", en="one", de="eins"),
        pair("c", en=("q", "p")),
    ]
    table = build_table(items)
    assert table.languages == ("de", "en", "th")
    assert table.sources == ("qa", "units")
    for number, item in enumerate(items):
        for column, lang in enumerate(table.languages):
            for side, rows_NL in (
                (item.query, table.queries_NL),
                (item.passage, table.passages_NL),
            ):
                row = rows_NL[number, column]
                found = None if row < 0 else table.text(np.array([row]))[0]
                assert found == side.get(lang)


def test_copies_are_joined_by_group_and_by_equal_long_texts_but_not_by_short_ones() -> None:
    table = build_table(
        [
            pair("a", group="page", en=("What is it?", "A")),
            pair("b", group="page", en=("Where is it then?", "A")),
            unit("c", en="A sentence of some length.", de="Ein Satz."),
            unit("d", en="a  SENTENCE of some length.", fr="Une phrase assez longue."),
            unit("e", it="Una frase.", fr="Une phrase assez longue."),
            unit("f", en="Yes.", de="Ja."),
            unit("g", en="Yes.", fr="Oui."),
        ]
    )
    a, b, c, d, e, f, g = table.component_N
    assert a == b
    assert c == d == e
    assert len({a, c, f, g}) == 4


def test_equal_texts_have_equal_keys_and_others_have_not() -> None:
    table = build_table([unit("a", en="É", de="x"), unit("b", en="e\u0301 ", de="y")])
    keys = {
        (i, lang): table.keys_T[table.queries_NL[i, c]]
        for i in range(2)
        for c, lang in enumerate(table.languages)
    }
    assert keys[0, "en"] == keys[1, "en"]
    assert keys[0, "de"] != keys[1, "de"]
    assert keys[0, "en"] != keys[0, "de"]


def test_the_choice_of_languages_drops_items_left_without_a_pair() -> None:
    items = [
        unit("a", en="one", de="eins", fr="un"),
        unit("b", en="two", fr="deux"),
        pair("c", fr=("q", "p")),
        pair("d", de=("q", "p")),
    ]
    table = build_table(items, languages=["en", "de"])
    assert table.ids == ("a", "d")
    assert table.languages == ("de", "en")
    with pytest.raises(BadInput, match="no training item is left"):
        build_table(items, languages=["xx"])


def test_the_fingerprint_tells_texts_apart() -> None:
    tables = [build_table([unit("a", en=text, de="x")]) for text in ("one", "one", "two")]
    assert tables[0].fingerprint == tables[1].fingerprint != tables[2].fingerprint
