from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.errors import BadInput, DanglingId, DuplicateId
from retrieval.evaluation import (
    RunRanker,
    evaluate,
    rank_query_set,
    rankings,
)
from retrieval.formats.runs import read_run, write_run
from retrieval.types import Query, QuerySet, Scored
from tests.retrieval.evaluation.table import (
    MEASURES,
    TREC_NAMES,
    TableRanker,
    evaluated,
    query_set_of,
)
from tests.retrieval.metrics.oracle import (
    LANGUAGES,
    mid_rank,
    random_collection,
    total_order,
    trec_eval,
)


@pytest.mark.parametrize("seed", range(3))
def test_values_over_the_pool_agree_with_trec_eval(seed: int) -> None:
    collection = random_collection(seed)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    expected = trec_eval(collection.qrels, collection.run(), TREC_NAMES.values())
    assert [query.id for query in found.queries] == list(collection.queries)
    for name, trec_name in TREC_NAMES.items():
        values = [expected[query][trec_name] for query in collection.queries]
        np.testing.assert_allclose(found.per_query.views["pool"].values[name], values, atol=1e-6)
        entry = found.report["measures"][name]
        assert entry["mean"] == pytest.approx(fmean(values), abs=1e-6)
        assert entry["n"] == len(values)
        assert entry["ci95"][0] <= entry["mean"] <= entry["ci95"][1]


@pytest.mark.parametrize("seed", range(3))
def test_a_language_pair_agrees_with_trec_eval_on_the_passages_of_that_language(seed: int) -> None:
    collection = random_collection(seed)
    query_set = query_set_of(collection)
    language_of = collection.language_of()
    table = evaluated(query_set, TableRanker(collection)).report["by_language_pair"]
    assert isinstance(table, dict)
    for source, target in product(LANGUAGES[:2], LANGUAGES):
        qrels, run = {}, {}
        for query in query_set.queries:
            judged = {
                p: r for p, r in query_set.qrels[query.id].items() if language_of[p] == target
            }
            if query.lang == source and any(judged.values()):
                qrels[query.id] = judged
                run[query.id] = {
                    p: s for p, s in collection.run()[query.id].items() if language_of[p] == target
                }
        expected = trec_eval(qrels, run, TREC_NAMES.values())
        entry = table[f"{source}->{target}"]
        assert entry["n"] == len(qrels)
        for name, trec_name in TREC_NAMES.items():
            mean = fmean(values[trec_name] for values in expected.values())
            assert entry[name] == pytest.approx(mean, abs=1e-6)


def test_language_bias_is_that_of_sorted_rankings() -> None:
    collection = random_collection(5)
    query_set = query_set_of(collection)
    distances: dict[str, list[float]] = {lang: [] for lang in LANGUAGES[:2]}
    for query in query_set.queries:
        scores = collection.run()[query.id]
        ranks = [mid_rank(scores, p) for p, r in query_set.qrels[query.id].items() if r > 0]
        if len(ranks) > 1:
            distances[query.lang].append(max(ranks) - min(ranks))
    bias = evaluated(query_set, TableRanker(collection)).report["language_bias"]
    assert isinstance(bias, dict)
    assert bias["rank_distance"] == pytest.approx(fmean(map(fmean, distances.values())))
    shares = bias["share@10"]
    assert set(shares) == set(LANGUAGES)
    assert sum(entry["share"] for entry in shares.values()) == pytest.approx(1)
    assert sum(entry["among_relevant"] for entry in shares.values()) == pytest.approx(1)
    assert 0 <= bias["same_language_share@10"]["share"] <= 1


