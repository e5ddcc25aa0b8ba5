"""Given negatives: which text belongs to whom, and which of them are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from retrieval.errors import BadConfig
from retrieval.types import ParallelItem
from training.collator import TripletCollator, tokenize_table
from training.config import Loss
from training.data import ParallelTable, build_table
from training.negatives import GivenNegatives
from training.objective import check_negatives
from training.planner import BatchPlanner
from training.sampler import batch_rows
from training.strategies import Strategy, StrategyName


def items() -> list[ParallelItem]:
    """Questions in two languages; item n has n % 4 negatives in German, none in English."""
    return [
        ParallelItem(
            id=f"i{n}",
            source="qa",
            query={lang: f"question number {n} in {lang}" for lang in ("de", "en")},
            passage={lang: f"passage number {n} in {lang}" for lang in ("de", "en")},
            negatives={"de": tuple(f"negative {k} of item {n}" for k in range(n % 4))}
            if n % 4
            else {},
        )
        for n in range(40)
    ]


def planner_of(table: ParallelTable, count: int, name: str = "monolingual") -> BatchPlanner:
    return BatchPlanner(
        table=table,
        strategy=Strategy(StrategyName(name)),
        batch_size=16,
        seed=2,
        negatives=count,
    )


def test_negatives_are_those_of_the_item_in_the_passages_language() -> None:
    found, table = items(), build_table(items())
    seen: Counter[str] = Counter()
    for count in (1, 2, 5):
        planner = planner_of(table, count, "multilingual")
        for step in range(150 if count == 1 else 20):
            plan = planner.plan(step)
            for b in range(16):
                numbers = plan.negatives_BK[b][plan.negatives_BK[b] >= 0]
                texts = table.text(table.negatives.rows_M[numbers])
                lang = table.languages[plan.passage_langs_B[b]]
                own = found[plan.items_B[b]].negatives.get(lang, ())
                assert len(set(texts)) == len(texts) == min(count, len(own))
                assert set(texts) <= set(own)
                if count == 1:
                    seen.update(texts)
    assert len(seen) == sum(n % 4 for n in range(40))  # every negative has its turn


def test_drawing_negatives_leaves_the_triplets_as_they_were() -> None:
    table = build_table(items())
    for step in range(10):
        without, with_some = (planner_of(table, count).plan(step) for count in (0, 2))
        np.testing.assert_array_equal(without.items_B, with_some.items_B)
        assert without.negatives_BK.shape == (16, 0)
        assert with_some.negatives_BK.shape == (16, 2)


def test_a_negative_that_is_another_items_text_is_known_as_such() -> None:
    first = ParallelItem(
        id="a",
        source="qa",
        query={"de": "Wie alt ist das Haus?"},
        passage={"de": "Es ist hundert Jahre alt."},
        negatives={"de": ("ES IST  zweihundert Jahre alt.", "Nobody's text at all", "Ja.")},
    )
    second = ParallelItem(
        id="b",
        source="qa",
        query={"de": "Und die Brücke?"},
        passage={"de": "Es ist zweihundert Jahre alt."},
    )
    for order in ([first, second], [second, first]):
        table = build_table(order)
        owner = table.component_N[[item.id for item in order].index("b")]
        assert table.negatives.components_M.tolist() == [owner, -1, -1]
        # A negative makes no copy of the item that it was given with.
        assert len(set(table.component_N)) == 2


def test_negatives_in_languages_left_out_are_left_out() -> None:
    table = build_table(items(), languages=["en"])
    assert len(table.negatives) == 0
    assert table.languages == ("en",)


def test_the_collator_puts_them_behind_the_passages_with_their_labels() -> None:
    table = build_table(items())
    tokens = tokenize_table(table, lambda texts: [[ord(c) for c in text] for text in texts])
    collator = TripletCollator(table, tokens.features)
    plan = planner_of(table, 2).plan(1)
    batch = collator(batch_rows(plan, len(table.languages)))
    assert [key for key in batch if key.endswith("offsets")] == [
        "query_offsets",
        "passage_offsets",
        "negative0_offsets",
        "negative1_offsets",
    ]
    keys = batch["label"]["keys"]
    assert keys.shape == (16, 7)
    for b in range(16):
        for k in range(2):
            number = plan.negatives_BK[b, k]
            component, key = keys[b, 3 + 2 * k : 5 + 2 * k].tolist()
            begin = int(batch[f"negative{k}_offsets"][b])
            text = "".join(map(chr, batch[f"negative{k}_input_ids"][begin : begin + 10].tolist()))
            if number < 0:
                assert (component, key) == (-1, -1)
            else:
                row = table.negatives.rows_M[number]
                assert key == table.keys_T[row]
                assert table.text(np.array([row]))[0].startswith(text)


def test_a_loss_over_given_negatives_needs_some() -> None:
    table = build_table(items())
    none = build_table(items(), languages=["en"])
    loss = Loss(paper_eq1=True)
    check_negatives(loss, table, 1)
    check_negatives(Loss(), none, 0)
    for where, count in ((table, 0), (none, 1)):
        with pytest.raises(BadConfig, match=r"loss\.paper_eq1 compares with given negatives"):
            check_negatives(loss, where, count)


def test_the_neighbours_drawn_are_distinct_and_wrap_around() -> None:
    cells = np.array([7, 7, 7, 9])
    given = GivenNegatives.of(cells=cells, rows=np.arange(4), components=np.full(4, -1))
    rng = np.random.default_rng(0)
    drawn = np.array([given.draw(rng, np.array([7, 8, 9]), 2) for _ in range(50)])
    assert {tuple(row) for row in drawn[:, 0]} == {(0, 1), (1, 2), (2, 0)}
    assert (drawn[:, 1] == -1).all()
    assert (drawn[:, 2] == [3, -1]).all()
