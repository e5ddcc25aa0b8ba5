"""A training run as a file: YAML with one section a concern, checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from retrieval.errors import BadConfig, BadInput
from retrieval.formats.configs import checked, expanded, read_mapping
from training.strategies import AlphaRamp, Strategy, StrategyName


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True
    )


class CompactStart(_Section):
    """A bag-of-subwords encoder from scratch: tokenizer and vectors are trained on the data.

    tokenizer: a tokenizer.json to use instead of training one. Training one is not repeatable to
    the last subword (its library breaks ties at random); with this, a run is.
    """

    kind: Literal["compact"]
    vocabulary: int = Field(default=40_000, ge=64)
    dim: int = Field(default=512, ge=8)
    characters_per_language: int = Field(default=2_000_000, ge=1_000)
    tokenizer: str | None = None


class EncoderStart(_Section):
    """An encoder that exists: a sentence-transformers folder or hub name; default: the bundled.

    query_prompt, passage_prompt, max_tokens: in place of the encoder's own.
    """

    kind: Literal["encoder"]
    path: str | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    max_tokens: int | None = Field(default=None, ge=8)


class TransformerStart(_Section):
    """Any Hugging Face checkpoint, given a pooling, a unit norm and the paper's prompts."""

    kind: Literal["transformer"]
    checkpoint: str
    pooling: Literal["mean", "cls"] = "mean"
    max_tokens: int = Field(default=256, ge=8)
    query_prompt: str = "Query: "
    passage_prompt: str = "Passage: "


class Data(_Section):
    """What to train on. `dev_share` of the pages is held out, a page always whole.

    evaluation: folders of LAReQA's layout (such as XQuAD-R) whose texts must not be among the
    training texts (see training/leaks.py).
    """

    files: tuple[str, ...]
    sources: tuple[str, ...] | None = None
    exclude_sources: tuple[str, ...] = ()
    languages: tuple[str, ...] | None = None
    dev_share: float = Field(default=0.0, ge=0, lt=1)
    whole_sources: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()


class ScheduledAlpha(_Section):
    """An alpha that moves in a straight line, over `over` steps (default: all)."""

    first: float = Field(alias="from", ge=0, le=1)
    last: float = Field(alias="to", ge=0, le=1)
    over: int | None = Field(default=None, ge=1)


class Batches(_Section):
    """How batches are drawn (see training/strategies.py and training/planner.py).

    alpha: a number, or `{from: .9, to: .1}`: a straight line over the run's steps (`over`: another
    number of steps). size: triplets of a step, of all processes together.
    negatives: of the negatives that items come with, at most so many a triplet.
    A source is drawn in proportion to weights[source] * min(items, caps[source]) ** tau.
    """

    strategy: StrategyName = StrategyName.HYBRID
    alpha: Annotated[float, Field(ge=0, le=1)] | ScheduledAlpha = 0.5
    size: int = Field(default=100, ge=2)
    tau: float = Field(default=1.0, ge=0, le=2)
    mix_sources: bool = False
    negatives: int = Field(default=1, ge=0)
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    caps: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class Teacher(_Section):
    """A teacher's vectors as targets of the encoder's own (arXiv 2004.09813).

    path: an encoder folder or hub name, of the encoder's own size; default: the bundled one.
    language: what the teacher reads, whatever language the encoder reads of the item; null: the
    very same text. metric: cosine distance, or mean squared error over the components.
    """

    path: str | None = None
    language: str | None = "en"
    metric: Literal["cosine", "mse"] = "cosine"
    weight: float = Field(default=1.0, gt=0)


class Reranker(_Section):
    """A cross-encoder's scores of a triplet's passage and given negatives, as a distribution.

    The loss is the KL divergence of the encoder's own distribution from it, each over its own
    temperature.
    """

    path: str
    weight: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    student_temperature: float = Field(default=0.05, gt=0)


class Loss(_Section):
    """InfoNCE over cosine similarities, with what may be added to it.

    symmetric: the mean of both directions. paper_eq1: only given negatives in the denominator, as
    equation 1 of arXiv 2408.10536 has it (its text, and the default, adds those of the batch).
    gather: with several processes, the passages of all of them are negatives, so that a batch means
    the same on any number; otherwise each process has only its own.
    mini_batch: texts encoded at a time where the whole batch does not fit in memory (gradient
    caching, arXiv 2101.06983); the loss is the same. matryoshka: also trained at these sizes.
    weight: of InfoNCE beside teacher and reranker; 0 leaves it out.
    """

    temperature: float = Field(default=0.05, gt=0)
    symmetric: bool = False
    paper_eq1: bool = False
    gather: bool = True
    mini_batch: int | None = Field(default=None, ge=1)
    matryoshka: tuple[Annotated[int, Field(ge=1)], ...] = ()
    weight: float = Field(default=1.0, ge=0)
    teacher: Teacher | None = None
    reranker: Reranker | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Loss:
        if self.paper_eq1 and self.symmetric:
            raise ValueError("paper_eq1 has one direction: it cannot be symmetric")
        if not self.weight and self.teacher is None and self.reranker is None:
            raise ValueError("a weight of 0 needs a teacher or a reranker to learn from")
        return self