def test_bias_among_parallel_answers_is_that_of_sorted_rankings() -> None:
    collection = random_collection(5)
    query_set = query_set_of(collection)
    language_of = collection.language_of()
    furthest: dict[str, list[float]] = {lang: [] for lang in LANGUAGES[:2]}
    preferred: dict[str, list[float]] = {lang: [] for lang in LANGUAGES[:2]}
    expected: dict[str, list[float]] = {lang: [] for lang in LANGUAGES[:2]}
    for query in query_set.queries:
        scores = collection.run()[query.id]
        ranks = {p: mid_rank(scores, p) for p, r in query_set.qrels[query.id].items() if r > 0}
        own = [language_of[p] == query.lang for p in ranks]
        first = [language_of[p] == query.lang for p in ranks if ranks[p] == min(ranks.values())]
        if len({language_of[p] for p in ranks}) > 1:
            lowest = min(scores[p] for p in ranks)
            furthest[query.lang].append(sum(score >= lowest for score in scores.values()))
        if any(own) and not all(own):
            preferred[query.lang].append(fmean(first))
            expected[query.lang].append(fmean(own))
    bias = evaluated(query_set, TableRanker(collection)).report["language_bias"]
    assert isinstance(bias, dict)
    assert bias["max@r"]["n"] == sum(map(len, furthest.values()))
    assert bias["max@r"]["mean"] == pytest.approx(fmean(map(fmean, furthest.values())))
    complete = {lang: fmean(rank <= 10 for rank in ranks) for lang, ranks in furthest.items()}
    assert bias["complete@10"]["by_language"] == pytest.approx(complete)
    assert bias["complete@100"]["mean"] == 1.0
    preference = bias["language_preference_rate"]
    assert preference["n"] == sum(map(len, preferred.values()))
    assert preference["mean"] == pytest.approx(fmean(map(fmean, preferred.values())))
    assert preference["expected"] == pytest.approx(fmean(map(fmean, expected.values())))
    assert 0 < bias["peer@20"]["mean"] <= 1
    assert 0 < bias["peer@20"]["n"] < bias["max@r"]["n"]


def test_a_ranking_blind_to_language_has_the_expected_preference_rate() -> None:
    collection = random_collection(5, distinct=1)
    bias = evaluated(query_set_of(collection), TableRanker(collection)).report["language_bias"]
    assert isinstance(bias, dict)
    preference = bias["language_preference_rate"]
    assert preference["mean"] == pytest.approx(preference["expected"])
    assert bias["peer@20"]["mean"] == 1.0


def test_a_run_that_leaves_a_parallel_answer_out_is_not_complete_in_a_pool_of_any_size() -> None:
    run = {"q": [Scored("de", 2.0)], "r": [Scored("de", 2.0), Scored("en", 1.0)]}
    ranker = RunRanker(run, passage_ids=["de", "en"], passage_languages=["de", "en"])
    queries = tuple(Query(id=name, text=name, lang="de") for name in run)
    qrels = {name: {"de": 1, "en": 1} for name in run}
    bias = evaluated(QuerySet(queries=queries, qrels=qrels), ranker).report["language_bias"]
    assert isinstance(bias, dict)
    assert bias["complete@10"] == {"mean": 0.5, "n": 2, "by_language": {"de": 0.5}}


def test_bias_that_no_query_can_tell_is_null() -> None:
    collection = random_collection(5)
    first = collection.passages[0]
    query_set = QuerySet(
        queries=query_set_of(collection).queries,
        qrels={query: {first: 1} for query in collection.queries},
    )
    bias = evaluated(query_set, TableRanker(collection)).report["language_bias"]
    assert isinstance(bias, dict)
    names = ("language_preference_rate", "max@r", "complete@10", "complete@100", "peer@20")
    assert [bias[name] for name in names] == [None] * 5


def test_the_language_bias_of_a_report_has_the_fields_that_scripts_rely_on() -> None:
    collection = random_collection(5)
    bias = evaluated(query_set_of(collection), TableRanker(collection)).report["language_bias"]
    assert isinstance(bias, dict)
    assert list(bias) == [
        "rank_distance",
        "rank_distance_by_language",
        "share@10",
        "same_language_share@10",
        "language_preference_rate",
        "max@r",
        "complete@10",
        "complete@100",
        "peer@20",
    ]
    assert list(bias["peer@20"]) == ["mean", "n", "by_language"]


