"""One training run: files -> table -> plans -> encoder -> folder."""

from __future__ import annotations

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
from training.checkpoints import Checkpoints
from training.collator import Features, TripletCollator
from training.config import CompactStart, EncoderStart, TrainingConfig, TransformerStart
from training.data import ParallelTable, build_table
from training.dev import dev_scores
from training.leaks import Leak, check_evaluations
from training.losses import MaskedInfoNCE
from training.planner import BatchPlanner
from training.progress import TrainingBar, bar
from training.ranks import Ranks
from training.sampler import PlannedBatches
from training.saving import check_finite, check_free, publish_encoder
from training.split import chosen, is_held_out
from training.starts import prompt_of, start_encoder
from training.trainer import HybridTrainer


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Items to train on, as a table, the items of held-out pages, and evaluation texts found."""

    table: ParallelTable
    held_out: tuple[ParallelItem, ...]
    leaks: tuple[Leak, ...] = ()


def read_data(config: TrainingConfig) -> TrainingData:
    """Everything the configuration's files hold. Raises BadInput and what the readers raise."""
    held_out: list[ParallelItem] = []
    paths = expand_inputs(config.data.files, endings=ENDINGS)
    items = tqdm(read_parallel(paths), desc="reading", unit=" items", disable=None)

    sources: set[str] = set()

    def seen() -> Iterator[ParallelItem]:
        for item in items:
            sources.add(item.source)
            yield item

    def kept() -> Iterator[ParallelItem]:
        for item in chosen(seen(), config.data):
            if is_held_out(item, config.data):
                held_out.append(item)
            else:
                yield item

    table = build_table(kept(), languages=config.data.languages)
    _check_names("source", {*(config.data.sources or ()), *config.data.exclude_sources}, sources)
    _check_names("language", set(config.data.languages or ()), set(table.languages))
    leaks = check_evaluations(config.data.evaluation, table)
    return TrainingData(table, tuple(held_out), leaks)


def _check_names(what: str, named: set[str], found: set[str]) -> None:
    """Refuse a misspelt name: data meant to be left out would be trained on."""
    unknown = sorted(named - found)
    if unknown:
        raise BadConfig(
            f"no item has the {what} {', '.join(unknown)}",
            fix=f"The data has {', '.join(sorted(found))}.",
        )


def make_planner(config: TrainingConfig, table: ParallelTable) -> BatchPlanner:
    """The planner that a configuration asks for. Raises BadConfig."""
    batches = config.batches
    return BatchPlanner(
        table=table,
        strategy=config.strategy,
        batch_size=batches.size,
        seed=config.seed,
        tau=batches.tau,
        mix_sources=batches.mix_sources,
        weights=batches.weights,
        caps=batches.caps,
    )


def train(
    config: TrainingConfig, out: Path, *, overwrite: bool = False, resume: bool = False
) -> TrainingRecord:
    """Train the encoder of `config` and publish it in `out`, whole or not at all.

    With `checkpoint_steps`, an interrupted run leaves checkpoints in `OUT.checkpoints/`, from which
    `resume` goes on with the very batches that would have come next. Raises BadInput, BadConfig,
    BadEncoder.
    """
    out = out.resolve()
    check_free(out, overwrite=overwrite)
    began = time.monotonic()
    checkpoints = Checkpoints.beside(out)
    ranks = Ranks.current()
    data = read_data(config)
    batches = PlannedBatches(make_planner(config, data.table), steps=config.steps)
    ranks.check_batch(config.batches.size)
    start = checkpoints.kept_start(config, data.table) if resume else config.start
    model, features = shared_start(start, data.table, config, checkpoints, ranks, resume=resume)
    try:
        losses = fit(model, features, batches, config, checkpoints, resume=resume)
        check_finite(model)
        record = TrainingRecord(
            config=config,
            table=data.table,
            leaks=data.leaks,
            tally=batches.tally,
            losses=losses,
            seconds=time.monotonic() - began,
            processes=ranks.world,
            dev=dev_scores(model, data.held_out) if ranks.is_main else {},
        )
        if ranks.is_main:
            publish_encoder(model, out, describe=record.write, overwrite=overwrite)
    except BaseException:
        if not config.checkpoint_steps and ranks.is_main:
            checkpoints.remove()
        raise
    if ranks.is_main:
        checkpoints.remove()
    return record


def shared_start(
    start: CompactStart | EncoderStart | TransformerStart,
    table: ParallelTable,
    config: TrainingConfig,
    checkpoints: Checkpoints,
    ranks: Ranks,
    *,
    resume: bool,
) -> tuple[SentenceTransformer, Features]:
    """The encoder to train, the same in every process.

    The first process makes it; the others read what it wrote, since a tokenizer trained again
    would be another one.
    """
    begin = partial(start_encoder, table=table, seed=config.seed)
    progress = partial(bar, label="tokenising")
    with ranks.main_first():
        if not ranks.is_main:
            start = checkpoints.start if not resume else start
        model, features = begin(start, progress=progress)
        if ranks.is_main and not resume:
            checkpoints.begin(model, config, table, keep_start=ranks.world > 1)
    return model, features


def fit(
    model: SentenceTransformer,
    features: Features,
    batches: PlannedBatches,
    config: TrainingConfig,
    checkpoints: Checkpoints,
    *,
    resume: bool = False,
) -> tuple[tuple[int, float], ...]:
    """Train `model` in place; (step, loss) of every log."""
    trainer = HybridTrainer(
        model=model,
        args=_arguments(config, checkpoints.folder),
        loss=MaskedInfoNCE(
            model,
            temperature=config.loss.temperature,
            symmetric=config.loss.symmetric,
            gather_across_devices=config.loss.gather and Ranks.current().world > 1,
        ),
        batches=batches,
        collator=TripletCollator(
            batches.planner.table,
            features,
            query_prompt=prompt_of(model, QUERY_PROMPT),
            passage_prompt=prompt_of(model, PASSAGE_PROMPT),
        ),
        callbacks=[TrainingBar()],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    trainer.train(resume_from_checkpoint=checkpoints.latest() if resume else None)
    # The trainer's own log, which a checkpoint restores.
    logged = (entry for entry in trainer.state.log_history if "loss" in entry)
    return tuple((int(entry["step"]), float(entry["loss"])) for entry in logged)


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
