"""PEER against the package of its authors, and that package against its arithmetic written anew."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from peer_measure import PEER, PEEREvaluator

from retrieval.metrics.bias import peer
from tests.retrieval.metrics.oracle import LANGUAGES

SEEDS = range(20)
WEIGHTS = ({0: 0.0, 1: 0.5, 3: 0.5}, {1: 0.2, 3: 0.8}, {1: 0.0, 3: 1.0})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One query: a ranking without ties, best first, with languages and graded judgements."""

    ranking: list[str]
    language_of: dict[str, str]
    judged: dict[str, int]

    def relevant(self) -> list[str]:
        return [name for name, grade in self.judged.items() if grade > 0]

    def of_grade(self, grade: int) -> Iterable[str]:
        return (name for name, other in self.judged.items() if other == grade)


def random_case(seed: int, *, least: int, within: int) -> Case:
    """`least` to five passages of each grade in each of 2 to 4 languages, in the first `within`.

    The package looks up the grade 0 of whatever was not judged: one passage is judged 0.
    """
    rng = random.Random(seed)  # noqa: S311
    languages = LANGUAGES[: rng.randint(2, 4)]
    language_of = {f"{lang}-{number}": lang for lang in languages for number in range(25)}
    judged: dict[str, int] = {}
    for lang in languages:
        names = iter(rng.sample([name for name in language_of if language_of[name] == lang], 10))
        for grade in (1, 3):
            judged |= {next(names): grade for _ in range(rng.randint(least, 5))}
    others = sorted(set(language_of) - set(judged))
    rng.shuffle(others)
    first = [*judged, *others[: within - len(judged)]]
    rng.shuffle(first)
    judged[others[0]] = 0
    ranking = [*first, *(name for name in others if name not in first)]
    return Case(ranking=ranking, language_of=language_of, judged=judged)


def by_the_package(
    case: Case,
    weights: Mapping[int, float],
    cutoff: int,
    scores: Mapping[str, float] | None = None,
) -> float:
    """The package's value of the case's ranking, or of one by `scores`.

    Its evaluator is built here: the function that would do so wants an ir_measures before 0.4.
    """
    measure = PEER(weights=dict(weights), lang_mapping=case.language_of) @ cutoff
    run = scores or {name: -float(place) for place, name in enumerate(case.ranking)}
    evaluator = PEEREvaluator(
        [measure], {"q": case.judged}, {0: [(cutoff, measure)]}, {0: case.language_of}
    )
    (metric,) = evaluator.iter_calc({"q": run})
    return float(metric.value)


def of_the_product(case: Case, weights: Mapping[int, float], cutoff: int | None) -> float:
    names = case.relevant()
    found = peer(
        np.zeros(len(names), dtype=np.int64),
        np.array([case.ranking.index(name) + 1.0 for name in names]),
        np.array([LANGUAGES.index(case.language_of[name]) for name in names]),
        np.array([case.judged[name] for name in names]),
        queries=1,
        cutoff=cutoff,
        weights=weights,
    )
    return float(found[0])


def package_p(case: Case, grade: int, cutoff: int) -> float:
    """Kruskal and Wallis' test in fractions, over the ranks that the package gives.

    Of the n passages of a grade those past the cut-off, m of them, all get the rank
    n + (m + 1) / 2, as if the others had taken the first places.
    """
    places = {name: Fraction(case.ranking.index(name) + 1) for name in case.of_grade(grade)}
    lost = {name for name, place in places.items() if place > cutoff}
    if len(lost) == len(places):
        return 1.0
    places |= dict.fromkeys(lost, len(places) + Fraction(len(lost) + 1, 2))
    groups = [
        [place for name, place in places.items() if case.language_of[name] == lang]
        for lang in {case.language_of[name] for name in places}
    ]
    if len(groups) < 2:
        return 1.0
    count = len(places)
    mean = sum(places.values()) / count
    between = sum(len(group) * (sum(group) / len(group) - mean) ** 2 for group in groups)
    squares = sum((place - mean) ** 2 for place in places.values())
    h = (count - 1) * between / squares
    return float(scipy.stats.chi2.sf(float(h), len(groups) - 1))


