"""Adapters are trained alone and leave nothing behind but what they learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from retrieval.encoder import Encoder
from tests.training.test_run import TEXTS, config_of, xlm_r_start
from tests.training.test_selection import interrupted, keyboard
from training.config import Lora, TransformerStart
from training.data import build_table
from training.lora import add_adapters, merge_adapters
from training.run import train
from training.starts import start_encoder


@pytest.fixture
def model(tiny_xlm_r: Path) -> SentenceTransformer:
    from retrieval.demo_data import demo_items

    start = TransformerStart.model_validate(xlm_r_start(tiny_xlm_r))
    table = build_table(demo_items())
    return start_encoder(start, table, seed=1, progress=lambda chunks: chunks)[0].eval()


def test_a_merged_encoder_is_a_plain_one_with_the_adapters_vectors(
    model: SentenceTransformer,
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    add_adapters(model, Lora(rank=2), seed=1)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in trained:
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    adapted = model.eval().encode(TEXTS)
    merge_adapters(model)
    np.testing.assert_allclose(model.encode(TEXTS), adapted, atol=1e-5)
    after = model.state_dict()
    assert list(after) == list(before)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        name for name in before if name.endswith(("query.weight", "key.weight", "value.weight"))
    }


def test_a_run_with_adapters_is_resumed_and_published_without_them(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(parallel_file, xlm_r_start(tiny_xlm_r), lora={"rank": 4}, checkpoint_steps=4)
    with interrupted(monkeypatch, at=7, do=keyboard), pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "resumed")
    train(config, tmp_path / "resumed", resume=True)
    train(config, tmp_path / "whole")
    assert not list((tmp_path / "whole").rglob("adapter*"))
    whole, resumed = (
        Encoder.load(tmp_path / name).encode_queries(TEXTS) for name in ("whole", "resumed")
    )
    np.testing.assert_allclose(whole, resumed, atol=1e-5)
    plain = SentenceTransformer(str(tmp_path / "whole"), trust_remote_code=False)
    np.testing.assert_allclose(plain.encode_query(TEXTS), whole, atol=1e-5)