class Optimizer(_Section):
    """AdamW with linear warm-up and decay; defaults are the paper's.

    max_grad_norm: gradients are clipped to this norm; 0 leaves them alone.
    """

    learning_rate: float = Field(default=3e-5, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    max_grad_norm: float = Field(default=1.0, ge=0)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"


class Lora(_Section):
    """Low-rank adapters in place of all weights (arXiv 2106.09685); merged into the result.

    targets: endings of the names of the layers that get one; those of BERT, XLM-R and their kin.
    """

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: tuple[str, ...] = ("query", "key", "value")


class Compute(_Section):
    """How the steps of a transformer are computed.

    precision: of activations; weights stay float32. gradient_checkpointing: activations are not
    kept but computed twice. compile: by torch.compile, which pays on long runs on a GPU.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    gradient_checkpointing: bool = False
    compile: bool = False


class Selection(_Section):
    """Which state of the run is the result, measured on held-out pages every `dev_steps` steps.

    dev_steps: 0 takes the last state. criterion: `macro`, the mean of MRR@10 within a language,
    across languages and in a mixed pool, or `english-loss`, InfoNCE on English batches of
    batches.size (the paper's). patience: stop after so many measurements without a better one; 0
    never. items: measure on at most so many questions.
    """

    dev_steps: int = Field(default=0, ge=0)
    criterion: Literal["macro", "english-loss"] = "macro"
    patience: int = Field(default=0, ge=0)
    items: int | None = Field(default=None, ge=1)


class Mining(_Section):
    """How `synglot train mine` chooses hard negatives (see training/mine.py).

    per_question: at most so many from each search. ranks: first and last rank that counts, among
    the passages that are no copies of the question's own; 1 is the most similar. margin: a negative
    scores at least so much less (cosine) than the question's own passage.
    monolingual: search with the question in the passages' language. cross_lingual: search with the
    question in another language, drawn at random for each item and language of passages.
    """

    per_question: int = Field(default=4, ge=1)
    ranks: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 50)
    margin: float = Field(default=0.05, ge=0, le=2)
    monolingual: bool = True
    cross_lingual: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Mining:
        if self.ranks[0] > self.ranks[1]:
            raise ValueError("the first of mining.ranks is behind the last")
        if not (self.monolingual or self.cross_lingual):
            raise ValueError("mining is neither monolingual nor cross_lingual")
        return self


class TrainingConfig(_Section):
    """One training run."""

    start: Annotated[CompactStart | EncoderStart | TransformerStart, Field(discriminator="kind")]
    data: Data
    batches: Batches = Batches()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    compute: Compute = Compute()
    lora: Lora | None = None
    selection: Selection = Selection()
    mining: Mining = Mining()
    steps: int = Field(ge=1)
    seed: int = Field(default=1, ge=0, lt=2**32)
    checkpoint_steps: int = Field(default=0, ge=0)
    out: str | None = None

    @property
    def save_steps(self) -> int:
        """Steps between checkpoints, 0 for none: the best state must be among them."""
        return self.selection.dev_steps or self.checkpoint_steps

    @property
    def strategy(self) -> Strategy:
        """The strategy of its batches."""
        name, alpha = self.batches.strategy, self.batches.alpha
        if isinstance(alpha, ScheduledAlpha):
            steps = alpha.over or self.steps
            return Strategy(name, AlphaRamp(first=alpha.first, last=alpha.last, steps=steps))
        return Strategy(name, alpha)


def shipped_config(name: str) -> Path:
    """The configuration of that name that comes with Synglot: `compact`, say. Raises BadInput."""
    folder = Path(__file__).parent / "configs"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise BadInput(f"no configuration file {name!r}", fix=f"Shipped ones are {names}.")
    return path


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """The run that a YAML file describes, `section.key=value` overrides applied.

    `${NAME}` and `${NAME:-default}` stand for environment variables. Raises BadConfig with the
    place of every mistake.
    """
    raw = read_mapping(path)
    for override in overrides:
        _apply(raw, override)
    return parse_config(expanded(raw, path), path=path)


def parse_config(raw: object, *, path: Path | None = None) -> TrainingConfig:
    """A checked configuration. Raises BadConfig that lists every mistake."""
    fix = "See the configurations in training/configs/."
    return checked(TrainingConfig, raw, path=path, fix=fix)


def _apply(raw: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals:
        raise BadConfig(f"--set {override!r} is not of the form key=value")
    *sections, key = name.split(".")
    target: Any = raw
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise BadConfig(f"--set {override!r}: {section!r} is not a section")
    try:
        target[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadConfig(f"--set {override!r}: the value is not YAML") from error
