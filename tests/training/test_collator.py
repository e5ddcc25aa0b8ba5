"""Batches of tensors against the texts they came from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.training.test_planner import items_of, planner_of
from training.collator import TokenTable, TripletCollator, tokenize_table
from training.sampler import batch_rows


def ids_of(text: str) -> list[int]:
    return [ord(c) for c in text]


def tokenize(texts: list[str]) -> list[list[int]]:
    return [ids_of(t) for t in texts]


def test_gathered_tokens_are_those_of_each_text_in_turn() -> None:
    texts = [[1, 2], [], [3], [4, 5, 6]]
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in texts])])
    table = TokenTable(np.array([1, 2, 3, 4, 5, 6], np.int32), offsets)
    ids, begins = table.gather(np.array([3, 1, 0, 1]))
    assert ids.tolist() == [4, 5, 6, 1, 2]
    assert begins.tolist() == [0, 3, 3, 5]


def test_a_batch_holds_the_planned_texts_and_labels() -> None:
    items = items_of(1, {"qa": 60})
    planner = planner_of(items, "multilingual")
    table, plan = planner.table, planner.plan(0)
    collator = TripletCollator(table, tokenize_table(table, tokenize).features)
    batch = collator(batch_rows(plan, len(table.languages)))
    for side, langs_B in (("query", plan.query_langs_B), ("passage", plan.passage_langs_B)):
        ends = [*batch[f"{side}_offsets"].tolist()[1:], len(batch[f"{side}_input_ids"])]
        for row, begin, end in zip(range(8), batch[f"{side}_offsets"].tolist(), ends, strict=True):
            item = items[plan.items_B[row]]
            texts = item.query if side == "query" else item.passage
            got = batch[f"{side}_input_ids"][begin:end].tolist()
            assert got == ids_of(texts[table.languages[langs_B[row]]])
    assert batch["label"]["keys"].shape == (8, 3)
    assert batch["label"]["keys"].dtype == torch.int64
    assert batch["label"]["keys"][:, 0].tolist() == table.component_N[plan.items_B].tolist()


def test_texts_tokenised_without_a_prompt_refuse_one() -> None:
    with pytest.raises(ValueError, match="without a prompt"):
        TokenTable(np.zeros(1, np.int32), np.array([0, 1])).features(np.array([0]), "Query: ")


def test_the_whole_table_is_tokenised_in_order() -> None:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "text": 1, "in": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = planner_of(items_of(2, {"qa": 30}), "multilingual").table
    tokens = tokenize_table(table, lambda texts: [e.ids for e in tokenizer.encode_batch(texts)])
    for row, text in enumerate(table.texts.to_pylist()):
        got = tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist()
        assert got == tokenizer.encode(text).ids
