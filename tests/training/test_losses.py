"""The loss against a loop over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from sentence_transformers import SentenceTransformer

from training.losses import MaskedInfoNCE, false_negatives


def loop_loss(
    queries: torch.Tensor, passages: torch.Tensor, labels: list[list[int]], temperature: float
) -> float:
    """-log of the softmax share of each question's own passage, one pair at a time."""
    total = 0.0
    for b in range(len(queries)):
        terms = []
        for c in range(len(passages)):
            copy = any(x == y for x, y in zip(labels[b], labels[c], strict=True))
            if b != c and (copy or labels[b][1] == labels[c][2]):
                continue
            cosine = torch.nn.functional.cosine_similarity(queries[b], passages[c], dim=0)
            terms.append(math.exp(float(cosine) / temperature))
            if b == c:
                own = terms[-1]
        total -= math.log(own / sum(terms))
    return total / len(queries)


# Components, query keys and passage keys with every kind of copy; row 5's passage is row 0's query.
LABELS = [[1, 10, 20], [1, 11, 21], [2, 10, 22], [3, 12, 22], [4, 13, 23], [5, 14, 10]]


@pytest.fixture
def vectors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=generator), torch.randn(6, 4, generator=generator)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_the_loss_is_info_nce_over_true_negatives(
    vectors: tuple[torch.Tensor, torch.Tensor], temperature: float
) -> None:
    loss = MaskedInfoNCE(
        SentenceTransformer(modules=[torch.nn.Identity()]), temperature=temperature
    )
    got = loss.compute_loss_from_embeddings(list(vectors), torch.tensor(LABELS))
    assert float(got) == pytest.approx(loop_loss(*vectors, LABELS, temperature), rel=1e-5)


def test_the_symmetric_loss_is_the_mean_of_both_directions(
    vectors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    queries, passages = vectors
    loss = MaskedInfoNCE(
        SentenceTransformer(modules=[torch.nn.Identity()]), temperature=0.2, symmetric=True
    )
    got = loss.compute_loss_from_embeddings([queries, passages], torch.tensor(LABELS))
    swapped = [[component, passage, query] for component, query, passage in LABELS]
    there = loop_loss(queries, passages, LABELS, 0.2)
    back = loop_loss(passages, queries, swapped, 0.2)
    assert float(got) == pytest.approx((there + back) / 2, rel=1e-5)


def test_a_copy_of_the_positive_gives_no_gradient(
    vectors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    queries, passages = (v[:2].requires_grad_() for v in vectors)
    loss = MaskedInfoNCE(SentenceTransformer(modules=[torch.nn.Identity()]), temperature=0.1)
    copies = torch.tensor([[1, 1, 1], [1, 2, 2]])
    loss.compute_loss_from_embeddings([queries, passages], copies).backward()  # type: ignore[no-untyped-call]
    assert queries.grad is not None
    assert queries.grad.abs().max() == 0
    assert passages.grad is not None
    assert passages.grad.abs().max() == 0


def test_false_negatives_are_found_by_item_question_passage_and_echo() -> None:
    copies = false_negatives(torch.tensor(LABELS), torch.tensor(LABELS)).tolist()
    expected = {(0, 1), (1, 0), (0, 2), (2, 0), (2, 3), (3, 2), (0, 5), (2, 5)}
    found = {(b, c) for b in range(6) for c in range(6) if b != c and copies[b][c]}
    assert found == expected
