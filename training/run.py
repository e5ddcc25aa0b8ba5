"""One training run: files -> table -> plans -> encoder -> folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sentence_transformers import SentenceTransformer
from tqdm import tqdm

from retrieval.errors import BadConfig
from retrieval.formats.files import expand_inputs
from retrieval.formats.parallel import ENDINGS, read_parallel
from retrieval.types import ParallelItem
from training.card import TrainingRecord
from training.checkpoints import Checkpoints
from training.collator import Features
from training.config import CompactStart, EncoderStart, TrainingConfig, TransformerStart
from training.data import ParallelTable, build_table
from training.dev import dev_items, dev_scores
from training.fitting import check_compute, fit
from training.leaks import Leak, check_evaluations
from training.objective import check_negatives
from training.planner import BatchPlanner
from training.progress import bar
from training.ranks import Ranks
from training.sampler import PlannedBatches
from training.saving import check_finite, check_free, publish_encoder
from training.split import chosen, is_held_out
from training.starts import start_encoder


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Items to train on, as a table, the items of held-out pages, and evaluation texts found."""

    table: ParallelTable
    held_out: tuple[ParallelItem, ...]
    leaks: tuple[Leak, ...] = ()


def read_data(config: TrainingConfig) -> TrainingData:
    """Everything the configuration's files hold. Raises BadInput and what the readers raise."""
    held_out: list[ParallelItem] = []
    items = tqdm(read_items(config), desc="reading", unit=" items", disable=None)

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


def read_items(config: TrainingConfig) -> Iterator[ParallelItem]:
    """Every item of the configuration's files. Raises BadInput and what the readers raise."""
    return read_parallel(expand_inputs(config.data.files, endings=ENDINGS))


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
        negatives=batches.negatives,
    )


def train(
    config: TrainingConfig, out: Path, *, overwrite: bool = False, resume: bool = False
) -> TrainingRecord:
    """Train the encoder of `config` and publish it in `out`, whole or not at all.

    An interrupted run leaves checkpoints in `OUT.checkpoints/` (one at the step of the interrupt,
    and one every `checkpoint_steps`), from which `resume` goes on with the very batches that would
    have come next. Raises BadInput, BadConfig, BadEncoder, MachineFailure.
    """
    out = out.resolve()
    check_free(out, overwrite=overwrite)
    began = time.monotonic()
    checkpoints = Checkpoints.beside(out)
    ranks = Ranks.current()
    data = read_data(config)
    batches = PlannedBatches(make_planner(config, data.table), steps=config.steps)
    ranks.check_batch(config.batches.size)
    check_negatives(config.loss, data.table, config.batches.negatives)
    held_out = dev_items(data.held_out, config)
    check_compute(config)
    start = checkpoints.kept_start(config, data.table) if resume else config.start
    model, features = shared_start(start, data.table, config, checkpoints, ranks, resume=resume)
    try:
        fitted = fit(model, features, batches, config, checkpoints, held_out, resume=resume)
        check_finite(model)
        record = TrainingRecord(
            config=config,
            table=data.table,
            leaks=data.leaks,
            tally=batches.tally_of(fitted.steps),
            fitted=fitted,
            seconds=time.monotonic() - began,
            processes=ranks.world,
            dev=dev_scores(model, data.held_out) if ranks.is_main else {},
        )
        if ranks.is_main:
            publish_encoder(model, out, describe=record.write, overwrite=overwrite)
    except BaseException:
        if ranks.is_main:
            checkpoints.tidy()
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
            checkpoints.begin(model, config, table)
    return model, features
