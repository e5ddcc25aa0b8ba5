"""From vectors to an index on disk: chosen, trained, filled, tuned, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.vectors import faiss_engine
from retrieval.vectors.index import VectorIndex
from retrieval.vectors.kinds import (
    AUTO,
    POINTS_A_CENTROID,
    IndexKind,
    IndexPlan,
    check_kind,
    flat_plan,
    plan_index,
)
from retrieval.vectors.sampling import sample_rows
from retrieval.vectors.tuning import HELD_OUT, RECALL_K, Corpus, Recall, Speed, measure, tune

TARGET_RECALL = 0.98
"""Recall@10 that the search parameters of an index are tuned to."""

# faiss samples 256 vectors a centroid by itself; 128 gave the same recall in half the time.
_TRAINING_A_CENTROID = 128
_FEWEST_TRAINING = 16_384

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What index to build.

    kind: auto, a kind, or a string of faiss' index factory.
    target_recall: recall@10 against exact search that the search parameters are tuned to.
    seed: of the training sample, the clusterings and the passages held out.
    """

    kind: str = AUTO
    target_recall: float = TARGET_RECALL
    seed: int = 0

    def __post_init__(self) -> None:
        check_kind(self.kind)
        if not 0 < self.target_recall <= 1:
            raise BadInput(
                f"the target of recall is {self.target_recall}, expected more than 0, at most 1"
            )

    def check(self, dim: int) -> None:
        """Raise BadInput where no index of vectors of `dim` dimensions can be made."""
        plan = plan_index(self.kind, rows=1_000, dim=dim)
        faiss_engine.empty_index(plan.factory, dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """An index that was built. speed: None for an exact one."""

    kind: IndexKind
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)
    recall: Recall
    speed: Speed | None = None


def build_index(vectors_PD: NDArray[np.float32], path: Path, *, kind: IndexKind) -> dict[str, str]:
    """Index the rows of `vectors_PD`, all of one language, as `make_index` does.

    Returns the parameters to record.
    """
    options = IndexOptions(kind=kind)
    corpus = Corpus(
        vectors_PD=vectors_PD, languages=("",), codes_P=np.zeros(len(vectors_PD), dtype=np.int32)
    )
    return make_index(corpus, path, options=options).parameters


def make_index(
    corpus: Corpus, path: Path, *, options: IndexOptions, tell: Tell = lambda _: None
) -> IndexReport:
    """Index the vectors of `corpus` (memory-mapped or not) into the file `path`.

    tell: hears of each stage that can take long.
    Raises BadInput where faiss cannot make the index, MachineFailure where it cannot be written.
    """
    rows, dim = corpus.vectors_PD.shape
    plan = plan_index(options.kind, rows=rows, dim=dim)
    index = faiss_engine.empty_index(plan.factory, dim)
    centroids = faiss_engine.codebook(index, plan.factory)
    needed = POINTS_A_CENTROID * centroids
    held_out = _held_out(corpus, options)
    if plan.kind is IndexKind.FACTORY and rows - len(held_out) < needed:
        plan = flat_plan(
            f"{rows:,} passages are too few for {plan.factory}, which trains on {needed:,}"
        )
        index = faiss_engine.empty_index(plan.factory, dim)
    threads = faiss_engine.all_threads()
    if not index.is_trained:
        tell(f"training the index {plan.factory}")
        sample_ND = _training_sample(corpus, centroids, held_out, options)
        faiss_engine.train(index, sample_ND, seed=options.seed)
    tell(f"filling the index {plan.factory}")
    faiss_engine.add(index, corpus.vectors_PD, threads=threads)
    engine = faiss_engine.FaissEngine(index)
    recall, speed = _exact(options), None
    if not engine.complete:
        tell("measuring the index against exact search")
        recall, speed = _tuned(engine, corpus, held_out, options, threads)
    faiss_engine.write(index, path)
    return IndexReport(
        kind=plan.kind,
        reason=plan.reason,
        parameters=_parameters(plan, engine),
        recall=recall,
        speed=speed,
    )


def _tuned(
    engine: faiss_engine.FaissEngine,
    corpus: Corpus,
    held_out: NDArray[np.int64],
    options: IndexOptions,
    threads: int,
) -> tuple[Recall, Speed]:
    """Tuned with every other held-out passage, measured with the rest."""
    target = options.target_recall
    if len(held_out) == 1:
        held_out = np.repeat(held_out, 2)
    tune(engine, corpus, held_out[::2], target=target, threads=threads)
    index = VectorIndex(engine, corpus.vectors_PD, threads=1)
    return measure(index, corpus, held_out[1::2], target=target, threads=threads)


def _exact(options: IndexOptions) -> Recall:
    return Recall(k=RECALL_K, queries=0, target=options.target_recall, overall=1.0)


def _held_out(corpus: Corpus, options: IndexOptions) -> NDArray[np.int64]:
    """Rows to tune and to measure with: at most one in ten passages."""
    total = min(HELD_OUT, -(-len(corpus.codes_P) // 10))
    return sample_rows(corpus.codes_P, total, rng=np.random.default_rng((options.seed, 0)))


def _training_sample(
    corpus: Corpus, centroids: int, held_out: NDArray[np.int64], options: IndexOptions
) -> NDArray[np.float32]:
    """Vectors of all languages, by the square root of their counts, without those held out."""
    codes_P = corpus.codes_P.astype(np.int64)
    codes_P[held_out] = -1
    total = max(_FEWEST_TRAINING, _TRAINING_A_CENTROID * centroids)
    rows = sample_rows(codes_P, total, rng=np.random.default_rng((options.seed, 1)))
    return np.ascontiguousarray(corpus.vectors_PD[rows])


def _parameters(plan: IndexPlan, engine: faiss_engine.FaissEngine) -> dict[str, str]:
    parameters = {"faiss": faiss_engine.VERSION}
    if engine.complete:
        return parameters
    return parameters | {
        "factory": plan.factory,
        faiss_engine.EFFORT: str(engine.effort),
        faiss_engine.OVERSAMPLE: str(engine.oversample),
    }
