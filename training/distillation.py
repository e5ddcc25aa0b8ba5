"""Learning from others: a teacher's vectors, a reranker's scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder
from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss, EmbedDistillLoss
from sentence_transformers.util import pairwise_cos_sim
from torch import Tensor
from torch.nn.functional import normalize

from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadConfig, BadEncoder
from training.config import Reranker, Teacher
from training.data import ParallelTable
from training.losses import Labels

TEACHER = "teacher"
"""Label: [B, 2, dim] target vectors of questions and passages, zero where there is none."""

SCORES = "scores"
"""Label: [B, 1 + K] scores of the passage and the given negatives, -inf where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class TeacherVectors:
    """Unit vectors of texts: text t has vectors_MD[place_T[t]], or none where that is -1."""

    vectors_MD: NDArray[np.float32]
    place_T: NDArray[np.int64]
    column: int | None

    @classmethod
    def encode(cls, teacher: Teacher, table: ParallelTable, *, dim: int) -> TeacherVectors:
        """What the teacher makes of the table. Raises BadEncoder, BadConfig."""
        encoder = Encoder.load(teacher.path or COMPACT)
        if encoder.dim != dim:
            raise BadConfig(
                f"the teacher's vectors have {encoder.dim} dimensions, the encoder's {dim}",
                fix="Choose a teacher of the encoder's size (or start.dim of a compact one).",
            )
        column = _column(teacher, table)
        vectors: list[NDArray[np.float32]] = []
        place_T = np.full(len(table.keys_T), -1, dtype=np.int64)
        done = 0
        for matrix_NL, encode in (
            (table.queries_NL, encoder.encode_queries),
            (table.passages_NL, encoder.encode_passages),
        ):
            rows = np.unique(matrix_NL if column is None else matrix_NL[:, column])
            rows = rows[(rows >= 0) & (place_T[rows] < 0)]
            vectors.append(encode(table.text(rows), progress=True))
            place_T[rows] = np.arange(done, done + len(rows))
            done += len(rows)
        return cls(np.concatenate(vectors), place_T, column)

    def targets(self, rows_BL: NDArray[np.integer], langs_B: NDArray[np.int64]) -> Tensor:
        """[B, dim] for items of one side: rows_BL of their texts; zero where there is none."""
        columns = langs_B if self.column is None else np.full(len(langs_B), self.column)
        rows_B = rows_BL[np.arange(len(langs_B)), columns]
        places_B = np.where(rows_B >= 0, self.place_T[rows_B], -1)
        vectors_BD = self.vectors_MD[places_B] * (places_B >= 0)[:, None]
        return torch.from_numpy(vectors_BD.astype(np.float32))


def _column(teacher: Teacher, table: ParallelTable) -> int | None:
    if teacher.language is None:
        return None
    if teacher.language not in table.languages:
        raise BadConfig(
            f"no item has a text in the teacher's language {teacher.language!r}",
            fix=f"The data has {', '.join(table.languages)}; null reads the text itself.",
        )
    return table.languages.index(teacher.language)


class TeacherTerm:
    """weight * distance of questions and passages from the teacher's vectors, where it has any.

    Mean over the texts of a side, then over the two sides. Nothing at smaller (Matryoshka) sizes.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._weight = teacher.weight
        # Only its arithmetic is used: it never encodes, so it needs no encoder.
        no_encoder: Any = None
        self._loss = EmbedDistillLoss(no_encoder, distance_metric=teacher.metric)

    def __call__(self, embeddings: list[Tensor], labels: Labels) -> Tensor:
        """See `Term`."""
        targets = labels[TEACHER]
        pairs = []
        for side in range(2):
            known = targets[:, side].abs().sum(dim=1) > 0
            if bool(known.any()) and embeddings[side].shape[1] == targets.shape[2]:
                own = normalize(embeddings[side][known].float(), dim=1)
                pairs.append((own, targets[known, side]))
        if not pairs:
            return embeddings[0].sum() * 0
        loss: Tensor = self._loss.compute_loss_from_embeddings(*map(list, zip(*pairs, strict=True)))
        return self._weight * loss


@dataclass(frozen=True, slots=True, eq=False)
class RerankerScores:
    """A cross-encoder's scores of questions with texts, each pair scored once."""

    model: CrossEncoder
    table: ParallelTable
    _known: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def load(cls, reranker: Reranker, table: ParallelTable) -> RerankerScores:
        """Raises BadEncoder where it is no cross-encoder of one score."""
        try:
            model = CrossEncoder(reranker.path, trust_remote_code=False)
        except Exception as error:
            raise BadEncoder(
                f"cannot load the reranker {reranker.path!r} ({type(error).__name__}: {error})",
                fix="Give a cross-encoder's folder or hub name.",
            ) from error
        if model.num_labels != 1:
            raise BadEncoder(f"the reranker {reranker.path!r} gives {model.num_labels} scores")
        return cls(model, table)

    def scores(self, query_rows: NDArray[np.integer], rows: NDArray[np.integer]) -> Tensor:
        """[n] raw scores of pairs of text rows; -inf where the second is -1."""
        pairs = [(int(q), int(p)) for q, p in zip(query_rows, rows, strict=True)]
        new = sorted({pair for pair in pairs if pair[1] >= 0} - self._known.keys())
        if new:
            texts = [self.table.text(np.array(side)) for side in zip(*new, strict=True)]
            found = self.model.predict(
                list(zip(*texts, strict=True)),
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
            self._known.update(zip(new, map(float, found), strict=True))
        values = [self._known[pair] if pair[1] >= 0 else -np.inf for pair in pairs]
        return torch.tensor(values, dtype=torch.float32)


class RerankerTerm:
    """weight * KL(reranker's distribution || encoder's) over a triplet's passage and negatives.

    Mean over the triplets that have all their given negatives; each distribution is a softmax of
    scores (of cosines, for the encoder) over its temperature.
    """

    def __init__(self, reranker: Reranker) -> None:
        # The library multiplies by the square of the student's temperature: here the weight rules.
        self._weight = reranker.weight / reranker.student_temperature**2
        no_encoder: Any = None  # as above
        self._loss = DistillKLDivLoss(
            no_encoder,
            similarity_fct=pairwise_cos_sim,
            student_temperature=reranker.student_temperature,
            teacher_temperature=reranker.temperature,
        )

    def __call__(self, embeddings: list[Tensor], labels: Labels) -> Tensor:
        """See `Term`."""
        scores = labels[SCORES]
        whole = torch.isfinite(scores).all(dim=1)
        if not bool(whole.any()):
            return embeddings[0].sum() * 0
        rows = [vectors[whole].float() for vectors in embeddings]
        return self._weight * self._loss.compute_loss_from_embeddings(rows, scores[whole])