def test_a_pool_of_one_language_has_no_language_bias() -> None:
    collection = random_collection(5)
    ranker = TableRanker(collection)
    ranker.passage_languages = ["de"] * len(collection.passages)
    assert evaluated(query_set_of(collection), ranker).report["language_bias"] == {}


def test_a_domain_has_macro_means_over_its_query_languages() -> None:
    collection = random_collection(6)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    domains = found.report["domains"]
    assert isinstance(domains, dict)
    assert list(domains) == ["law", "news"]
    rows = [row for row in found.per_query.rows() if row["domain"] == "law"]
    by_language = {
        lang: fmean(float(str(row["mAP"])) for row in rows if row["lang"] == lang)
        for lang in LANGUAGES[:2]
    }
    assert domains["law"]["n"] == len(rows)
    assert domains["law"]["mAP"] == pytest.approx(fmean(by_language.values()))
    assert domains["law"]["by_language"]["de"]["mAP"] == pytest.approx(by_language["de"])


def test_the_report_has_the_fields_that_scripts_rely_on() -> None:
    collection = random_collection(0)
    report = evaluated(query_set_of(collection), TableRanker(collection), seed=3).report
    assert list(report) == [
        "corpus",
        "version",
        "encoder",
        "contract",
        "queries",
        "measures",
        "by_language",
        "protocols",
        "by_language_pair",
        "language_bias",
        "first_rank",
        "domains",
        "lint",
        "seed",
        "data",
        "versions",
    ]
    assert report["queries"] == {"judged": 25, "without_positives": 0, "missing": 0}
    assert (report["contract"], report["seed"]) == ("synglot-1", 3)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_share_of_judged_passages_stands_beside_a_cut_off() -> None:
    collection = random_collection(0)
    report = evaluated(query_set_of(collection), TableRanker(collection)).report
    shares = [
        len(set(total_order(scores)[:10]) & set(collection.qrels[query])) / 10
        for query, scores in collection.run().items()
    ]
    measures = report["measures"]
    assert isinstance(measures, dict)
    assert measures["nDCG@10"]["judged"] == pytest.approx(fmean(shares))
    assert "judged" not in measures["mAP"]


def test_blocks_of_any_size_give_the_same_report() -> None:
    collection = random_collection(2)
    query_set = query_set_of(collection)
    reports = [
        evaluated(query_set, TableRanker(collection, block=block)).report for block in (1, 7, 100)
    ]
    assert reports[0] == reports[1] == reports[2]


def test_queries_without_a_relevant_passage_are_excluded_and_counted() -> None:
    collection = random_collection(0)
    qrels = {**collection.qrels, "q0": {collection.passages[0]: 0}}
    qrels.pop("q1")
    query_set = QuerySet(queries=query_set_of(collection).queries, qrels=qrels)
    found = evaluated(query_set, TableRanker(collection))
    assert found.report["queries"] == {"judged": 24, "without_positives": 1, "missing": 0}
    assert len(found.per_query.views["pool"].values["mAP"]) == 23
    assert [finding["message"] for finding in found.report["lint"]] == [
        "1 queries have no judgement and are left out",
        "1 judged queries have no relevant passage and are left out",
    ]


def test_a_run_has_the_total_order_and_is_measured_as_its_ranker(tmp_path: Path) -> None:
    collection = random_collection(4)
    query_set = query_set_of(collection)
    path = tmp_path / "run.trec"
    write_run(rankings(query_set.queries, TableRanker(collection), depth=1000), path)
    run = read_run(path)
    for query, scores in collection.run().items():
        assert [scored.id for scored in run[query]] == total_order(scores)
    ranker = RunRanker(run, passage_ids=collection.passages, passage_languages=collection.languages)
    expected = evaluated(query_set, TableRanker(collection)).report
    assert evaluated(query_set, ranker).report == expected


