"""Planning and training the compact encoder against bare loops over the same batches."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from retrieval.formats.parallel import read_parallel
from tests.benchmarks.conftest import Record
from training.checkpoints import Checkpoints
from training.collator import Features
from training.config import parse_config
from training.data import ParallelTable, build_table
from training.fitting import fit
from training.run import make_planner
from training.sampler import PlannedBatches, batch_rows
from training.starts import start_encoder

pytestmark = pytest.mark.benchmark

STEPS = 60
CONFIG = parse_config(
    {
        "steps": STEPS,
        "start": {"kind": "encoder"},
        "data": {"files": ["unused"]},
        "batches": {"strategy": "hybrid", "size": 1024, "tau": 0.6, "mix_sources": True},
        "optimizer": {"learning_rate": 1e-3, "max_grad_norm": 0},
    }
)


@pytest.fixture(scope="module")
def table(test_data: Path) -> ParallelTable:
    names = ("astro_docs", "fastapi_docs", "ms_azd", "tldr", "ntrex128_doc", "privacyguides")
    return build_table(read_parallel(test_data / "parallel" / f"{n}.jsonl.gz" for n in names))


def bare_loop(table: ParallelTable, features: Features, model: torch.nn.Module) -> float:
    """Seconds of STEPS steps of a plain PyTorch loop with in-batch negatives and AdamW."""
    from training.collator import TripletCollator

    planner, collator = make_planner(CONFIG, table), TripletCollator(table, features)
    batches = [
        collator(batch_rows(planner.plan(step), len(table.languages))) for step in range(STEPS)
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    target = torch.arange(1024)
    began = time.perf_counter()
    for batch in batches:
        sides = []
        for side in ("query", "passage"):
            inputs = {key: batch[f"{side}_{key}"] for key in ("input_ids", "offsets")}
            sides.append(normalize(model(inputs)["sentence_embedding"], dim=1))
        loss = cross_entropy(sides[0] @ sides[1].T * 20, target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return time.perf_counter() - began


def test_compact_training_and_planning(
    record: Record, table: ParallelTable, tmp_path: Path
) -> None:
    def start() -> tuple[torch.nn.Module, Features]:
        return start_encoder(CONFIG.start, table, seed=1, progress=lambda chunks: chunks)

    model, features = start()
    floor_s = bare_loop(table, features, model.train())
    model, features = start()
    batches = PlannedBatches(make_planner(CONFIG, table), steps=STEPS)
    batches.planner.plan(0)
    began = time.perf_counter()
    fit(model, features, batches, CONFIG, Checkpoints(tmp_path / "c"))  # type: ignore[arg-type]
    ours_s = time.perf_counter() - began
    record(
        "compact training, batch 1,024, whole run",
        floor=STEPS / floor_s,
        ours=STEPS / ours_s,
        unit="steps/s",
        budget=">= .9 x",
    )
    began = time.perf_counter()
    for step in range(STEPS):
        batches.planner.plan(step)
    record(
        "planning alone, batch 1,024, over training steps",
        floor=STEPS / ours_s,
        ours=STEPS / (time.perf_counter() - began),
        unit="batches/s",
        budget=">= 100 x (transformer)",
    )
