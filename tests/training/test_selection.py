"""Which state of a run is its result, and what is left of a run that does not end."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from retrieval.encoder import Encoder
from retrieval.errors import MachineFailure
from retrieval.formats.parallel import write_parallel
from retrieval.types import ParallelItem
from tests.training.test_losses import loop_loss
from tests.training.test_run import config_of
from training.config import TrainingConfig
from training.data import build_table
from training.dev import dev_items, dev_scores, english_loss, macro_score
from training.run import read_data, train
from training.saving import publish_encoder
from training.trainer import HybridTrainer

STEPS = 12


@pytest.fixture(scope="module")
def parallel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pages of made-up words; a question has two of its passage's."""
    path = tmp_path_factory.mktemp("parallel") / "qa.jsonl"
    rng = np.random.default_rng(0)
    items = []
    for page in range(80):
        words = ["".join(map(chr, rng.integers(97, 123, 5))) for _ in range(6)]
        langs = ("de", "en", "th")
        items.append(
            ParallelItem(
                id=f"qa:{page}#0",
                source="qa",
                query={lang: f"{lang} {words[0]} {words[1]}" for lang in langs},
                passage={lang: " ".join([*words, lang]) for lang in langs},
            )
        )
    write_parallel(items, path)
    return path


def selecting(parallel_file: Path, encoder: Path, **selection: Any) -> TrainingConfig:
    """A run that gets better for a while and then worse: its steps are far too long."""
    return config_of(
        parallel_file,
        {"kind": "encoder", "path": str(encoder)},
        data={"files": [str(parallel_file)], "dev_share": 0.4},
        batches={"strategy": "hybrid", "size": 8},
        optimizer={
            "learning_rate": 0.3,
            "weight_decay": 0,
            "warmup_share": 0,
            "schedule": "constant_with_warmup",
        },
        selection={"dev_steps": 2} | selection,
    )


