"""One training run: files -> table -> plans -> encoder -> folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from tqdm import tqdm
from transformers import PrinterCallback, ProgressCallback

from retrieval.encoder import PASSAGE_PROMPT, QUERY_PROMPT
from retrieval.errors import BadConfig
from retrieval.formats.files import expand_inputs
from retrieval.formats.parallel import ENDINGS, read_parallel
from retrieval.types import ParallelItem
from training.card import TrainingRecord
from training.collator import Features, TripletCollator
from training.config import EncoderStart, TrainingConfig
from training.data import ParallelTable, build_table
from training.dev import dev_scores
from training.losses import MaskedInfoNCE
from training.planner import BatchPlanner
from training.progress import TrainingBar, bar
from training.sampler import PlannedBatches
from training.saving import check_free, publish_encoder
from training.split import chosen, is_held_out
from training.starts import prompt_of, start_encoder
from training.trainer import HybridTrainer

_START = "start"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Items to train on, as a table, and the items of held-out pages."""

    table: ParallelTable
    held_out: tuple[ParallelItem, ...]


def read_data(config: TrainingConfig) -> TrainingData:
    """Everything the configuration's files hold. Raises BadInput and what the readers raise."""
    held_out: list[ParallelItem] = []
    paths = expand_inputs(config.data.files, endings=ENDINGS)
    items = tqdm(read_parallel(paths), desc="reading", unit=" items", disable=None)

    def kept() -> Iterator[ParallelItem]:
        for item in chosen(items, config.data):
            if is_held_out(item, config.data):
                held_out.append(item)
            else:
                yield item

    table = build_table(kept(), languages=config.data.languages)
    return TrainingData(table, tuple(held_out))


def make_planner(config: TrainingConfig, table: ParallelTable) -> BatchPlanner:
    """The planner that a configuration asks for. Raises BadConfig."""
    batches = config.batches
    return BatchPlanner(
        table=table,
        strategy=batches.to_strategy(),
        batch_size=batches.size,
        seed=config.seed,
        tau=batches.tau,
        mix_sources=batches.mix_sources,
    )


def train(
    config: TrainingConfig, out: Path, *, overwrite: bool = False, resume: bool = False
) -> TrainingRecord:
    """Train the encoder of `config` and publish it in `out`, whole or not at all.

    With `checkpoint_steps`, an interrupted run leaves checkpoints in `OUT.checkpoints/`, from which
    `resume` goes on with the very batches that would have come next.
    """
    check_free(out, overwrite=overwrite)
    began = time.monotonic()
    data = read_data(config)
    planner = make_planner(config, data.table)
    model, features = start_encoder(
        _kept_start(_checkpoints(out)) if resume else config.start,
        data.table,
        seed=config.seed,
        progress=partial(bar, label="tokenising"),
    )
    if config.checkpoint_steps and not resume:
        model.save_pretrained(str(_checkpoints(out) / _START), create_model_card=False)
    batches = PlannedBatches(planner, steps=config.steps)
    losses = fit(model, features, batches, config, _checkpoints(out), resume=resume)
    record = TrainingRecord(
        config=config,
        table=data.table,
        tally=batches.tally,
        losses=losses,
        seconds=time.monotonic() - began,
        dev=dev_scores(model, data.held_out),
    )
    publish_encoder(model, out, describe=record.write)
    shutil.rmtree(_checkpoints(out), ignore_errors=True)
    return record


def fit(
    model: SentenceTransformer,
    features: Features,
    batches: PlannedBatches,
    config: TrainingConfig,
    checkpoints: Path,
    *,
    resume: bool = False,
) -> tuple[tuple[int, float], ...]:
    """Train `model` in place; (step, loss) of every log."""
    progress = TrainingBar()
    trainer = HybridTrainer(
        model=model,
        args=_arguments(config, checkpoints),
        loss=MaskedInfoNCE(
            model, temperature=config.loss.temperature, symmetric=config.loss.symmetric
        ),
        batches=batches,
        collator=TripletCollator(
            batches.planner.table,
            features,
            query_prompt=prompt_of(model, QUERY_PROMPT),
            passage_prompt=prompt_of(model, PASSAGE_PROMPT),
        ),
        callbacks=[progress],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    trainer.train(resume_from_checkpoint=_resume_point(checkpoints) if resume else None)
    return tuple(progress.losses)


def _arguments(config: TrainingConfig, checkpoints: Path) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        max_steps=config.steps,
        # The plan covers global steps: this is the batch of all ranks, split among them.
        per_device_train_batch_size=config.batches.size,
        accelerator_config={"split_batches": True, "even_batches": False},
        learning_rate=config.optimizer.learning_rate,
        weight_decay=config.optimizer.weight_decay,
        warmup_steps=round(config.steps * config.optimizer.warmup_share),
        lr_scheduler_type=config.optimizer.schedule,
        max_grad_norm=config.optimizer.max_grad_norm,
        optim="adamw_torch_fused",
        seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=max(1, config.steps // 50),
        save_strategy="steps" if config.checkpoint_steps else "no",
        save_steps=config.checkpoint_steps or 1,
        save_total_limit=2,
        report_to=[],
        dataloader_pin_memory=torch.cuda.is_available(),
        eval_strategy="no",
    )


def _kept_start(checkpoints: Path) -> EncoderStart:
    """The start of the interrupted run: a tokenizer trained again would be another one."""
    _resume_point(checkpoints)
    return EncoderStart(kind="encoder", path=str(checkpoints / _START))


def _checkpoints(out: Path) -> Path:
    return out.with_name(f"{out.name}.checkpoints")


def _resume_point(checkpoints: Path) -> str:
    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    if not found:
        raise BadConfig(
            "there is no checkpoint to resume from",
            path=checkpoints,
            fix="Train without --resume, with checkpoint_steps set.",
        )
    return str(found[-1])
