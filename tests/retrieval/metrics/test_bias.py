from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from statistics import fmean

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from retrieval.metrics.bias import (
    kruskal_wallis,
    language_preference,
    language_share,
    max_rank,
    peer,
    rank_distance,
)
from tests.retrieval.metrics.oracle import LANGUAGES, mid_rank, random_collection, total_order


def test_rank_distance_is_highest_minus_lowest_rank_of_each_query() -> None:
    query_N = np.array([0, 0, 0, 2])
    mid_N = np.array([7.0, 2.5, 4.0, 9.0])
    assert rank_distance(query_N, mid_N, queries=3).tolist() == [4.5, 0.0, 0.0]


def test_language_share_counts_the_first_passages() -> None:
    scores_QP = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    language_P = np.array([0, 1, 1, 2])
    share_QL = language_share(scores_QP, language_P, languages=3, cutoff=2)
    assert share_QL.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]


def test_passages_tied_at_the_cut_off_share_its_places_as_over_all_orders_of_ties() -> None:
    scores = (0.9, 0.5, 0.5, 0.5, 0.1)
    languages = (0, 0, 1, 1, 2)
    counted: Counter[int] = Counter()
    orders = [o for o in permutations(range(5)) if [scores[i] for i in o] == sorted(scores)[::-1]]
    for order in orders:
        counted.update(languages[index] for index in order[:2])
    expected = [counted[language] / len(orders) / 2 for language in range(3)]
    share_QL = language_share(
        np.array([scores], dtype=np.float32), np.array(languages), languages=3, cutoff=2
    )
    assert share_QL[0].tolist() == pytest.approx(expected)


def test_shares_of_a_pool_smaller_than_the_cut_off_sum_to_one() -> None:
    scores_QP = np.array([[0.1, 0.2, 0.3]], dtype=np.float32)
    share_QL = language_share(scores_QP, np.array([0, 0, 1]), languages=2, cutoff=10)
    assert share_QL[0].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_passages_that_a_ranking_does_not_hold_have_no_share() -> None:
    scores_QP = np.array([[0.1, -np.inf, -np.inf]], dtype=np.float32)
    share_QL = language_share(scores_QP, np.array([0, 0, 1]), languages=2, cutoff=2)
    assert share_QL[0].tolist() == [0.5, 0.0]


@dataclass(frozen=True)
class Answer:
    """A relevant passage: where it ranks, its language and its relevance."""

    rank: float
    lang: str
    relevance: int = 1


def arrays(
    answers: Sequence[Sequence[Answer]],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """query_N, mid_N, language_N, relevance_N of the answers of each query."""
    flat = [(query, answer) for query, listed in enumerate(answers) for answer in listed]
    return (
        np.array([query for query, _ in flat], dtype=np.int64),
        np.array([answer.rank for _, answer in flat], dtype=np.float64),
        np.array([LANGUAGES.index(answer.lang) for _, answer in flat], dtype=np.int64),
        np.array([answer.relevance for _, answer in flat], dtype=np.int64),
    )


def random_answers(seed: int, *, tied: bool) -> list[list[Answer]]:
    """Relevant passages of 40 queries, none to fourteen a query."""
    rng = random.Random(seed)  # noqa: S311
    answers = []
    for _ in range(40):
        places = rng.sample(range(1, 60), rng.randint(0, 14))
        if tied:
            places = [place // 8 for place in places]
        answers.append(
            [
                Answer(
                    rank=float(place), lang=rng.choice(LANGUAGES[:3]), relevance=rng.choice((1, 3))
                )
                for place in places
            ]
        )
    return answers


def preference_over_all_orders(answers: Sequence[Answer], own: str) -> float:
    """How often the first answer is in the language `own`, over all orders of ties."""
    orders = [
        order
        for order in permutations(answers)
        if [answer.rank for answer in order] == sorted(answer.rank for answer in answers)
    ]
    return fmean(order[0].lang == own for order in orders)


def test_language_preference_is_the_mean_over_all_orders_of_ties() -> None:
    rng = random.Random(0)  # noqa: S311
    answers = [
        [Answer(rng.choice((1.5, 2.5, 4.0)), rng.choice(LANGUAGES[:2])) for _ in range(5)]
        for _ in range(30)
    ]
    query_N, mid_N, language_N, _ = arrays(answers)
    found = language_preference(query_N, mid_N, language_N == 0, queries=30)
    for value, listed in zip(found, answers, strict=True):
        if {answer.lang for answer in listed} == set(LANGUAGES[:2]):
            assert value == pytest.approx(preference_over_all_orders(listed, LANGUAGES[0]))
        else:
            assert np.isnan(value)


def test_a_query_with_no_choice_of_language_has_no_preference() -> None:
    query_N = np.array([0, 0, 1, 1, 2, 2])
    own_N = np.array([True, True, False, False, False, True])
    mid_N = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    found = language_preference(query_N, mid_N, own_N, queries=4)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0.0, np.nan])


