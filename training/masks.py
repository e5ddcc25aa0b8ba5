"""Which passages of a batch are no negatives: copies of an item, a question or a passage.

Labels of a batch, [B, 3 + 2K] int64: component of the item, key of the question's text, key of the
passage's text, then component and key of each of the K given negatives (key -1: none).
"""

from __future__ import annotations

from torch import Tensor

COMPONENT, QUERY_KEY, PASSAGE_KEY = range(3)
FIRST_GIVEN = 3
NO_TEXT = -1
"""Key of a given negative that is not there; keys of texts are never negative."""


def given_count(labels: Tensor) -> int:
    """K: given negatives a triplet."""
    return (labels.shape[1] - FIRST_GIVEN) // 2


def false_negatives(labels: Tensor, all_labels: Tensor) -> Tensor:
    """[B, C] bool: passage c is no negative for question b (the diagonal is true, too)."""
    copies = labels[:, None, QUERY_KEY] == all_labels[None, :, PASSAGE_KEY]
    for column in (COMPONENT, QUERY_KEY, PASSAGE_KEY):
        copies |= labels[:, None, column] == all_labels[None, :, column]
    return copies


def false_given(labels: Tensor, all_labels: Tensor, place: int) -> Tensor:
    """[B, C] bool: the given negative number `place` of triplet c is none for question b.

    It is missing, is a text of b's own item or a copy of it, b's passage, or b's question.
    """
    component_C, key_C = all_labels[:, FIRST_GIVEN + 2 * place :][:, :2].T
    false: Tensor = (key_C == NO_TEXT)[None, :] | (
        labels[:, None, COMPONENT] == component_C[None, :]
    )
    for column in (QUERY_KEY, PASSAGE_KEY):
        false = false | (labels[:, None, column] == key_C[None, :])
    return false
