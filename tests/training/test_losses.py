"""The loss against a loop over pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from training.config import Loss
from training.losses import CachedInfoNCE, InfoNCE, MaskedInfoNCE
from training.masks import false_negatives
from training.objective import make_loss


def loop_loss(
    queries: torch.Tensor,
    passages: torch.Tensor,
    labels: list[list[int]],
    temperature: float,
    negatives: Sequence[torch.Tensor] = (),
) -> float:
    """-log of the softmax share of each question's own passage, one pair at a time."""
    total = 0.0
    for b in range(len(queries)):
        terms = []
        for c in range(len(passages)):
            copy = any(x == y for x, y in zip(labels[b][:3], labels[c][:3], strict=True))
            if b != c and (copy or labels[b][1] == labels[c][2]):
                continue
            terms.append(term(queries[b], passages[c], temperature))
            if b == c:
                own = terms[-1]
        for k, given in enumerate(negatives):
            terms += [
                term(queries[b], given[c], temperature)
                for c in range(len(given))
                if counts(labels[b], labels[c][3 + 2 * k : 5 + 2 * k])
            ]
        total -= math.log(own / sum(terms))
    return total / len(queries)


def loop_eq1(
    queries: torch.Tensor,
    passages: torch.Tensor,
    labels: list[list[int]],
    temperature: float,
    negatives: Sequence[torch.Tensor],
) -> float:
    """The own passage against the question's own given negatives."""
    total = 0.0
    for b in range(len(queries)):
        own = term(queries[b], passages[b], temperature)
        others = [
            term(queries[b], given[b], temperature)
            for k, given in enumerate(negatives)
            if counts(labels[b], labels[b][3 + 2 * k : 5 + 2 * k])
        ]
        total -= math.log(own / (own + sum(others)))
    return total / len(queries)


def counts(question: list[int], negative: list[int]) -> bool:
    """Whether a given negative (component, key) is there and is one for the question."""
    component, key = negative
    return key != -1 and component != question[0] and key not in question[1:3]


def term(query: torch.Tensor, passage: torch.Tensor, temperature: float) -> float:
    cosine = torch.nn.functional.cosine_similarity(query, passage, dim=0)
    return math.exp(float(cosine) / temperature)


def masked(**settings: Any) -> MaskedInfoNCE:
    model = SentenceTransformer(modules=[torch.nn.Identity()])
    return MaskedInfoNCE(model, InfoNCE(**settings))


def keys(labels: list[list[int]]) -> dict[str, torch.Tensor]:
    return {"keys": torch.tensor(labels)}


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
    loss = masked(temperature=temperature)
    got = loss.compute_loss_from_embeddings(list(vectors), keys(LABELS))
    assert float(got) == pytest.approx(loop_loss(*vectors, LABELS, temperature), rel=1e-5)


