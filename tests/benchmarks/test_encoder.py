"""The wrapper against sentence-transformers' own encode."""

from __future__ import annotations

import pytest
from sentence_transformers import SentenceTransformer

from retrieval.demo_data import demo_passages
from retrieval.encoder import COMPACT, Encoder
from tests.benchmarks.conftest import Record, seconds

pytestmark = pytest.mark.benchmark


def test_texts_a_second_of_the_bundled_encoder(record: Record) -> None:
    texts = [p.text[start : start + 40] for p in demo_passages() for start in range(0, 120, 1)]
    texts = texts[:20_000]
    plain, ours = SentenceTransformer(str(COMPACT), device="cpu"), Encoder.load()
    theirs_s = seconds(
        lambda: plain.encode(texts, batch_size=256, normalize_embeddings=True), repeats=3
    )
    ours_s = seconds(lambda: ours.encode_passages(texts), repeats=3)
    record(
        "compact encoder, 20,000 texts of <= 40 characters",
        floor=len(texts) / theirs_s,
        ours=len(texts) / ours_s,
        unit="texts/s",
        budget=">= 1 x, >= 20,000/s",
    )
