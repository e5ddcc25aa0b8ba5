"""How well an encoder does on held-out pages of its training sources."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from retrieval.benchmark.pools import questions_of
from retrieval.encoder import Encoder
from retrieval.errors import BadConfig
from retrieval.evaluation import rank_query_set
from retrieval.metrics.measure import Measure
from retrieval.types import ParallelItem
from training.config import TrainingConfig
from training.data import build_table
from training.losses import InfoNCE
from training.planner import ENGLISH

_MEASURE = Measure.parse("MRR@10")


def dev_items(held_out: Sequence[ParallelItem], config: TrainingConfig) -> tuple[ParallelItem, ...]:
    """The questions to measure on while training, in an order of their own; none without dev_steps.

    The same ones whatever else is held out, by a hash of their ids. Raises BadConfig where the
    criterion has nothing to measure on.
    """
    selection = config.selection
    if not selection.dev_steps:
        return ()
    questions = [item for item in held_out if not item.is_translation]
    if selection.criterion == "english-loss":
        questions = [i for i in questions if ENGLISH in i.query and ENGLISH in i.passage]
    if not questions:
        raise BadConfig(
            f"selection.dev_steps measures the {selection.criterion} of held-out questions, and no"
            " such question is held out",
            fix="Raise data.dev_share, or set selection.dev_steps to 0.",
        )
    return tuple(sorted(questions, key=_lot)[: selection.items])


def dev_scores(model: SentenceTransformer, held_out: Sequence[ParallelItem]) -> dict[str, float]:
    """MRR@10 of the held-out questions: within a language, across languages, and in one pool.

    Within and across: the corpus restricted to one language, macro means over (pairs of) languages.
    In the pool all passages of an item, in every language, are relevant; macro over question
    languages. Empty where no question with a passage was held out.
    """
    questions = [item for item in held_out if not item.is_translation]
    if not questions:
        return {}
    pool = questions_of(questions)
    ranked = rank_query_set(pool.query_set, pool.ranker(Encoder(model, path="")))
    by_pair = ranked.means_by_pair({"value": _MEASURE})
    pooled = ranked.means_by_language(ranked.values(_MEASURE))
    same = [float(entry["value"]) for (q, p), entry in by_pair.items() if q == p]
    other = [float(entry["value"]) for (q, p), entry in by_pair.items() if q != p]
    return {
        "MRR@10 within a language": float(np.mean(same)) if same else 0.0,
        "MRR@10 across languages": float(np.mean(other)) if other else 0.0,
        "MRR@10 in a mixed pool": float(np.mean(list(pooled.values()))),
    }


def macro_score(scores: Mapping[str, float]) -> float:
    """Mean of the three scores: good within, across and in the pool alike."""
    return float(np.mean(list(scores.values())))


def english_loss(
    model: SentenceTransformer, items: Sequence[ParallelItem], *, temperature: float, size: int
) -> float:
    """InfoNCE of English questions, in consecutive batches of `size`, in the order given.

    A loss over in-batch negatives depends on the batch: both are fixed, and what does not fill a
    batch is left out, unless it is all there is. The paper's criterion (arXiv 2408.10536).
    """
    table = build_table(items, languages=[ENGLISH])
    encoder = Encoder(model, path="")
    rows = [side[:, 0] for side in (table.queries_NL, table.passages_NL)]
    vectors = [
        torch.from_numpy(encode(table.text(side)))
        for encode, side in zip(
            (encoder.encode_queries, encoder.encode_passages), rows, strict=True
        )
    ]
    keys = torch.from_numpy(
        np.column_stack([table.component_N, *(table.keys_T[side] for side in rows)])
    )
    info_nce = InfoNCE(temperature=temperature)
    width = min(size, len(table))
    losses = [
        float(
            info_nce.loss(
                [side[start : start + width] for side in vectors],
                keys[start : start + width],
                slice(None),
            )
        )
        for start in range(0, len(table) - width + 1, width)
    ]
    return float(np.mean(losses))


class DevEvaluator(BaseEvaluator):
    """The criterion of a configuration, as sentence-transformers' trainer calls it."""

    def __init__(self, items: Sequence[ParallelItem], config: TrainingConfig) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._items, self._config = items, config
        self.greater_is_better = config.selection.criterion == "macro"

    @property
    def metric(self) -> str:
        """Name of what `selection.criterion` compares."""
        return self._config.selection.criterion.replace("-", "_")

    def __call__(
        self,
        model: Any,
        output_path: str | None = None,  # noqa: ARG002
        epoch: float = -1,  # noqa: ARG002
        steps: int = -1,  # noqa: ARG002
    ) -> dict[str, float]:
        """The criterion under `metric`, and what it was made of."""
        if self.greater_is_better:
            scores = dev_scores(model, self._items)
            return {self.metric: macro_score(scores)} | scores
        loss = english_loss(
            model,
            self._items,
            temperature=self._config.loss.temperature,
            size=self._config.batches.size,
        )
        return {self.metric: loss}


def _lot(item: ParallelItem) -> bytes:
    return hashlib.sha256(item.id.encode()).digest()
