"""An encoder is written whole or not at all, at half the size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from training.saving import check_free, publish_encoder


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    return Encoder.load(tiny_encoder).model


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def test_vectors_are_stored_as_float16_and_computed_as_float32(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    texts = ["one text", "ein anderer", "อีกข้อความ"]
    publish_encoder(model, tmp_path / "out", describe=nothing)
    stored = load_file(next((tmp_path / "out").rglob("model.safetensors")))
    assert stored["embeddings"].dtype == torch.float16
    plain = SentenceTransformer(str(tmp_path / "out"))
    assert plain.encode(texts).dtype == np.float32
    np.testing.assert_allclose(plain.encode(texts), model.encode(texts), atol=2e-3)


def test_a_failure_leaves_what_was_there(model: SentenceTransformer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish_encoder(model, out, describe=nothing)
    before = Encoder.load(out).fingerprint

    def fails(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    with pytest.raises(OSError, match="No space left"):
        publish_encoder(model, out, describe=fails)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert Encoder.load(out).fingerprint == before


def test_a_folder_in_use_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    check_free(tmp_path / "new", overwrite=False)
    check_free(tmp_path, overwrite=False)
    (tmp_path / "something").touch()
    with pytest.raises(BadInput, match="already holds something"):
        check_free(tmp_path, overwrite=False)
    with pytest.raises(BadInput, match="no encoder, and is left alone"):
        check_free(tmp_path, overwrite=True)
    (tmp_path / "modules.json").touch()
    check_free(tmp_path, overwrite=True)
    with pytest.raises(BadInput, match="is a file"):
        check_free(tmp_path / "something", overwrite=True)
