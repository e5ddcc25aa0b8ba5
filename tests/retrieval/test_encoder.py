"""The wrapper against sentence-transformers itself, and what it refuses to load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadEncoder

TEXTS = ["Where is the library?", "图书馆在哪里？", "ห้องสมุดอยู่ที่ไหน", "a", "x " * 500]


@pytest.fixture(scope="module")
def tiny(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


def test_vectors_are_those_of_plain_sentence_transformers(
    tiny: Encoder, tiny_encoder: Path
) -> None:
    plain = SentenceTransformer(str(tiny_encoder), trust_remote_code=False)
    queries, passages = tiny.encode_queries(TEXTS), tiny.encode_passages(TEXTS)
    # This encoder has no layer that normalises: the wrapper does.
    expected = plain.encode_query(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(queries, expected, atol=1e-6)
    expected = plain.encode_document(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(passages, expected, atol=1e-6)
    assert not np.allclose(queries, passages)  # this encoder has prompts, and they matter


def test_the_bundled_encoder_is_small_and_plain_sentence_transformers_loads_it() -> None:
    size = sum(p.stat().st_size for p in COMPACT.rglob("*") if p.is_file())
    assert size <= 50e6
    plain = SentenceTransformer(str(COMPACT), trust_remote_code=False)
    bundled = Encoder.load()
    np.testing.assert_allclose(plain.encode(TEXTS), bundled.encode_queries(TEXTS), atol=1e-6)
    np.testing.assert_allclose(plain.encode(TEXTS), bundled.encode_passages(TEXTS), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=20))
def test_rows_are_of_unit_length_or_zero_and_do_not_depend_on_the_batch(texts: list[str]) -> None:
    encoder = Encoder.load()
    together = encoder.encode_queries(texts)
    lengths = np.linalg.norm(together, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    apart = np.concatenate([encoder.encode_queries([text]) for text in texts])
    np.testing.assert_allclose(together, apart, atol=1e-6)
    np.testing.assert_allclose(together, encoder.encode_queries(texts, batch_size=3), atol=1e-6)


def test_no_texts_give_no_rows(tiny: Encoder) -> None:
    assert tiny.encode_queries([]).shape == (0, tiny.dim)


def test_token_ids_are_those_of_the_encoders_tokenizer(tiny: Encoder) -> None:
    for text in TEXTS:
        expected = tiny.model.tokenizer.encode(text, add_special_tokens=False).ids
        assert tiny.tokenize([text]) == [expected]


def test_the_fingerprint_follows_content_and_nothing_else(
    tiny: Encoder, tiny_encoder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_encoder, tmp_path / "copy"))
    (copy / "README.md").write_text("another card")
    config = json.loads((copy / "config_sentence_transformers.json").read_text())
    config["__version__"] = {"torch": "9"}
    (copy / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert Encoder.load(copy).fingerprint == tiny.fingerprint
    config["prompts"]["query"] = "Ask: "
    (copy / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert Encoder.load(copy).fingerprint != tiny.fingerprint


def test_what_is_no_encoder_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadEncoder, match=r"no modules\.json"):
        Encoder.load(tmp_path)
    with pytest.raises(BadEncoder, match=r"no modules\.json"):
        Encoder.load(tmp_path / "missing")
    broken = Path(shutil.copytree(tiny_encoder, tmp_path / "broken"))
    (broken / "modules.json").write_text("{")
    with pytest.raises(BadEncoder, match="cannot read it"):
        Encoder.load(broken)
    empty = Path(shutil.copytree(tiny_encoder, tmp_path / "empty"))
    next(empty.rglob("model.safetensors")).unlink()
    with pytest.raises(BadEncoder, match="cannot load"):
        Encoder.load(empty)


def test_foreign_code_is_never_run(tiny_encoder: Path, tmp_path: Path) -> None:
    evil = Path(shutil.copytree(tiny_encoder, tmp_path / "evil"))
    marker = tmp_path / "ran"
    (evil / "custom.py").write_text(f"open({str(marker)!r}, 'w')\nclass Custom: ...\n")
    modules = json.loads((evil / "modules.json").read_text())
    modules[0]["type"] = "custom.Custom"
    (evil / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(BadEncoder, match=r"foreign code: custom\.Custom"):
        Encoder.load(evil)
    assert not marker.exists()


def test_pickled_weights_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    pickled = Path(shutil.copytree(tiny_encoder, tmp_path / "pickled"))
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(BadEncoder, match=r"pickled weights: pytorch_model\.bin"):
        Encoder.load(pickled)


@pytest.mark.parametrize("folder", ["tiny", "bundled"])
def test_encoding_and_tokenizing_at_once_changes_no_bit(tiny: Encoder, folder: str) -> None:
    encoder = tiny if folder == "tiny" else Encoder.load(COMPACT)
    texts = [*TEXTS, "", " "]
    vectors, tokens = encoder.encode_and_tokenize(texts)
    np.testing.assert_array_equal(vectors, encoder.encode_passages(texts))
    assert vectors.dtype == np.float32
    assert [list(ids) for ids in tokens] == encoder.tokenize(texts)
    vectors, tokens = encoder.encode_and_tokenize([])
    assert (vectors.shape, list(tokens)) == ((0, encoder.dim), [])
