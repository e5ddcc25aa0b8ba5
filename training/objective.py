"""What a configuration asks to minimise, as one of sentence-transformers' losses."""

from __future__ import annotations

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss
from torch import nn

from retrieval.errors import BadConfig
from training.config import Loss
from training.data import ParallelTable
from training.distillation import RerankerTerm, TeacherTerm
from training.losses import CachedInfoNCE, InfoNCE, MaskedInfoNCE, Term
from training.starts import is_static


def make_loss(model: SentenceTransformer, loss: Loss, *, processes: int) -> nn.Module:
    """The loss of one batch. Raises BadConfig where the encoder does not allow it."""
    info_nce = InfoNCE(
        temperature=loss.temperature,
        symmetric=loss.symmetric,
        paper_eq1=loss.paper_eq1,
        gather=loss.gather and processes > 1,
        weight=loss.weight,
    )
    terms: list[Term] = []
    if loss.teacher is not None:
        terms.append(TeacherTerm(loss.teacher))
    if loss.reranker is not None:
        terms.append(RerankerTerm(loss.reranker))
    whole = _whole(model, loss, info_nce, terms)
    return _with_sizes(model, loss, whole) if loss.matryoshka else whole


def check_negatives(loss: Loss, table: ParallelTable, negatives: int) -> None:
    """Refuse a loss that compares with given negatives where there are none. Raises BadConfig."""
    needing = [
        name
        for name, needs in (
            ("loss.paper_eq1", loss.paper_eq1),
            ("loss.reranker", loss.reranker is not None),
        )
        if needs
    ]
    if needing and not (len(table.negatives) and negatives):
        raise BadConfig(
            f"{needing[0]} compares with given negatives, and there are none",
            fix="Mine some with `synglot train mine`, and set batches.negatives.",
        )


def _whole(
    model: SentenceTransformer, loss: Loss, info_nce: InfoNCE, terms: list[Term]
) -> nn.Module:
    if loss.mini_batch is None:
        return MaskedInfoNCE(model, info_nce, terms)
    if is_static(model):
        raise BadConfig(
            "loss.mini_batch does not go with a bag of subwords, which hardly needs memory",
            fix="Leave loss.mini_batch out.",
        )
    return CachedInfoNCE(model, info_nce, terms, mini_batch=loss.mini_batch)


def _with_sizes(model: SentenceTransformer, loss: Loss, whole: nn.Module) -> nn.Module:
    full = model.get_embedding_dimension() or 0
    too_large = [size for size in loss.matryoshka if size > full]
    if too_large:
        raise BadConfig(
            f"loss.matryoshka asks for {too_large[0]} dimensions, the encoder has {full}"
        )
    sizes = sorted({full, *loss.matryoshka}, reverse=True)
    return MatryoshkaLoss(model, whole, sizes)
