"""The start of a compact encoder: its vocabulary and its weights."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from retrieval.demo_data import demo_items
from training.collator import TokenTable, tokenize_table
from training.compact import build_encoder, rows_by_language, subword_weights, train_tokenizer
from training.config import CompactStart
from training.data import ParallelTable, build_table

START = CompactStart(kind="compact", vocabulary=4000, dim=8, characters_per_language=100_000)


@pytest.fixture(scope="module")
def table() -> ParallelTable:
    return build_table(demo_items())


def test_the_vocabulary_has_the_size_asked_for_and_reads_every_language(
    table: ParallelTable,
) -> None:
    tokenizer = train_tokenizer(table, START, seed=1)
    assert tokenizer.get_vocab_size() <= START.vocabulary
    for rows in rows_by_language(table).values():
        for text in table.text(rows[:5]):
            ids = tokenizer.encode(text).ids
            assert ids.count(tokenizer.encode("\uffff").ids[-1]) <= 0.1 * len(ids)


def test_case_and_compatibility_forms_do_not_matter(table: ParallelTable) -> None:
    tokenizer = train_tokenizer(table, START, seed=1)
    assert tokenizer.encode("LIBRARY ﬁne").ids == tokenizer.encode("library fine").ids
    assert tokenizer.encode("كِتَابٌ").ids == tokenizer.encode("كتاب").ids


def test_rare_characters_do_not_fill_the_vocabulary(table: ParallelTable) -> None:
    small = CompactStart(kind="compact", vocabulary=400, dim=8, characters_per_language=3000)
    tokenizer = train_tokenizer(table, small, seed=1)
    single = [piece for piece in tokenizer.get_vocab() if len(piece) == 1]
    assert len(single) <= 110


def test_weights_are_inverse_document_frequencies_within_the_languages_of_a_subword(
    table: ParallelTable,
) -> None:
    tokens = tokenize_table(table, lambda texts: [[min(ord(c), 4999) for c in t] for t in texts])
    weights = subword_weights(tokens, table, 5000)
    seen: Counter[int] = Counter()
    total: dict[int, float] = {}
    for rows in rows_by_language(table).values():
        df = Counter(t for row in rows for t in set(ids_of(tokens, int(row))))
        for token, n in df.items():
            total[token] = total.get(token, 0.0) + n * math.log(len(rows) / n)
            seen[token] += n
    for token, value in total.items():
        assert weights[token] == pytest.approx(value / seen[token], rel=1e-5, abs=1e-6)
    unseen = np.setdiff1d(np.arange(5000), list(total))
    assert (weights[unseen] == weights.max()).all()


def ids_of(tokens: TokenTable, row: int) -> list[int]:
    return [int(i) for i in tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]]]


def test_a_subword_starts_as_long_as_its_weight(table: ParallelTable) -> None:
    tokenizer = train_tokenizer(table, START, seed=1)
    weights = np.linspace(0.5, 5, tokenizer.get_vocab_size(), dtype=np.float32)
    start = CompactStart(kind="compact", vocabulary=4000, dim=512)
    model = build_encoder(tokenizer, weights, start, seed=1)
    lengths = next(model.parameters()).detach().norm(dim=1).numpy()
    np.testing.assert_allclose(lengths, weights, rtol=0.25)
