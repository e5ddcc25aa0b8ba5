"""Real architectures, small: the shipped configurations and every way to compute a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from retrieval.encoder import Encoder
from retrieval.errors import BadConfig, MachineFailure
from tests.training.test_run import TEXTS, compact_start, config_of, xlm_r_start
from training.config import load_config, shipped_config
from training.fitting import out_of_memory
from training.run import train
from training.trainer import HybridTrainer

PAPER = {"learning_rate": 3e-5, "weight_decay": 1e-2}


def small(parallel_file: Path) -> list[str]:
    """What makes a shipped configuration run here: other data, fewer steps, smaller batches."""
    return [
        f"data.files=['{parallel_file}']",
        "data.sources=null",
        "data.languages=null",
        "data.evaluation=[]",
        "data.dev_share=0.3",
        "steps=5",
        "start.max_tokens=64",
        "batches.size=8",
        "selection.dev_steps=2",
        "selection.items=10",
    ]


@pytest.mark.parametrize("name", ["xlm-r", "labse"])
def test_the_papers_configurations_train_models_of_their_architecture(
    name: str, tiny_xlm_r: Path, tiny_labse: Path, parallel_file: Path, tmp_path: Path
) -> None:
    start = f"start.checkpoint={tiny_xlm_r}" if name == "xlm-r" else f"start.path={tiny_labse}"
    config = load_config(shipped_config(name), [start, *small(parallel_file)])
    record = train(config, tmp_path / name)
    assert [entry["step"] for entry in record.fitted.dev_history] == [2, 4, 5]
    encoder = Encoder.load(tmp_path / name)
    assert encoder.prompts == {"query": "Query: ", "document": "Passage: "}
    plain = SentenceTransformer(str(tmp_path / name), trust_remote_code=False)
    kinds = ["Transformer", "Pooling", "Normalize"]
    if name == "labse":
        kinds.insert(2, "Dense")
    assert [type(module).__name__ for module in plain] == kinds
    assert plain[1].pooling_mode == ("mean" if name == "xlm-r" else "cls")
    assert plain.max_seq_length == 64
    np.testing.assert_allclose(plain.encode_query(TEXTS), encoder.encode_queries(TEXTS), atol=1e-5)


@pytest.mark.parametrize("name", ["xlm-r", "labse"])
def test_the_papers_settings_are_in_the_configurations(name: str) -> None:
    config = load_config(shipped_config(name))
    assert {key: getattr(config.optimizer, key) for key in PAPER} == PAPER
    assert (config.batches.size, str(config.strategy)) == (100, "hybrid(0.5)")
    assert config.start.kind != "compact"
    assert (config.start.query_prompt, config.start.passage_prompt) == ("Query: ", "Passage: ")
    assert config.selection.patience > 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"compute": {"precision": "bfloat16"}}, marks=pytest.mark.slow),
        {"compute": {"gradient_checkpointing": True}},
        {"loss": {"mini_batch": 3, "symmetric": True, "matryoshka": [16]}},
        pytest.param(
            {
                "loss": {"mini_batch": 4},
                "compute": {"gradient_checkpointing": True, "precision": "bfloat16"},
            },
            marks=pytest.mark.slow,  # half precision is slow where there is no GPU
        ),
    ],
    ids=str,
)
def test_every_way_to_compute_a_step_learns(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    optimizer = {"learning_rate": 1e-2}
    config = config_of(
        parallel_file, xlm_r_start(tiny_xlm_r), optimizer=optimizer, steps=40, **changes
    )
    record = train(config, tmp_path / "out")
    first, last = (np.mean([loss for _, loss in part]) for part in halves(record.losses))
    assert last < first
    folder = tmp_path / "out"
    assert not list(folder.rglob("adapter*"))
    encoder = Encoder.load(folder)
    assert encoder.model[0].auto_model.dtype == torch.float32
    start = SentenceTransformer(str(folder), trust_remote_code=False)
    np.testing.assert_allclose(start.encode_query(TEXTS), encoder.encode_queries(TEXTS), atol=1e-5)


def halves(values: tuple[tuple[int, float], ...]) -> list[tuple[tuple[int, float], ...]]:
    return [values[: len(values) // 3], values[-len(values) // 3 :]]


def test_gradient_checkpointing_and_caching_change_no_weight(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path
) -> None:
    folder = no_dropout(tiny_xlm_r, tmp_path / "start")
    vectors = []
    ways: list[dict[str, Any]] = [
        {},
        {"compute": {"gradient_checkpointing": True}},
        {"loss": {"mini_batch": 3}},
    ]
    for number, changes in enumerate(ways):
        config = config_of(
            parallel_file, xlm_r_start(folder), optimizer={"learning_rate": 1e-3}, **changes
        )
        train(config, tmp_path / str(number))
        vectors.append(Encoder.load(tmp_path / str(number)).encode_queries(TEXTS))
    for other in vectors[1:]:
        np.testing.assert_allclose(vectors[0], other, atol=1e-3)
    start = config_of(
        parallel_file, xlm_r_start(folder), steps=1, optimizer={"learning_rate": 1e-9}
    )
    train(start, tmp_path / "untrained")
    untrained = Encoder.load(tmp_path / "untrained").encode_queries(TEXTS)
    assert np.abs(vectors[0] - untrained).max() > 0.03


def no_dropout(checkpoint: Path, folder: Path) -> Path:
    """The checkpoint without dropout."""
    folder.mkdir()
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_compiled_encoder_is_saved_as_a_plain_one(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path
) -> None:
    config = config_of(
        parallel_file,
        xlm_r_start(tiny_xlm_r),
        steps=3,
        compute={"compile": True},
        optimizer={"learning_rate": 3e-3},
    )
    train(config, tmp_path / "out")
    assert Encoder.load(tmp_path / "out").encode_queries(TEXTS).shape == (4, 32)


def test_what_this_machine_or_encoder_cannot_do_is_refused(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    if not torch.cuda.is_available():
        half = config_of(parallel_file, compact_start(), compute={"precision": "float16"})
        with pytest.raises(BadConfig, match="float16 needs a GPU"):
            train(half, out)
    for changes, message in (
        ({"loss": {"mini_batch": 8}}, "does not go with a bag of subwords"),
        ({"compute": {"gradient_checkpointing": True}}, "goes with transformers alone"),
        ({"lora": {}}, "lora goes with transformers alone"),
        ({"loss": {"matryoshka": [64]}}, "asks for 64 dimensions, the encoder has 16"),
        ({"loss": {"paper_eq1": True}}, "compares with given negatives"),
        ({"selection": {"dev_steps": 2}}, "no such question is held out"),
        ({"start": xlm_r_start(tiny_xlm_r) | {"max_tokens": 200}}, "200, .* reads at most 128"),
    ):
        config = config_of(parallel_file, changes.pop("start", compact_start()), **changes)
        with pytest.raises(BadConfig, match=message):
            train(config, out)
    lora = config_of(parallel_file, xlm_r_start(tiny_xlm_r), lora={"targets": ["q_proj"]})
    with pytest.raises(BadConfig, match=r"lora\.targets names no layer"):
        train(lora, out)
    assert not out.exists()


def test_a_gpu_out_of_memory_says_what_to_turn_down(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(HybridTrainer, "training_step", full)
    config = config_of(parallel_file, xlm_r_start(tiny_xlm_r))
    with pytest.raises(MachineFailure, match=r"batches of 8.*loss\.mini_batch=16.*bfloat16"):
        train(config, tmp_path / "out")
    tight = config_of(
        parallel_file,
        xlm_r_start(tiny_xlm_r),
        loss={"mini_batch": 4},
        compute={"precision": "bfloat16", "gradient_checkpointing": True},
    )
    assert out_of_memory(tight).fix == (
        "Set one of these, best first: loss.mini_batch=2 (the same loss, in parts); "
        "start.max_tokens lower; batches.size lower (fewer negatives)."
    )