def test_a_judged_query_that_a_run_leaves_out_scores_zero_and_is_counted() -> None:
    collection = random_collection(4)
    query_set = query_set_of(collection)
    run = {
        query: [Scored(name, scores[name]) for name in total_order(scores)[:20]]
        for query, scores in collection.run().items()
        if query not in {"q3", "q8"}
    }
    ranker = RunRanker(run, passage_ids=collection.passages, passage_languages=collection.languages)
    found = evaluate(
        query_set,
        ranker,
        corpus="c",
        version="v",
        encoder="e",
        measures=MEASURES,
        missing=ranker.missing(query_set),
    )
    assert found.report["queries"] == {"judged": 25, "without_positives": 0, "missing": 2}
    plain = {query: {s.id: s.score for s in ranking} for query, ranking in run.items()}
    expected = trec_eval(collection.qrels, plain, TREC_NAMES.values())
    for name, trec_name in TREC_NAMES.items():
        values = [expected.get(q, {}).get(trec_name, 0.0) for q in collection.queries]
        np.testing.assert_allclose(found.per_query.views["pool"].values[name], values, atol=1e-6)


def test_a_run_that_names_an_unknown_passage_is_refused() -> None:
    collection = random_collection(4)
    ranker = RunRanker(
        {"q0": [Scored("nowhere", 1.0)]},
        passage_ids=collection.passages,
        passage_languages=collection.languages,
    )
    with pytest.raises(DanglingId, match="unknown passage 'nowhere'"):
        evaluated(query_set_of(collection), ranker)


class Untouchable(TableRanker):
    """Fails the test where scores are asked of it."""

    def score_blocks(
        self,
        queries: Sequence[Query],  # noqa: ARG002
        *,
        progress: bool = False,  # noqa: ARG002
    ) -> Iterator[NDArray[np.float32]]:
        raise AssertionError("scores were asked for")


def test_judgements_of_unknown_ids_are_refused_before_any_work() -> None:
    collection = random_collection(0)
    queries, ranker = query_set_of(collection).queries, Untouchable(collection)
    with pytest.raises(DanglingId, match="passage"):
        evaluated(QuerySet(queries=queries, qrels={"q0": {"nowhere": 0}}), ranker)
    with pytest.raises(DanglingId, match="query"):
        evaluated(QuerySet(queries=queries, qrels={"nobody": {collection.passages[0]: 1}}), ranker)


def test_a_set_without_any_relevant_passage_is_refused() -> None:
    collection = random_collection(0)
    queries = query_set_of(collection).queries
    with pytest.raises(BadInput, match="no query has a relevant passage"):
        evaluated(
            QuerySet(queries=queries, qrels={"q0": {collection.passages[0]: 0}}),
            Untouchable(collection),
        )


def test_a_passage_id_twice_in_the_corpus_is_refused() -> None:
    collection = random_collection(0)
    ranker = Untouchable(collection)
    ranker.passage_ids = [*collection.passages[:-1], collection.passages[0]]
    with pytest.raises(DuplicateId, match="passage id twice"):
        rank_query_set(query_set_of(collection), ranker)


def test_scores_that_are_not_numbers_are_refused() -> None:
    collection = random_collection(0)
    collection.scores_QP[3, 3] = np.nan
    with pytest.raises(BadInput, match="a score is not a number"):
        rank_query_set(query_set_of(collection), TableRanker(collection))


def test_per_query_values_name_their_query() -> None:
    collection = random_collection(0)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    first = next(iter(found.per_query.rows()))
    assert {key: first[key] for key in ("query", "lang", "domain", "group")} == {
        "query": "q0",
        "lang": "de",
        "domain": "law",
        "group": "group 0",
    }
    assert first["mAP"] == found.ranked.values(MEASURES[0])[0]
