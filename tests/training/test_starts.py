"""Where a run may begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.demo_data import demo_items
from retrieval.encoder import Encoder
from retrieval.errors import BadInput, MalformedFile
from training.config import CompactStart, EncoderStart, TransformerStart
from training.data import ParallelTable, build_table
from training.starts import is_static, start_encoder


@pytest.fixture(scope="module")
def table() -> ParallelTable:
    return build_table(demo_items())


def untouched(chunks: range) -> range:
    return chunks


def test_the_bundled_encoder_is_the_default_start(table: ParallelTable) -> None:
    model, features = start_encoder(EncoderStart(kind="encoder"), table, seed=1, progress=untouched)
    assert is_static(model)
    texts = table.text(np.array([0, 5, 9]))
    got = model.eval()(features(np.array([0, 5, 9]), ""))["sentence_embedding"].detach().numpy()
    np.testing.assert_allclose(got, Encoder.load().encode_queries(texts), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_checkpoint_reads_its_texts_with_the_prompt(
    table: ParallelTable, tiny_xlm_r: Path, pooling: str
) -> None:
    start = TransformerStart.model_validate(
        {"kind": "transformer", "checkpoint": str(tiny_xlm_r), "pooling": pooling, "max_tokens": 16}
    )
    model, features = start_encoder(start, table, seed=1, progress=untouched)
    rows = np.array([1, 2])
    with_prompt = features(rows, "Query: ")["input_ids"]
    expected = model.preprocess([f"Query: {text}" for text in table.text(rows)])["input_ids"]
    assert with_prompt.tolist() == expected.tolist()
    assert with_prompt.shape[1] <= 16
    assert not is_static(model)


def test_a_tokenizer_that_is_none_is_refused(table: ParallelTable, tmp_path: Path) -> None:
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")
    for path, error in ((tmp_path / "none.json", BadInput), (broken, MalformedFile)):
        start = CompactStart(kind="compact", tokenizer=str(path))
        with pytest.raises(error, match="tokenizer"):
            start_encoder(start, table, seed=1, progress=untouched)
