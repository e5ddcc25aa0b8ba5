"""The slow, obvious versions: whole rankings sorted in Python, and trec_eval's own measures."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pytrec_eval

LANGUAGES = ("de", "en", "th", "zh")

Scores = Mapping[str, Mapping[str, float]]


def total_order(scores: Mapping[str, float]) -> list[str]:
    """Ids by score descending as float32, then by id descending."""
    return sorted(scores, key=lambda name: (np.float32(scores[name]), name), reverse=True)


def mid_rank(scores: Mapping[str, float], name: str) -> float:
    """Mean 1-based place of all passages of the same score."""
    order = total_order(scores)
    places = [
        place
        for place, other in enumerate(order, start=1)
        if np.float32(scores[other]) == np.float32(scores[name])
    ]
    return sum(places) / len(places)


def trec_eval(
    qrels: Mapping[str, Mapping[str, int]], run: Scores, names: Iterable[str]
) -> dict[str, dict[str, float]]:
    """Query id -> trec_eval's measure -> value."""
    evaluator = pytrec_eval.RelevanceEvaluator(
        {query: dict(judged) for query, judged in qrels.items()}, set(names)
    )
    found: dict[str, dict[str, float]] = evaluator.evaluate(
        {query: dict(scores) for query, scores in run.items()}
    )
    return found


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Random queries and judgements with scores of every passage, full of ties."""

    passages: tuple[str, ...]
    languages: tuple[str, ...]
    queries: tuple[str, ...]
    scores_QP: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    qrels: dict[str, dict[str, int]]

    def run(self) -> dict[str, dict[str, float]]:
        """Query id -> passage id -> score."""
        return {
            query: dict(zip(self.passages, row.tolist(), strict=True))
            for query, row in zip(self.queries, self.scores_QP, strict=True)
        }

    def language_of(self) -> dict[str, str]:
        """Passage id -> language."""
        return dict(zip(self.passages, self.languages, strict=True))


def random_collection(
    seed: int, *, passages: int = 60, queries: int = 25, distinct: int = 5, grades: int = 3
) -> Collection:
    """Ids of several lengths and scripts; `distinct` scores, so that most passages are tied."""
    rng = random.Random(seed)  # noqa: S311
    stems = ("a", "de-1-10", "de-1-9", "é", "ไทย", "漢字", "𝔘", "z", "Z", "10", "9")
    ids = [f"{rng.choice(stems)}{number}" for number in range(passages)]
    names = [f"q{number}" for number in range(queries)]
    values = [rng.uniform(-1, 1) for _ in range(distinct)]
    qrels = {
        name: {p: rng.randint(0, grades) for p in rng.sample(ids, rng.randint(1, 12))}
        for name in names
    }
    for judged in qrels.values():
        judged[rng.choice(ids)] = 1
    return Collection(
        passages=tuple(ids),
        languages=tuple(rng.choice(LANGUAGES) for _ in ids),
        queries=tuple(names),
        scores_QP=np.array([[rng.choice(values) for _ in ids] for _ in names], dtype=np.float32),
        qrels=qrels,
    )