def test_the_symmetric_loss_is_the_mean_of_both_directions(
    vectors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    queries, passages = vectors
    loss = masked(temperature=0.2, symmetric=True)
    got = loss.compute_loss_from_embeddings([queries, passages], keys(LABELS))
    swapped = [[component, passage, query] for component, query, passage in LABELS]
    there = loop_loss(queries, passages, LABELS, 0.2)
    back = loop_loss(passages, queries, swapped, 0.2)
    assert float(got) == pytest.approx((there + back) / 2, rel=1e-5)


def test_a_copy_of_the_positive_gives_no_gradient(
    vectors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    queries, passages = (v[:2].requires_grad_() for v in vectors)
    copies = keys([[1, 1, 1], [1, 2, 2]])
    loss = masked(temperature=0.1).compute_loss_from_embeddings([queries, passages], copies)
    loss.backward()  # type: ignore[no-untyped-call]
    assert queries.grad is not None
    assert queries.grad.abs().max() == 0
    assert passages.grad is not None
    assert passages.grad.abs().max() == 0


def test_false_negatives_are_found_by_item_question_passage_and_echo() -> None:
    copies = false_negatives(torch.tensor(LABELS), torch.tensor(LABELS)).tolist()
    expected = {(0, 1), (1, 0), (0, 2), (2, 0), (2, 3), (3, 2), (0, 5), (2, 5)}
    found = {(b, c) for b in range(6) for c in range(6) if b != c and copies[b][c]}
    assert found == expected


# Given negatives: missing; of question 1's item; nobody's; question 3's passage; question 2's text.
GIVEN = [[-1, -1], [1, 90], [-1, 91], [3, 22], [-1, 92], [-1, 10]]
SECOND = [[-1, 93], [-1, -1], [4, 23], [-1, 94], [-1, 95], [-1, -1]]
WITH_GIVEN = [[*a, *b, *c] for a, b, c in zip(LABELS, GIVEN, SECOND, strict=True)]


def given_vectors() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(6, 4, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("symmetric", [False, True])
def test_given_negatives_join_the_sum_where_they_are_negatives(
    vectors: tuple[torch.Tensor, torch.Tensor], symmetric: bool
) -> None:
    negatives = given_vectors()
    loss = masked(temperature=0.3, symmetric=symmetric)
    got = loss.compute_loss_from_embeddings([*vectors, *negatives], keys(WITH_GIVEN))
    expected = loop_loss(*vectors, WITH_GIVEN, 0.3, negatives)
    if symmetric:
        swapped = [[component, passage, query] for component, query, passage in LABELS]
        expected = (expected + loop_loss(vectors[1], vectors[0], swapped, 0.3)) / 2
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_equation_one_has_the_own_given_negatives_alone(
    vectors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    negatives = given_vectors()
    loss = masked(temperature=0.3, paper_eq1=True)
    got = loss.compute_loss_from_embeddings([*vectors, *negatives], keys(WITH_GIVEN))
    assert float(got) == pytest.approx(loop_eq1(*vectors, WITH_GIVEN, 0.3, negatives), rel=1e-5)


@pytest.fixture(scope="module")
def encoder(tiny_xlm_r: Path) -> SentenceTransformer:
    """An encoder of XLM-R's architecture in float64 without dropout."""
    transformer = Transformer(str(tiny_xlm_r), max_seq_length=24)
    model = SentenceTransformer(modules=[transformer, Pooling(32, "mean"), Normalize()])
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.to(torch.float64).train()


TEXTS = {
    "questions": ["Where is it?", "wo?", "a", "When does the library open today?", "b c", "x"],
    "passages": ["here", "dort drüben", "c", "At nine, from Monday to Friday.", "e", "f g h i"],
    "first": ["no", "nein", "not here", "never", "n", "no no"],
    "second": ["one", "two", "three", "four", "five", "six"],
}


def run(
    model: SentenceTransformer, loss: torch.nn.Module, labels: dict[str, torch.Tensor]
) -> tuple[float, list[torch.Tensor]]:
    """The loss and the gradients of every weight."""
    model.zero_grad()
    count = 2 + (labels["keys"].shape[1] - 3) // 2
    features = [model.preprocess(texts) for texts in list(TEXTS.values())[:count]]
    value = loss(features, labels)
    value.backward()
    return float(value.detach()), [
        parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"symmetric": True},
        {"matryoshka": [16, 8]},
        {"symmetric": True, "matryoshka": [16, 8]},
        {"paper_eq1": True},
    ],
    ids=str,
)
def test_the_cached_loss_has_the_values_and_gradients_of_the_whole_one(
    encoder: SentenceTransformer, settings: dict[str, Any]
) -> None:
    labels = keys(WITH_GIVEN)
    whole = make_loss(encoder, Loss.model_validate(settings), processes=1)
    cached = make_loss(encoder, Loss.model_validate(settings | {"mini_batch": 4}), processes=1)
    inner = getattr(cached, "loss", cached) if settings.get("matryoshka") else cached
    assert isinstance(inner, CachedInfoNCE)
    inner.rows = 4  # several blocks of rows, the last one not full
    (expected, slopes), (got, cached_slopes) = (run(encoder, x, labels) for x in (whole, cached))
    assert got == pytest.approx(expected, rel=1e-6)
    assert len(slopes) == len(cached_slopes) > 10
    for slope, cached_slope in zip(slopes, cached_slopes, strict=True):
        torch.testing.assert_close(cached_slope, slope, rtol=1e-4, atol=1e-7)
    assert max(float(slope.abs().max()) for slope in slopes) > 1e-3


def test_matryoshka_is_the_sum_over_the_sizes(encoder: SentenceTransformer) -> None:
    loss = make_loss(encoder, Loss(matryoshka=(16, 8), temperature=0.3), processes=1)
    got, _ = run(encoder, loss, keys(WITH_GIVEN))
    with torch.no_grad():
        vectors = [
            encoder(encoder.preprocess(texts))["sentence_embedding"] for texts in TEXTS.values()
        ]
    expected = sum(
        loop_loss(
            vectors[0][:, :dim],
            vectors[1][:, :dim],
            WITH_GIVEN,
            0.3,
            [v[:, :dim] for v in vectors[2:]],
        )
        for dim in (32, 16, 8)
    )
    assert got == pytest.approx(expected, rel=1e-5)
