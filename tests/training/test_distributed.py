"""One plan a global step: what reached the loss of each of two processes, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from retrieval.encoder import Encoder
from retrieval.formats.parallel import read_parallel, write_parallel
from retrieval.types import ParallelItem
from tests.training.test_fitting import no_dropout
from tests.training.test_losses import loop_loss
from training.config import TrainingConfig, parse_config
from training.run import make_planner, read_data

pytestmark = pytest.mark.slow

STEPS, SIZE = 8, 8
ROOT = Path(__file__).parents[2]
LANGUAGES = ("ar", "de", "en", "th")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions of their own words, some in groups of one passage, so that copies meet."""
    path = tmp_path_factory.mktemp("data") / "qa.jsonl"
    write_parallel(
        (
            ParallelItem(
                id=f"qa:{n}#0",
                source="qa",
                query={lang: f"question {n} asked in {lang}" for lang in LANGUAGES},
                passage={lang: f"passage {n} given in {lang}" for lang in LANGUAGES},
                group=f"g{n // 2}" if n % 3 else "",
                # Its own, and the passage of an item that may be on another process.
                negatives={
                    lang: (f"no answer {n} in {lang}", f"passage {(n + 5) % 24} given in {lang}")
                    for lang in LANGUAGES[: n % 5]
                },
            )
            for n in range(24)
        ),
        path,
    )
    return path


def config_of(file: Path, encoder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "seed": 5,
        "steps": STEPS,
        "start": {"kind": "encoder", "path": str(encoder)},
        "data": {"files": [str(file)]},
        "batches": {"strategy": "hybrid", "size": SIZE, "negatives": 0},
        "optimizer": {"learning_rate": 0.01, "weight_decay": 0.0},
        "checkpoint_steps": 3,
    } | changes


