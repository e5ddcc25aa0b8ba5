"""Whole training runs, small: every kind of start, resumed, refused, and what they leave behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from retrieval.encoder import Encoder
from retrieval.errors import BadConfig, BadEncoder, BadInput
from training.checkpoints import Checkpoints
from training.config import TrainingConfig, parse_config
from training.run import make_planner, read_data, train
from training.sampler import Tally

TEXTS = ["Where do I get a library card?", "บัตรห้องสมุด", "图书馆", "Büchereiausweis"]


def config_of(file: Path, start: dict[str, Any], **changes: Any) -> TrainingConfig:
    raw: dict[str, Any] = {
        "seed": 5,
        "steps": 12,
        "start": start,
        "data": {"files": [str(file)]},
        "batches": {"strategy": "hybrid", "size": 8},
        "optimizer": {"learning_rate": 0.05, "weight_decay": 0.0},
    }
    return parse_config(raw | changes)


def compact_start() -> dict[str, Any]:
    return {"kind": "compact", "vocabulary": 3000, "dim": 16, "characters_per_language": 2000}


def xlm_r_start(folder: Path) -> dict[str, Any]:
    return {"kind": "transformer", "checkpoint": str(folder), "max_tokens": 32}


@pytest.fixture(scope="module")
def compact(parallel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "compact"
    train(config_of(parallel_file, compact_start()), out)
    return out


def test_a_compact_encoder_loads_anywhere_with_the_same_vectors(compact: Path) -> None:
    plain = SentenceTransformer(str(compact), trust_remote_code=False)
    wrapped = Encoder.load(compact)
    vectors = wrapped.encode_queries(TEXTS)
    np.testing.assert_allclose(plain.encode(TEXTS), vectors, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors.dtype == np.float32
    assert wrapped.prompts == {"query": "", "document": ""}


def test_the_description_counts_what_was_drawn(compact: Path, parallel_file: Path) -> None:
    config = config_of(parallel_file, compact_start())
    planner = make_planner(config, read_data(config).table)
    tally = Tally()
    for step in range(config.steps):
        tally.add(planner.plan(step), planner.table)
    described = json.loads((compact / "synglot.json").read_text("utf-8"))
    assert described["strategy"] == "hybrid(0.5)"
    assert described["pairs"] == dict(tally.pairs)
    assert described["modes"] == dict(tally.modes)
    assert described["sources"] == {"demo": 12 * 8}
    assert described["data"]["fingerprint"] == planner.table.fingerprint
    assert described["seed"] == 5
    assert Encoder.load(compact).description == described
    card = (compact / "README.md").read_text("utf-8")
    assert "**hybrid(0.5)**" in card
    assert f"| monolingual | {tally.modes['monolingual']} |" in card


def test_training_lowers_the_loss(compact: Path) -> None:
    losses = [loss for _, loss in Encoder.load(compact).description["losses"]]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])


def test_the_same_seed_trains_the_same_encoder(
    compact: Path, parallel_file: Path, tmp_path: Path
) -> None:
    start = compact_start() | {"tokenizer": str(compact / "tokenizer.json")}
    train(config_of(parallel_file, start), tmp_path / "again")
    first, again = (Encoder.load(p).encode_queries(TEXTS) for p in (compact, tmp_path / "again"))
    np.testing.assert_allclose(first, again, atol=1e-5)


def test_an_encoder_is_trained_further(compact: Path, parallel_file: Path, tmp_path: Path) -> None:
    start = {"kind": "encoder", "path": str(compact)}
    train(config_of(parallel_file, start), tmp_path / "further")
    before, after = Encoder.load(compact), Encoder.load(tmp_path / "further")
    assert before.fingerprint != after.fingerprint
    assert not np.allclose(before.encode_queries(TEXTS), after.encode_queries(TEXTS), atol=1e-3)


def test_a_hugging_face_checkpoint_gets_pooling_prompts_and_unit_norm(
    tiny_xlm_r: Path, parallel_file: Path, tmp_path: Path
) -> None:
    optimizer = {"learning_rate": 3e-3}
    config = config_of(parallel_file, xlm_r_start(tiny_xlm_r), optimizer=optimizer)
    record = train(config, tmp_path / "xlm-r")
    assert record.losses[-1][1] < record.losses[0][1]
    encoder = Encoder.load(tmp_path / "xlm-r")
    assert encoder.prompts == {"query": "Query: ", "document": "Passage: "}
    plain = SentenceTransformer(str(tmp_path / "xlm-r"), trust_remote_code=False)
    np.testing.assert_allclose(plain.encode_query(TEXTS), encoder.encode_queries(TEXTS), atol=1e-5)
    np.testing.assert_allclose(
        plain.encode_document(TEXTS), encoder.encode_passages(TEXTS), atol=1e-5
    )
    bare = plain.encode(TEXTS)
    assert not np.allclose(bare, encoder.encode_queries(TEXTS), atol=1e-3)


def test_an_interrupted_run_goes_on_with_the_batches_that_come_next(
    parallel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(parallel_file, compact_start(), checkpoint_steps=4)

    from training.trainer import HybridTrainer

    steps_done = 0
    step = HybridTrainer.training_step

    def interrupted(self: HybridTrainer, *args: Any, **kwargs: Any) -> Any:
        nonlocal steps_done
        steps_done += 1
        if steps_done > 9:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(HybridTrainer, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "resumed")
    assert not (tmp_path / "resumed").exists()
    kept = tmp_path / "resumed.checkpoints" / "start" / "tokenizer.json"
    start = compact_start() | {"tokenizer": str(shutil.copy(kept, tmp_path / "t.json"))}
    train(config, tmp_path / "resumed", resume=True)
    train(config_of(parallel_file, start), tmp_path / "whole")
    whole, resumed = (
        Encoder.load(tmp_path / n).encode_queries(TEXTS) for n in ("whole", "resumed")
    )
    np.testing.assert_allclose(whole, resumed, atol=1e-5)
    assert not (tmp_path / "resumed.checkpoints").exists()


def test_a_run_is_resumed_only_by_itself_and_from_whole_checkpoints(
    parallel_file: Path, compact: Path, tmp_path: Path
) -> None:
    start = {"kind": "encoder", "path": str(compact)}
    config = config_of(parallel_file, start, checkpoint_steps=4)
    checkpoints = Checkpoints.beside(tmp_path / "out")
    stale = checkpoints.folder / "checkpoint-900"
    stale.mkdir(parents=True)
    with pytest.raises(BadConfig, match="no checkpoint to resume from"):
        train(config, tmp_path / "out", resume=True)
    table = read_data(config).table
    checkpoints.begin(Encoder.load(compact).model, config, table)
    assert not stale.exists()
    for step, files in ((4, ("modules.json", "trainer_state.json")), (8, ("modules.json",))):
        folder = checkpoints.folder / f"checkpoint-{step}"
        folder.mkdir()
        for name in files:
            (folder / name).touch()
    assert checkpoints.latest().endswith("checkpoint-4")
    batches = config.batches.model_copy(update={"alpha": 0.1})
    other = config.model_copy(update={"seed": 9, "batches": batches})
    with pytest.raises(BadConfig, match="the interrupted run had another batches, seed"):
        train(other, tmp_path / "out", resume=True)


def test_an_encoder_that_diverged_is_not_published(parallel_file: Path, tmp_path: Path) -> None:
    optimizer = {"learning_rate": 1e30, "max_grad_norm": 0}
    config = config_of(parallel_file, compact_start(), optimizer=optimizer)
    with pytest.raises(BadInput, match="training diverged"):
        train(config, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_misspelt_source_or_language_is_refused(parallel_file: Path, tmp_path: Path) -> None:
    for name, value in (("exclude_sources", ["dmeo"]), ("languages", ["de", "th", "fr"])):
        data = {"files": [str(parallel_file)], name: value}
        with pytest.raises(BadConfig, match=f"no item has the .* {value[-1]}"):
            train(config_of(parallel_file, compact_start(), data=data), tmp_path / "out")


def test_held_out_pages_are_measured(parallel_file: Path, tmp_path: Path) -> None:
    data = {"files": [str(parallel_file)], "dev_share": 0.3}
    config = config_of(parallel_file, compact_start(), data=data, batches={"size": 4})
    record = train(config, tmp_path / "out")
    assert set(record.dev) == {
        "MRR@10 within a language",
        "MRR@10 across languages",
        "MRR@10 in a mixed pool",
    }
    assert all(0 < value <= 1 for value in record.dev.values())


def test_an_encoder_is_never_overwritten_by_accident(
    compact: Path, parallel_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    config = config_of(parallel_file, compact_start(), steps=1)
    train(config, out)
    before = Encoder.load(out).fingerprint
    with pytest.raises(BadInput, match="already holds something"):
        train(config, out)
    failing = config_of(parallel_file, {"kind": "encoder", "path": str(tmp_path / "none")})
    with pytest.raises(BadEncoder, match="not an encoder folder"):
        train(failing, out, overwrite=True)
    assert Encoder.load(out).fingerprint == before
    train(config.model_copy(update={"seed": 6}), out, overwrite=True)
    assert Encoder.load(out).fingerprint != before


def test_what_cannot_be_trained_is_refused(parallel_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadConfig, match="takes 900 distinct items"):
        train(config_of(parallel_file, compact_start(), batches={"size": 900}), out)
    with pytest.raises(BadEncoder, match="cannot load the checkpoint"):
        train(config_of(parallel_file, xlm_r_start(tmp_path / "nothing")), out)
    with pytest.raises(BadInput, match="no such file"):
        train(config_of(tmp_path / "none.jsonl", compact_start()), out)
    with pytest.raises(BadConfig, match="no checkpoint to resume from"):
        train(config_of(parallel_file, compact_start()), out, resume=True)
    assert not out.exists()
