"""InfoNCE over in-batch negatives that are really negatives."""

from __future__ import annotations

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import all_gather, all_gather_with_grad, cos_sim, get_rank
from torch import Tensor, arange, inf
from torch.nn.functional import cross_entropy

COMPONENT, QUERY_KEY, PASSAGE_KEY = range(3)
"""Columns of the labels: what makes two triplets of a batch copies of one another."""


class MaskedInfoNCE(MultipleNegativesRankingLoss):
    """-log exp(s(q,p+)/t) / sum over in-batch passages of exp(s(q,p)/t), false negatives left out.

    s is the cosine and t the temperature (arXiv 2408.10536 eq. 1 with in-batch negatives, as its
    text has it). With `symmetric`, the mean of both directions. A passage is no negative for a
    question when both come from copies of one item or passage, when the questions or the passages
    are equal, or when the passage is the question's own text (labels [B, 3]: component, query key,
    passage key).
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        temperature: float,
        symmetric: bool = False,
        gather_across_devices: bool = False,
    ) -> None:
        super().__init__(
            model, scale=1.0 / temperature, gather_across_devices=gather_across_devices
        )
        self.symmetric = symmetric

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """embeddings: [B, dim] of questions and of passages; labels [B, 3] int64."""
        queries_BD, passages_BD = embeddings
        scores, targets_B = self._scores(queries_BD, passages_BD, labels)
        loss = cross_entropy(scores, targets_B)
        if not self.symmetric:
            return loss
        if self.gather_across_devices:
            swapped = labels[:, [COMPONENT, PASSAGE_KEY, QUERY_KEY]]
            back, targets_B = self._scores(passages_BD, queries_BD, swapped)
        else:
            back = scores.T
        return (loss + cross_entropy(back, targets_B)) / 2

    def _scores(
        self, anchors_BD: Tensor, candidates_BD: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scaled cosines [B, C], -inf for false negatives, and the column of each own candidate."""
        size, first, all_labels = len(anchors_BD), 0, labels
        if self.gather_across_devices:
            candidates_BD = all_gather_with_grad(candidates_BD)
            all_labels = all_gather(labels)
            first = get_rank() * size
        targets_B = arange(first, first + size, device=anchors_BD.device)
        scores = cos_sim(anchors_BD, candidates_BD) * self.scale
        copies = false_negatives(labels, all_labels)
        copies[arange(size, device=copies.device), targets_B] = False
        return scores.masked_fill(copies, -inf), targets_B


def false_negatives(labels: Tensor, all_labels: Tensor) -> Tensor:
    """[B, C] bool: passage c is no negative for question b (the diagonal is true, too)."""
    copies = labels[:, None, QUERY_KEY] == all_labels[None, :, PASSAGE_KEY]
    for column in (COMPONENT, QUERY_KEY, PASSAGE_KEY):
        copies |= labels[:, None, column] == all_labels[None, :, column]
    return copies
