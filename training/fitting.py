"""The loop: sentence-transformers' trainer with planned batches and the configured loss."""

from __future__ import annotations

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import PrinterCallback, ProgressCallback

from retrieval.encoder import PASSAGE_PROMPT, QUERY_PROMPT
from training.checkpoints import Checkpoints
from training.collator import Features, TripletCollator
from training.config import TrainingConfig
from training.data import ParallelTable
from training.distillation import RerankerScores, TeacherVectors
from training.objective import make_loss
from training.progress import TrainingBar
from training.ranks import Ranks
from training.sampler import PlannedBatches
from training.starts import prompt_of
from training.trainer import HybridTrainer


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
    ranks = Ranks.current()
    trainer = HybridTrainer(
        model=model,
        args=_arguments(config, checkpoints.folder),
        loss=make_loss(model, config.loss, processes=ranks.world),
        batches=batches,
        collator=make_collator(model, features, batches.planner.table, config),
        callbacks=[TrainingBar()] if ranks.is_main else [],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    trainer.train(resume_from_checkpoint=checkpoints.latest() if resume else None)
    # The trainer's own log, which a checkpoint restores.
    logged = (entry for entry in trainer.state.log_history if "loss" in entry)
    return tuple((int(entry["step"]), float(entry["loss"])) for entry in logged)


def make_collator(
    model: SentenceTransformer, features: Features, table: ParallelTable, config: TrainingConfig
) -> TripletCollator:
    """What turns planned triplets into batches, with what a teacher and a reranker say of them."""
    loss = config.loss
    return TripletCollator(
        table,
        features,
        query_prompt=prompt_of(model, QUERY_PROMPT),
        passage_prompt=prompt_of(model, PASSAGE_PROMPT),
        teacher=None
        if loss.teacher is None
        else TeacherVectors.encode(loss.teacher, table, dim=model.get_embedding_dimension() or 0),
        reranker=None if loss.reranker is None else RerankerScores.load(loss.reranker, table),
    )


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