class Run:
    """One run in `folder`, started on a number of processes, perhaps killed and resumed."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        folder.mkdir()
        self.folder, self.out = folder, folder / "out"
        self.config: TrainingConfig = parse_config(config)
        (folder / "config.json").write_text(json.dumps(config))

    def start(self, processes: int, *options: str, expect: bool = True) -> list[list[Any]]:
        """Records of each process, a list of steps."""
        records = self.folder / f"records-{len(list(self.folder.iterdir()))}"
        records.mkdir()
        launcher = [sys.executable]
        if processes > 1:
            launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            launcher += [str(processes)]
        script = str(Path(__file__).with_name("distributed.py"))
        arguments = [script, str(self.folder / "config.json"), str(self.out), str(records)]
        done = subprocess.run(
            [*launcher, *arguments, *options],
            cwd=ROOT,
            env={
                "PYTHONPATH": str(ROOT),
                "PATH": "/usr/bin:/bin",
                "OMP_NUM_THREADS": "1",
                "HF_HUB_OFFLINE": "1",
            },
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert (done.returncode == 0) == expect, done.stderr[-4000:]
        return [
            [json.loads(line) for line in (records / f"rank-{rank}.jsonl").read_text().splitlines()]
            for rank in range(processes)
        ]

    @property
    def weights(self) -> torch.Tensor:
        found = load_file(next(self.out.rglob("model.safetensors")))
        return found["embeddings"].float() * found["weights"][:, None]

    def planned(self, step: int) -> tuple[str, list[list[list[str]]]]:
        """(mode, [[question item, language], [passage item, language]] of each triplet)."""
        table = read_data(self.config).table
        plan = make_planner(self.config, table).plan(step)
        rows = zip(plan.items_B, plan.query_langs_B, plan.passage_langs_B, strict=True)
        return plan.mode.value, [
            [[table.ids[i], table.languages[q]], [table.ids[i], table.languages[p]]]
            for i, q, p in rows
        ]


def check_steps(run: Run, ranks: list[list[Any]], first: int = 0) -> None:
    """Every step's triplets are the slices of the one plan, in the order of the ranks."""
    modes = set()
    for step in range(first, STEPS):
        mode, planned = run.planned(step)
        modes.add(mode)
        seen = [records[step - first]["triplets"] for records in ranks]
        assert [triplet for part in seen for triplet in part] == planned
        assert {len(part) for part in seen} == {SIZE // len(ranks)}
        assert len({query[0] for part in seen for query, _ in part}) == SIZE
        for part in seen:
            if mode == "monolingual":
                assert len({(q[1], p[1]) for q, p in part}) == 1
            else:
                assert all(q[1] != p[1] for q, p in part)
        if mode == "monolingual":
            assert len({(q[1], p[1]) for part in seen for q, p in part}) == 1
    assert modes == {"monolingual", "cross-lingual"}


@pytest.mark.parametrize("gather", [True, False])
def test_the_processes_of_a_step_share_its_plan(
    data: Path, tiny_encoder: Path, tmp_path: Path, gather: bool
) -> None:
    run = Run(tmp_path / "two", config_of(data, tiny_encoder, loss={"gather": gather}))
    ranks = run.start(2)
    check_steps(run, ranks)
    described = json.loads((run.out / "synglot.json").read_text("utf-8"))
    assert described["processes"] == 2
    assert sum(described["pairs"].values()) == STEPS * SIZE


def test_gathered_negatives_train_as_one_process_does(
    data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    for symmetric in (False, True):
        loss = {"symmetric": symmetric, "temperature": 0.3}
        config = config_of(data, tiny_encoder, loss=loss)
        one, two = (Run(tmp_path / f"{name}-{symmetric}", config) for name in ("one", "two"))
        check_steps(one, one.start(1))
        check_steps(two, two.start(2))
        torch.testing.assert_close(one.weights, two.weights, atol=2e-3, rtol=0)
        moved = (one.weights - start_weights(tiny_encoder)).abs().max()
        assert moved > 20 * (one.weights - two.weights).abs().max()


def test_two_processes_train_a_transformer_as_one_does(
    data: Path, tiny_xlm_r: Path, tmp_path: Path
) -> None:
    """In parts (gradient caching), with given negatives, and to the best state by a dev set."""
    start = {"kind": "transformer", "checkpoint": str(no_dropout(tiny_xlm_r, tmp_path / "start"))}
    config = config_of(
        data,
        tiny_xlm_r,
        start=start | {"max_tokens": 32},
        data={"files": [str(data)], "dev_share": 0.3},
        batches={"strategy": "hybrid", "size": SIZE, "negatives": 2},
        loss={"mini_batch": 3, "symmetric": True, "temperature": 0.3, "matryoshka": [16]},
        selection={"dev_steps": 3},
        optimizer={"learning_rate": 3e-3},
    )
    encoders, histories = [], []
    for processes in (1, 2):
        run = Run(tmp_path / str(processes), config)
        ranks = run.start(processes)
        for step in range(STEPS):
            seen = [row for records in ranks for row in records[step]["labels"]]
            assert len(seen) == SIZE
            assert {len(row) for row in seen} == {7}
        described = json.loads((run.out / "synglot.json").read_text("utf-8"))
        histories.append([entry["macro"] for entry in described["dev_history"]])
        encoders.append(Encoder.load(run.out).encode_queries(["question 1 asked in de", "th?"]))
    assert len(histories[0]) == 3
    assert histories[0] == pytest.approx(histories[1], abs=0.02)
    np.testing.assert_allclose(encoders[0], encoders[1], atol=0.01)


def test_without_gathering_each_process_has_its_own_negatives(
    data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    loss = {"gather": False, "temperature": 0.3}
    run = Run(tmp_path / "two", config_of(data, tiny_encoder, loss=loss, steps=1))
    ranks = run.start(2)
    expected = np.mean([loss_of(tiny_encoder, records[0], data, 0.3) for records in ranks])
    described = json.loads((run.out / "synglot.json").read_text("utf-8"))
    assert described["losses"][0][1] == pytest.approx(expected, rel=1e-4)


def test_copies_are_masked_across_processes(data: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    # 24 items in a batch: every group is there whole, its members often on different processes.
    batches = {"strategy": "cross-lingual", "size": 24, "negatives": 0}
    config = config_of(data, tiny_encoder, steps=1, batches=batches, loss={"temperature": 0.3})
    run = Run(tmp_path / "two", config)
    ranks = run.start(2)
    whole = {key: [row for records in ranks for row in records[0][key]] for key in ranks[0][0]}
    components = [[row[0] for row in records[0]["labels"]] for records in ranks]
    assert set(components[0]) & set(components[1])
    expected = loss_of(tiny_encoder, whole, data, 0.3)
    described = json.loads((run.out / "synglot.json").read_text("utf-8"))
    assert described["losses"][0][1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_with_the_very_next_batches(
    data: Path, tiny_encoder: Path, tmp_path: Path, processes: int
) -> None:
    config = config_of(data, tiny_encoder)
    whole = Run(tmp_path / "whole", config)
    check_steps(whole, whole.start(processes))
    killed = Run(tmp_path / "killed", config)
    killed.start(processes, "--kill-at", "5", expect=False)
    assert not killed.out.exists()
    resumed = killed.start(processes, "--resume")
    check_steps(killed, resumed, first=3)
    if processes == 1:
        assert torch.equal(whole.weights, killed.weights)
    else:
        torch.testing.assert_close(whole.weights, killed.weights, atol=1e-5, rtol=0)
    described = [
        json.loads((run.out / "synglot.json").read_text("utf-8")) for run in (whole, killed)
    ]
    for key in ("pairs", "modes", "sources", "losses"):
        assert described[0][key] == described[1][key]


def test_a_batch_that_cannot_be_shared_evenly_is_refused(
    data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    batches = {"strategy": "hybrid", "size": 7}
    run = Run(tmp_path / "two", config_of(data, tiny_encoder, batches=batches))
    with pytest.raises(FileNotFoundError):
        run.start(2, expect=False)
    assert not run.out.exists()


def start_weights(encoder: Path) -> torch.Tensor:
    found: torch.Tensor = load_file(next(encoder.rglob("model.safetensors")))["embedding.weight"]
    return found.float()


def loss_of(encoder: Path, record: dict[str, Any], data: Path, temperature: float) -> float:
    """The slow loss of the triplets a process saw, by the encoder they began with."""
    items = {item.id: item for item in read_parallel([data])}
    model = Encoder.load(encoder).model
    queries = [items[query[0]].query[query[1]] for query, _ in record["triplets"]]
    passages = [items[passage[0]].passage[passage[1]] for _, passage in record["triplets"]]
    return loop_loss(
        torch.from_numpy(model.encode_query(queries)),
        torch.from_numpy(model.encode_document(passages)),
        record["labels"],
        temperature,
    )