def test_max_rank_is_where_a_sorted_ranking_has_shown_all_relevant_passages() -> None:
    collection = random_collection(3, distinct=1000)
    run = collection.run()
    pairs = [
        (row, mid_rank(run[query], name))
        for row, query in enumerate(collection.queries)
        for name, relevance in collection.qrels[query].items()
        if relevance > 0
    ]
    query_N, mid_N = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    found = max_rank(query_N, mid_N, queries=len(collection.queries))
    for row, query in enumerate(collection.queries):
        wanted = {name for name, relevance in collection.qrels[query].items() if relevance > 0}
        order = total_order(run[query])
        needed = next(k for k in range(1, 61) if wanted <= set(order[:k]))
        if len({np.float32(score) for score in run[query].values()}) == len(order):
            assert found[row] == needed
        assert found[row] == max(mid_rank(run[query], name) for name in wanted)


def test_max_rank_of_a_query_without_relevant_passages_is_zero() -> None:
    assert max_rank(np.array([1]), np.array([3.5]), queries=3).tolist() == [0.0, 3.5, 0.0]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_kruskal_wallis_of_ranks_within_the_sample_is_that_of_scipy(seed: int, tied: bool) -> None:
    answers = [listed for listed in random_answers(seed, tied=tied) if listed]
    query_N, mid_N, language_N, _ = arrays(answers)
    for query in range(len(answers)):
        inside = query_N == query
        mid_N[inside] = scipy.stats.rankdata(mid_N[inside])
    p_S = kruskal_wallis(mid_N, query_N, language_N, samples=len(answers))
    for query, found in enumerate(p_S):
        inside = query_N == query
        groups = [mid_N[inside & (language_N == k)] for k in np.unique(language_N[inside])]
        if len(groups) > 1 and len(np.unique(mid_N[inside])) > 1:
            assert found == pytest.approx(scipy.stats.kruskal(*groups).pvalue, abs=1e-9)
        else:
            assert found == 1.0


def test_one_passage_a_language_has_the_same_p_value_whatever_the_ranking() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        rank_N = rng.permutation(13_014)[:11].astype(np.float64)
        p_S = kruskal_wallis(rank_N, np.zeros(11, dtype=np.int64), np.arange(11), samples=1)
        assert p_S[0] == pytest.approx(scipy.stats.chi2.sf(10, 10))  # H = 10
    assert round(float(p_S[0]), 2) == 0.44


def slow_h(ranks_by_language: Mapping[str, Sequence[float]]) -> float:
    """H as Yang et al. write it, over ranks in the whole list; 0 where nothing differs."""
    everything = [rank for ranks in ranks_by_language.values() for rank in ranks]
    mean = sum(everything) / len(everything)
    between = sum(len(r) * (sum(r) / len(r) - mean) ** 2 for r in ranks_by_language.values())
    squares = sum((rank - mean) ** 2 for rank in everything)
    return (len(everything) - 1) * between / squares if squares else 0.0


def slow_p(answers: Sequence[Answer], cutoff: int) -> float:
    """The p-value of one relevance level."""
    lost = [answer for answer in answers if answer.rank > cutoff]
    ranks: dict[str, list[float]] = {}
    for answer in answers:
        place = cutoff + (len(lost) + 1) / 2 if answer in lost else answer.rank
        ranks.setdefault(answer.lang, []).append(place)
    if len(ranks) < 2:
        return 1.0
    return float(scipy.stats.chi2.sf(slow_h(ranks), len(ranks) - 1))


