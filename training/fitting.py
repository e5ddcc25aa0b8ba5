"""The loop: sentence-transformers' trainer with planned batches and the configured loss."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from retrieval.encoder import PASSAGE_PROMPT, QUERY_PROMPT
from retrieval.errors import BadConfig, MachineFailure
from retrieval.types import ParallelItem
from training.checkpoints import Checkpoints
from training.collator import Features, TripletCollator
from training.config import TrainingConfig
from training.data import ParallelTable
from training.dev import DevEvaluator
from training.distillation import RerankerScores, TeacherVectors
from training.lora import add_adapters, merge_adapters
from training.objective import make_loss
from training.progress import TrainingBar
from training.ranks import Ranks
from training.sampler import PlannedBatches
from training.starts import prompt_of
from training.stopping import Interruption, Patience
from training.trainer import HybridTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What came of a run: (step, loss) of every log, steps done, and every measurement.

    best_step: whose state the encoder has; the last one where nothing was measured.
    """

    losses: tuple[tuple[int, float], ...]
    steps: int
    best_step: int
    dev_history: tuple[dict[str, float], ...] = ()


def fit(
    model: SentenceTransformer,
    features: Features,
    batches: PlannedBatches,
    config: TrainingConfig,
    checkpoints: Checkpoints,
    held_out: Sequence[ParallelItem] = (),
    *,
    resume: bool = False,
) -> Fitted:
    """Train `model` in place, up to its best state on `held_out` where there are such items.

    Raises KeyboardInterrupt after the step of a Ctrl-C, its state kept in a checkpoint;
    MachineFailure where memory or disk do not suffice.
    """
    ranks, interruption = Ranks.current(), Interruption()
    if config.lora is not None:
        add_adapters(model, config.lora, seed=config.seed)
    if config.compute.gradient_checkpointing:
        _checkpoint_gradients(model)
    evaluator = DevEvaluator(held_out, config) if held_out else None
    trainer = HybridTrainer(
        model=model,
        args=_arguments(config, checkpoints.folder, evaluator),
        loss=make_loss(model, config.loss, processes=ranks.world),
        evaluator=evaluator,
        batches=batches,
        collator=make_collator(model, features, batches.planner.table, config),
        callbacks=_callbacks(config, ranks, interruption, evaluator),
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    with interruption.listening() if ranks.world == 1 else nullcontext():
        try:
            trainer.train(resume_from_checkpoint=checkpoints.latest() if resume else None)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(config) from error
    if config.lora is not None:
        merge_adapters(model)
    return _fitted(trainer, evaluator)


def check_compute(config: TrainingConfig) -> None:
    """Refuse what this machine cannot compute. Raises BadConfig."""
    if config.compute.precision == "float16" and not torch.cuda.is_available():
        raise BadConfig(
            "compute.precision float16 needs a GPU, and none was found",
            fix="Use bfloat16 or float32.",
        )


def _checkpoint_gradients(model: SentenceTransformer) -> None:
    transformer: Any = model.transformers_model
    if transformer is None:
        raise BadConfig(
            "compute.gradient_checkpointing goes with transformers alone", fix="Leave it out."
        )
    enable = getattr(transformer, "activation_checkpointing_enable", None)
    # The reentrant kind goes neither with several processes nor with gradient caching.
    (enable or transformer.gradient_checkpointing_enable)({"use_reentrant": False})


def out_of_memory(config: TrainingConfig) -> MachineFailure:
    """What to turn down, first what changes nothing in the result."""
    compute, knobs = config.compute, []
    if config.start.kind != "compact":
        smaller = None if config.loss.mini_batch is None else max(1, config.loss.mini_batch // 2)
        knobs.append(f"loss.mini_batch={smaller or 16} (the same loss, in parts)")
    if not compute.gradient_checkpointing:
        knobs.append("compute.gradient_checkpointing=true")
    if compute.precision == "float32":
        knobs.append("compute.precision=bfloat16")
    knobs += ["start.max_tokens lower", "batches.size lower (fewer negatives)"]
    return MachineFailure(
        f"the GPU ran out of memory with batches of {config.batches.size}",
        fix=f"Set one of these, best first: {'; '.join(knobs)}.",
    )


def _callbacks(
    config: TrainingConfig,
    ranks: Ranks,
    interruption: Interruption,
    evaluator: DevEvaluator | None,
) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [interruption]
    if ranks.is_main:
        callbacks.append(TrainingBar())
    if evaluator is not None and config.selection.patience:
        callbacks.append(Patience(config.selection.patience))
    return callbacks


def _fitted(trainer: HybridTrainer, evaluator: DevEvaluator | None) -> Fitted:
    """From the trainer's own log, which a checkpoint restores."""
    state = trainer.state
    history = []
    if evaluator is not None:
        history = [
            {"step": entry["step"]}
            | {k.removeprefix("eval_"): v for k, v in entry.items() if _is_measurement(k)}
            for entry in state.log_history
            if f"eval_{evaluator.metric}" in entry
        ]
    return Fitted(
        losses=tuple(
            (int(entry["step"]), float(entry["loss"]))
            for entry in state.log_history
            if "loss" in entry
        ),
        steps=int(state.global_step),
        best_step=int(state.best_global_step or state.global_step),
        dev_history=tuple(history),
    )


def _is_measurement(name: str) -> bool:
    speeds = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
    return name.startswith("eval_") and name not in speeds


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


def _arguments(
    config: TrainingConfig, checkpoints: Path, evaluator: DevEvaluator | None
) -> SentenceTransformerTrainingArguments:
    compute = config.compute
    selecting: dict[str, Any] = {"eval_strategy": "no"}
    if evaluator is not None:
        selecting = {
            "eval_strategy": "steps",
            "eval_steps": config.selection.dev_steps,
            "load_best_model_at_end": True,
            "metric_for_best_model": evaluator.metric,
            "greater_is_better": evaluator.greater_is_better,
        }
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
        bf16=compute.precision == "bfloat16",
        fp16=compute.precision == "float16",
        torch_compile=compute.compile,
        save_strategy="steps" if config.save_steps else "no",
        save_steps=config.save_steps or 1,
        save_total_limit=2,
        report_to=[],
        dataloader_pin_memory=torch.cuda.is_available(),
        **selecting,
    )