def package_value(case: Case, weights: Mapping[int, float], cutoff: int) -> float:
    return sum(
        weights[grade] * package_p(case, grade, cutoff)
        for grade in set(case.judged.values())
        if weights.get(grade, 0.0) > 0
    )


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_peer_is_that_of_its_authors_where_no_relevant_passage_is_past_the_cut_off(
    seed: int, weights: dict[int, float]
) -> None:
    case = random_case(seed, least=2, within=45)
    expected = by_the_package(case, weights, 45)
    assert 0 < expected <= 1
    assert of_the_product(case, weights, 45) == pytest.approx(expected, abs=1e-9)
    assert of_the_product(case, weights, None) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cutoff", [1, 5, 20, 45])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_authors_package_computes_the_arithmetic_that_is_written_here(
    seed: int, cutoff: int, weights: dict[int, float]
) -> None:
    case = random_case(seed, least=0, within=45)
    expected = package_value(case, weights, cutoff)
    assert by_the_package(case, weights, cutoff) == pytest.approx(expected, abs=1e-9)


def test_a_passage_past_the_cut_off_is_never_ranked_before_one_within_it() -> None:
    """Where the product differs from the package, on purpose.

    German stands at 9 and 10, English past the cut-off. The package gives English the rank
    4 + (2 + 1) / 2 = 5.5, before German; the product 10 + (2 + 1) / 2 = 11.5, after it.
    """
    ranking = [f"x-{place}" for place in range(1, 13)]
    ranking[8:12] = ["de-1", "de-2", "en-1", "en-2"]
    judged = {"x-1": 0, "de-1": 1, "de-2": 1, "en-1": 1, "en-2": 1}
    case = Case(
        ranking=ranking,
        language_of={name: name[:2] if name[:2] in LANGUAGES else "th" for name in ranking},
        judged=judged,
    )
    # Means 9.5 and 5.5 about 7.5; means 9.5 and 11.5 about 10.5.
    assert by_the_package(case, {1: 1.0}, 10) == pytest.approx(
        scipy.stats.chi2.sf(3 * (2 * 4 + 2 * 4) / (1.5**2 + 2.5**2 + 2 * 2**2), 1)
    )
    assert of_the_product(case, {1: 1.0}, 10) == pytest.approx(
        scipy.stats.chi2.sf(3 * (2 * 1 + 2 * 1) / (1.5**2 + 0.5**2 + 2 * 1**2), 1)
    )


def test_equal_ranks_share_their_mean_where_the_package_goes_by_id() -> None:
    """All passages tied: nothing favours a language. By id, every German one goes first."""
    judged = {"de-1": 1, "de-2": 1, "en-1": 1, "en-2": 1, "th-1": 0}
    case = Case(
        ranking=list(judged), language_of={name: name[:2] for name in judged}, judged=judged
    )
    found = by_the_package(case, {1: 1.0}, 20, scores=dict.fromkeys(judged, 0.5))
    assert found == pytest.approx(scipy.stats.chi2.sf(2.4, 1))  # ranks 1 and 2, 3 and 4
    tied = peer(
        np.zeros(4, dtype=np.int64),
        np.full(4, 3.0),
        np.array([0, 0, 1, 1]),
        np.ones(4, dtype=np.int64),
        queries=1,
    )
    assert tied.tolist() == [1.0]


def test_the_authors_package_needs_a_passage_that_is_judged_not_relevant() -> None:
    """Which is why a public qrels file of positives alone cannot be the oracle."""
    case = random_case(0, least=2, within=45)
    positives = {name: grade for name, grade in case.judged.items() if grade > 0}
    alone = Case(ranking=case.ranking, language_of=case.language_of, judged=positives)
    with pytest.raises(KeyError):
        by_the_package(alone, {1: 0.5, 3: 0.5}, 45)
    assert of_the_product(alone, {1: 0.5, 3: 0.5}, 45) == of_the_product(case, {1: 0.5, 3: 0.5}, 45)
