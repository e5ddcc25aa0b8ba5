"""InfoNCE over negatives that are really negatives, whole or gradient-cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import all_gather, all_gather_with_grad, get_rank
from torch import Tensor, arange, autocast, inf
from torch.nn.functional import cross_entropy, normalize

from training.masks import (
    COMPONENT,
    PASSAGE_KEY,
    QUERY_KEY,
    false_given,
    false_negatives,
    given_count,
)

Labels = Mapping[str, Tensor]
"""`keys`: [B, 3 + 2K] int64 (training/masks.py); beside it what distillation compares with."""

Term = Callable[[list[Tensor], Labels], Tensor]
"""(embeddings of questions, passages, given negatives; labels) -> a loss to be added."""

# Rows of the score matrix that are alive at once in the gradient-cached form.
_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoNCE:
    """-log exp(s(q,p+)/t) / sum over passages of exp(s(q,p)/t), false negatives left out.

    s is the cosine and t the temperature; the sum is over the passages of the batch and all given
    negatives (arXiv 2408.10536, as its text has it). With `symmetric`, the mean of both directions.
    With `paper_eq1` the sum is over the question's own passage and its own given negatives, as
    equation 1 there has it. With `gather`, the batch is that of all processes.
    """

    temperature: float
    symmetric: bool = False
    paper_eq1: bool = False
    gather: bool = False
    weight: float = 1.0

    def prepare(self, embeddings: list[Tensor]) -> list[Tensor]:
        """[questions, passages, negatives...], each [C, dim], unit rows of all processes."""
        unit = [normalize(vectors.float(), dim=1) for vectors in embeddings]
        return [all_gather_with_grad(vectors) for vectors in unit] if self.gather else unit

    def loss(self, vectors: list[Tensor], keys: Tensor, rows: slice) -> Tensor:
        """Mean over this process' B triplets, the part of the triplets in `rows`.

        vectors: of `prepare`. keys: [B, 3 + 2K] of this process.
        """
        with autocast(vectors[0].device.type, enabled=False):
            return self.weight * self._sum(vectors, keys, rows) / len(keys)

    def _sum(self, vectors: list[Tensor], keys: Tensor, rows: slice) -> Tensor:
        size, first = len(keys), get_rank() * len(keys) if self.gather else 0
        own_R = arange(first, first + size, device=keys.device)[rows]
        if self.paper_eq1:
            return self._given_alone(vectors, keys[rows], own_R)
        all_keys = all_gather(keys) if self.gather else keys
        scores = self._scores(vectors[0][own_R], vectors[1], keys[rows], all_keys, own_R)
        given = [
            self._masked(vectors[0][own_R] @ vectors[2 + k].T, false_given(keys[rows], all_keys, k))
            for k in range(given_count(keys))
        ]
        loss = cross_entropy(torch.cat([scores, *given], dim=1), own_R, reduction="sum")
        if not self.symmetric:
            return loss
        if len(own_R) == len(all_keys):
            back = scores.T
        else:
            swap = [COMPONENT, PASSAGE_KEY, QUERY_KEY]
            back = self._scores(
                vectors[1][own_R], vectors[0], keys[rows][:, swap], all_keys[:, swap], own_R
            )
        return (loss + cross_entropy(back, own_R, reduction="sum")) / 2

    def _scores(
        self, left: Tensor, right: Tensor, keys: Tensor, all_keys: Tensor, own_R: Tensor
    ) -> Tensor:
        """Scaled cosines [R, C], -inf for false negatives but a row's own."""
        copies = false_negatives(keys, all_keys)
        copies[arange(len(own_R), device=own_R.device), own_R] = False
        return self._masked(left @ right.T, copies)

    def _given_alone(self, vectors: list[Tensor], keys: Tensor, own_R: Tensor) -> Tensor:
        questions = vectors[0][own_R]
        columns = [(questions * vectors[1][own_R]).sum(dim=1) / self.temperature]
        for k in range(given_count(keys)):
            cosines = (questions * vectors[2 + k][own_R]).sum(dim=1)
            columns.append(self._masked(cosines, false_given(keys, keys, k).diagonal()))
        scores = torch.stack(columns, dim=1)
        return cross_entropy(scores, torch.zeros_like(own_R), reduction="sum")

    def _masked(self, cosines: Tensor, mask: Tensor) -> Tensor:
        return (cosines / self.temperature).masked_fill(mask, -inf)


class MaskedInfoNCE(MultipleNegativesRankingLoss):
    """InfoNCE and further terms over one batch of embeddings."""

    def __init__(
        self, model: SentenceTransformer, info_nce: InfoNCE, terms: Iterable[Term] = ()
    ) -> None:
        super().__init__(model, scale=1 / info_nce.temperature)
        self.info_nce = info_nce
        self.terms = tuple(terms)

    def compute_loss_from_embeddings(  # type: ignore[override]  # labels of more than one kind
        self, embeddings: list[Tensor], labels: Labels
    ) -> Tensor:
        """embeddings: [B, dim] of questions, of passages and of each place of given negatives."""
        vectors = self.info_nce.prepare(embeddings)
        loss = self.info_nce.loss(vectors, labels["keys"], slice(None))
        return sum((term(embeddings, labels) for term in self.terms), loss)


class CachedInfoNCE(CachedMultipleNegativesRankingLoss):
    """The same loss and gradients with the activations of `mini_batch` texts in memory.

    Gradient caching: arXiv 2101.06983, as sentence-transformers does it.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        info_nce: InfoNCE,
        terms: Iterable[Term] = (),
        *,
        mini_batch: int,
        rows: int = _ROWS,
    ) -> None:
        super().__init__(model, scale=1 / info_nce.temperature, mini_batch_size=mini_batch)
        self.info_nce = info_nce
        self.terms = tuple(terms)
        self.rows = rows

    def calculate_loss(  # type: ignore[override]  # labels of more than one kind
        self,
        reps: list[list[Tensor]],
        labels: Labels,
        *,
        with_backward: bool = False,
    ) -> Tensor:
        """The loss, detached and its gradients in `reps` with `with_backward`."""
        embeddings = [torch.cat(parts) for parts in reps]
        vectors = self.info_nce.prepare(embeddings)
        # Every block of rows is done with before the next: only one is ever in memory. The
        # processes exchange gradients once, at the end.
        leaves = [v.detach().requires_grad_() for v in vectors] if with_backward else vectors
        total = torch.zeros((), device=vectors[0].device)
        for start in range(0, len(embeddings[0]), self.rows):
            rows = slice(start, start + self.rows)
            part = self.info_nce.loss(leaves, labels["keys"], rows)
            if with_backward:
                part.backward()  # type: ignore[no-untyped-call]
            total = total + part.detach() if with_backward else total + part
        further = sum((term(embeddings, labels) for term in self.terms), torch.zeros_like(total))
        if with_backward:
            gradients = [
                torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves
            ]
            ends, slopes = list(vectors), gradients
            if further.requires_grad:
                ends, slopes = [*ends, further], [*slopes, torch.ones_like(further)]
            torch.autograd.backward(ends, slopes)
            further = further.detach()
        return total + further