@pytest.fixture(scope="module")
def learnt(
    parallel_file: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An encoder that has learnt something to lose."""
    out = tmp_path_factory.mktemp("runs") / "learnt"
    start = {"kind": "encoder", "path": str(tiny_encoder)}
    data = {"files": [str(parallel_file)], "dev_share": 0.4}
    config = config_of(parallel_file, start, steps=60, data=data, optimizer={"learning_rate": 0.03})
    train(config, out)
    return out


@pytest.fixture(scope="module")
def whole(
    parallel_file: Path, learnt: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """An uninterrupted run: its record and its encoder."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return train(selecting(parallel_file, learnt), out), out


def test_the_best_state_is_the_result(whole: tuple[Any, Path], parallel_file: Path) -> None:
    record, out = whole
    history = {int(entry["step"]): entry["macro"] for entry in record.fitted.dev_history}
    assert list(history) == list(range(2, STEPS + 1, 2))
    best = max(history, key=lambda step: history[step])
    assert record.fitted.best_step == best < STEPS
    held_out = read_data(record.config).held_out
    assert len(held_out) > 20
    score = macro_score(dev_scores(Encoder.load(out).model, held_out))
    assert score == pytest.approx(history[best], abs=0.02)  # vectors are kept as float16
    assert abs(history[STEPS] - history[best]) > 0.05
    described = Encoder.load(out).description
    assert described["best_step"] == best
    assert [entry["macro"] for entry in described["dev_history"]] == list(history.values())


def test_a_run_without_a_better_state_for_a_while_stops(
    whole: tuple[Any, Path], parallel_file: Path, learnt: Path, tmp_path: Path
) -> None:
    best = whole[0].fitted.best_step
    record = train(selecting(parallel_file, learnt, patience=2), tmp_path / "out")
    assert record.fitted.best_step == best
    assert record.fitted.steps == best + 4 < STEPS
    assert record.tally.modes.total() == record.fitted.steps
    assert record.tally.pairs.total() == record.fitted.steps * 8
    assert torch.equal(weights(tmp_path / "out"), weights(whole[1]))


def test_a_resumed_run_remembers_its_best_state(
    whole: tuple[Any, Path],
    parallel_file: Path,
    learnt: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = selecting(parallel_file, learnt)
    with interrupted(monkeypatch, at=9, do=keyboard), pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "out")
    record = train(config, tmp_path / "out", resume=True)
    assert record.fitted.dev_history == whole[0].fitted.dev_history
    assert record.fitted.best_step == whole[0].fitted.best_step
    assert torch.equal(weights(tmp_path / "out"), weights(whole[1]))


def test_the_criterion_may_be_the_english_loss(
    parallel_file: Path, learnt: Path, tmp_path: Path
) -> None:
    config = selecting(parallel_file, learnt, criterion="english-loss", items=20)
    record = train(config, tmp_path / "out")
    history = [entry["english_loss"] for entry in record.fitted.dev_history]
    assert record.fitted.best_step == 2 + 2 * int(np.argmin(history))
    items = dev_items(read_data(config).held_out, config)
    assert len(items) == 20
    got = english_loss(Encoder.load(learnt).model, items, temperature=0.3, size=8)
    assert got == pytest.approx(np.mean([slow_loss(items[at : at + 8], learnt) for at in (0, 8)]))


def slow_loss(items: tuple[ParallelItem, ...], encoder: Path) -> float:
    table = build_table(items, languages=["en"])
    labels = [
        [
            int(table.component_N[n]),
            int(table.keys_T[table.queries_NL[n, 0]]),
            int(table.keys_T[table.passages_NL[n, 0]]),
        ]
        for n in range(len(table))
    ]
    model = Encoder.load(encoder)
    queries = model.encode_queries([item.query["en"] for item in items])
    passages = model.encode_passages([item.passage["en"] for item in items])
    return loop_loss(torch.from_numpy(queries), torch.from_numpy(passages), labels, 0.3)


def test_ctrl_c_loses_no_step(
    parallel_file: Path, learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"kind": "encoder", "path": str(learnt)}
    config = config_of(parallel_file, start)
    assert config.checkpoint_steps == 0
    out = tmp_path / "out"
    with interrupted(monkeypatch, at=5, do=press_ctrl_c), pytest.raises(KeyboardInterrupt):
        train(config, out)
    assert not out.exists()
    assert [p.name for p in (tmp_path / "out.checkpoints").glob("checkpoint-*")] == ["checkpoint-5"]
    train(config, out, resume=True)
    train(config, tmp_path / "whole")
    assert torch.equal(weights(out), weights(tmp_path / "whole"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_full_disk_leaves_the_checkpoint_before(
    parallel_file: Path, learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"kind": "encoder", "path": str(learnt)}
    config = config_of(parallel_file, start, checkpoint_steps=4)
    out = tmp_path / "out"
    with (
        files_up_to(None) as limit,
        interrupted(monkeypatch, at=6, do=lambda: limit(20_000)),
        pytest.raises(MachineFailure, match=r"cannot write the checkpoint .* --resume"),
    ):
        train(config, out)
    left = sorted(path.name for path in (tmp_path / "out.checkpoints").glob("checkpoint-*"))
    assert left == ["checkpoint-4"]
    train(config, out, resume=True)
    train(config_of(parallel_file, start), tmp_path / "whole")
    assert torch.equal(weights(out), weights(tmp_path / "whole"))


def test_an_encoder_that_does_not_fit_on_the_disk_replaces_nothing(
    learnt: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    model = Encoder.load(learnt).model
    publish_encoder(model, out, describe=nothing)
    before = Encoder.load(out).fingerprint
    with files_up_to(20_000), pytest.raises((MachineFailure, OSError)):
        publish_encoder(model, out, describe=nothing, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert Encoder.load(out).fingerprint == before


def weights(folder: Path) -> torch.Tensor:
    found = load_file(next(folder.rglob("model.safetensors")))
    return found["embeddings"].float() * found["weights"][:, None]


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def keyboard() -> None:
    raise KeyboardInterrupt


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, *, at: int, do: Any) -> Iterator[None]:
    """Something happens in step `at` of the runs inside."""
    step, steps = HybridTrainer.training_step, 0

    def counted(self: HybridTrainer, *args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == at:
            do()
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(HybridTrainer, "training_step", counted)
        yield


@contextmanager
def files_up_to(size: int | None) -> Iterator[Any]:
    """No file may grow beyond `size` bytes, or beyond what the function given is called with."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(to: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (to, before[1]))

    try:
        if size is not None:
            limit(size)
        yield limit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