def slow_peer(answers: Sequence[Answer], cutoff: int, weights: Mapping[int, float]) -> float | None:
    """PEER of one query; None where it is not defined."""
    total, value = 0.0, 0.0
    for level, weight in weights.items():
        of_level = [answer for answer in answers if answer.relevance == level]
        counts = Counter(answer.lang for answer in of_level)
        if sum(count > 1 for count in counts.values()) > 1:
            total += weight
            value += weight * slow_p(of_level, cutoff)
    return value / total if total else None


@pytest.mark.parametrize("weights", [{1: 1.0, 3: 1.0}, {1: 0.2, 3: 0.8}, {3: 1.0}])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cutoff", [1, 10, 60])
def test_peer_is_that_of_a_slow_version(cutoff: int, tied: bool, weights: dict[int, float]) -> None:
    answers = random_answers(cutoff, tied=tied)
    query_N, mid_N, language_N, relevance_N = arrays(answers)
    found = peer(
        query_N,
        mid_N,
        language_N,
        relevance_N,
        queries=len(answers),
        cutoff=cutoff,
        weights=None if weights == {1: 1.0, 3: 1.0} else weights,
    )
    expected = [slow_peer(listed, cutoff, weights) for listed in answers]
    assert None in expected
    assert sum(value is not None for value in expected) > 5
    np.testing.assert_allclose(found, np.array(expected, dtype=np.float64), atol=1e-9)


def peer_of(answers: Sequence[Answer], cutoff: int | None = None) -> float:
    return float(peer(*arrays([answers]), queries=1, cutoff=cutoff)[0])


def test_peer_falls_as_one_language_is_ranked_before_the_other() -> None:
    fair = [Answer(1, "de"), Answer(4, "de"), Answer(2, "en"), Answer(3, "en")]
    skew = [Answer(1, "de"), Answer(3, "de"), Answer(2, "en"), Answer(4, "en")]
    unfair = [Answer(1, "de"), Answer(2, "de"), Answer(3, "en"), Answer(4, "en")]
    assert peer_of(fair) == pytest.approx(1.0)
    assert peer_of(fair) > peer_of(skew) > peer_of(unfair) > 0
    # H = 3 * 4 * 1^2 / 5 with one degree of freedom.
    assert peer_of(unfair) == pytest.approx(scipy.stats.chi2.sf(2.4, 1))


def test_peer_is_one_where_all_passages_are_past_the_cut_off_or_tied() -> None:
    for ranks in ((30, 31, 40, 41), (5, 5, 5, 5)):
        languages = ("de", "de", "en", "en")
        answers = [Answer(rank, lang) for rank, lang in zip(ranks, languages, strict=True)]
        assert peer_of(answers, 20) == 1.0


def test_peer_knows_no_language_names() -> None:
    answers = random_answers(4, tied=True)
    query_N, mid_N, language_N, relevance_N = arrays(answers)
    first = peer(query_N, mid_N, language_N, relevance_N, queries=40)
    order = np.random.default_rng(0).permutation(len(query_N))
    renamed_N = np.array([2, 0, 1])[language_N]
    second = peer(query_N[order], mid_N[order], renamed_N[order], relevance_N[order], queries=40)
    np.testing.assert_allclose(first, second, atol=1e-12)


@pytest.mark.parametrize(("german", "english"), list(product((1, 2), (1, 2))))
def test_peer_needs_two_passages_in_two_languages_of_a_level(german: int, english: int) -> None:
    answers = [Answer(place, "de") for place in range(1, german + 1)]
    answers += [Answer(10 + place, "en") for place in range(english)]
    answers += [Answer(20, "th"), Answer(21, "de", relevance=3), Answer(22, "en", relevance=3)]
    assert np.isnan(peer_of(answers)) == ((german, english) != (2, 2))


def test_bias_of_no_relevant_passages_at_all_is_empty_or_undefined() -> None:
    query_N, mid_N, language_N, relevance_N = arrays([[], []])
    assert np.isnan(peer(query_N, mid_N, language_N, relevance_N, queries=2, cutoff=5)).all()
    assert np.isnan(language_preference(query_N, mid_N, language_N == 0, queries=2)).all()
