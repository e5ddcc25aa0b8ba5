"""Small real corpora, published without an encoder, for tests of what is stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.store import EncoderRecord, Manifest, Store
from retrieval.types import Passage
from retrieval.vectors import IndexKind

ENCODER = EncoderRecord(
    fingerprint="0123456789abcdef", path="an/encoder", prompts={"query": "", "document": ""}
)


def unit_vectors(rows: int, dim: int = 8, *, seed: int = 0) -> NDArray[np.float32]:
    """Random unit rows."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dim))
    units: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units.astype(np.float32)


def some_passages(count: int, *, prefix: str = "p") -> list[Passage]:
    """Passages in three languages by turns."""
    return [
        Passage(id=f"{prefix}{i}", text=f"Text {i}", lang=("de", "th", "en")[i % 3])
        for i in range(count)
    ]


def publish(
    store: Store,
    name: str,
    passages: Sequence[Passage],
    *,
    chunk: int = 4,
    activate: bool = True,
    seed: int = 0,
) -> Manifest:
    """Publish passages with random vectors of 8 dimensions, in batches of `chunk`."""
    vectors = unit_vectors(len(passages), seed=seed)
    with store.draft(name, dim=8) as draft:
        for start in range(0, len(passages), chunk):
            draft.append(passages[start : start + chunk], vectors[start : start + chunk])
        draft.build_index(IndexKind.FLAT)
        return draft.publish(encoder=ENCODER, activate=activate)
