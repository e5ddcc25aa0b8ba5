"""Teachers and rerankers against loops, and runs that learn from them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from torch.nn.functional import cosine_similarity

from retrieval.encoder import Encoder
from retrieval.errors import BadConfig, BadEncoder
from retrieval.types import ParallelItem
from tests.tiny import DIM
from tests.training.test_run import config_of
from training.config import Reranker, Teacher
from training.data import ParallelTable, build_table
from training.distillation import RerankerScores, RerankerTerm, TeacherTerm, TeacherVectors
from training.run import train

ITEMS = [
    ParallelItem(
        id="a", source="s", query={"en": "A?", "de": "Ah?"}, passage={"en": "a", "de": "b"}
    ),
    ParallelItem(id="b", source="s", query={"de": "Oh?"}, passage={"de": "c", "en": "d"}),
]


@pytest.fixture
def table() -> ParallelTable:
    return build_table(ITEMS)


def test_targets_are_the_teachers_vectors_of_the_item_in_its_language(
    table: ParallelTable, tiny_encoder: Path
) -> None:
    teacher = Teacher(path=str(tiny_encoder))
    vectors = TeacherVectors.encode(teacher, table, dim=DIM)
    encoder = Encoder.load(tiny_encoder)
    german = np.array([table.languages.index("de")] * 2)
    queries, passages = (
        vectors.targets(table.queries_NL, german),
        vectors.targets(table.passages_NL, german),
    )
    np.testing.assert_allclose(queries[0], encoder.encode_queries(["A?"])[0], atol=1e-6)
    assert not queries[1].any()  # no English question
    np.testing.assert_allclose(passages, encoder.encode_passages(["a", "d"]), atol=1e-6)
    own = TeacherVectors.encode(teacher.model_copy(update={"language": None}), table, dim=DIM)
    targets = own.targets(table.queries_NL, german)
    np.testing.assert_allclose(targets, encoder.encode_queries(["Ah?", "Oh?"]), atol=1e-6)


def test_a_teacher_of_another_size_or_language_is_refused(
    table: ParallelTable, tiny_encoder: Path
) -> None:
    with pytest.raises(BadConfig, match=f"vectors have {DIM} dimensions, the encoder's 64"):
        TeacherVectors.encode(Teacher(path=str(tiny_encoder)), table, dim=64)
    with pytest.raises(BadConfig, match="no item has a text in the teacher's language 'th'"):
        TeacherVectors.encode(Teacher(path=str(tiny_encoder), language="th"), table, dim=DIM)


@pytest.mark.parametrize("metric", ["cosine", "mse"])
def test_the_distance_is_the_mean_over_the_texts_that_have_a_target(metric: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    sides = [torch.randn(3, 4, generator=generator) for _ in range(2)]
    targets = torch.nn.functional.normalize(torch.randn(3, 2, 4, generator=generator), dim=-1)
    targets[1, 0] = 0
    expected = []
    for side, rows in ((0, [0, 2]), (1, [0, 1, 2])):
        distances = []
        for row in rows:
            own, target = sides[side][row] / sides[side][row].norm(), targets[row, side]
            mse = float(((own - target) ** 2).mean())
            cosine = 1 - float(cosine_similarity(own, target, dim=0))
            distances.append(cosine if metric == "cosine" else mse)
        expected.append(sum(distances) / len(distances))
    term = TeacherTerm(Teacher(metric=metric, weight=3.0))
    got = term(sides, {"teacher": targets})
    assert float(got) == pytest.approx(3 * sum(expected) / 2, rel=1e-5)
    assert float(term(sides, {"teacher": torch.zeros(3, 2, 4)})) == 0
    assert float(term([side[:, :2] for side in sides], {"teacher": targets})) == 0


def test_the_divergence_is_that_of_two_softmaxes() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = [torch.randn(3, 4, generator=generator) for _ in range(4)]
    scores = torch.randn(3, 3, generator=generator)
    scores[1, 2] = -math.inf
    total = 0.0
    for row in (0, 2):
        cosines = [float(cosine_similarity(vectors[0][row], v[row], dim=0)) for v in vectors[1:]]
        own = softmax([c / 0.1 for c in cosines])
        teacher = softmax([float(s) / 2 for s in scores[row]])
        total += sum(t * math.log(t / o) for t, o in zip(teacher, own, strict=True))
    term = RerankerTerm(Reranker(path="", weight=0.7, temperature=2.0, student_temperature=0.1))
    got = term(vectors, {"scores": scores})
    assert float(got) == pytest.approx(0.7 * total / 2, rel=1e-4)
    assert float(term(vectors, {"scores": torch.full((3, 3), -math.inf)})) == 0


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(v) for v in values]
    return [p / sum(powers) for p in powers]


@pytest.fixture(scope="module")
def tiny_reranker(tiny_xlm_r: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rerankers") / "tiny"
    torch.manual_seed(0)
    CrossEncoder(str(tiny_xlm_r), num_labels=1, device="cpu").save_pretrained(str(folder))
    return folder


def test_scores_are_the_rerankers_own_logits(table: ParallelTable, tiny_reranker: Path) -> None:
    reranker = RerankerScores.load(Reranker(path=str(tiny_reranker)), table)
    german, english = (table.languages.index(lang) for lang in ("de", "en"))
    queries, passages = table.queries_NL[:, german], table.passages_NL[:, english]
    for _ in range(2):  # the second time from memory
        got = reranker.scores(queries, np.array([passages[0], -1]))
        expected = reranker.model.predict([("Ah?", "a")], activation_fn=torch.nn.Identity())
        assert float(got[0]) == pytest.approx(float(expected[0]), abs=1e-5)
        assert got[1] == -math.inf
    with pytest.raises(BadEncoder, match="cannot load the reranker"):
        RerankerScores.load(Reranker(path="/nowhere"), table)


def test_a_student_learns_its_teachers_vectors(
    parallel_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    from tests.tiny import save_tiny_encoder

    student = save_tiny_encoder(tmp_path / "student", seed=7)
    config = config_of(
        parallel_file,
        {"kind": "encoder", "path": str(student)},
        steps=60,
        loss={"weight": 0, "teacher": {"path": str(tiny_encoder), "language": None}},
        optimizer={"learning_rate": 0.1, "weight_decay": 0},
    )
    record = train(config, tmp_path / "out")
    assert record.losses[-1][1] < 0.4 * record.losses[0][1]
    teacher, before, after = (
        Encoder.load(path).encode_queries(["When does the library open?"])[0]
        for path in (tiny_encoder, student, tmp_path / "out")
    )
    assert teacher @ after > teacher @ before + 0.3
