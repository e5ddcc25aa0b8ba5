"""Sections of the report, against loops over what they summarise."""

from __future__ import annotations

from statistics import fmean, median

import numpy as np
import pytest

from retrieval.evaluation.sections import RANK_BINS, first_rank
from retrieval.metrics.ranking import UNRANKED
from tests.retrieval.evaluation.table import MEASURES, TableRanker, evaluated, query_set_of
from tests.retrieval.metrics.oracle import LANGUAGES, random_collection, total_order

NAMES = [str(measure) for measure in MEASURES]


@pytest.mark.parametrize("seed", range(3))
def test_protocols_are_macro_means_of_the_language_matrix(seed: int) -> None:
    collection = random_collection(seed)
    report = evaluated(query_set_of(collection), TableRanker(collection)).report
    pairs = {tuple(pair.split("->")): entry for pair, entry in report["by_language_pair"].items()}
    for name in NAMES:
        same = fmean(entry[name] for (query, passage), entry in pairs.items() if query == passage)
        other = fmean(entry[name] for (query, passage), entry in pairs.items() if query != passage)
        assert report["protocols"]["monolingual"][name]["mean"] == pytest.approx(same)
        assert report["protocols"]["cross_lingual"][name]["mean"] == pytest.approx(other)
        pooled = fmean(entry[name]["mean"] for entry in report["by_language"].values())
        assert report["protocols"]["multilingual"][name]["mean"] == pytest.approx(pooled)


def test_every_mean_carries_its_interval_and_how_many_it_is_over() -> None:
    collection = random_collection(3)
    report = evaluated(query_set_of(collection), TableRanker(collection)).report
    entries = [
        *report["measures"].values(),
        *(entry for table in report["by_language"].values() for entry in table.values()),
        *(entry for table in report["protocols"].values() for entry in table.values()),
    ]
    for pair in report["by_language_pair"].values():
        entries += [{"mean": pair[n], "ci95": pair["ci95"][n], "n": pair["n"]} for n in NAMES]
    for domain in report["domains"].values():
        entries += [{"mean": domain[n], "ci95": domain["ci95"][n], "n": domain["n"]} for n in NAMES]
    assert len(entries) > 30
    for entry in entries:
        assert entry["n"] > 0
        assert entry["ci95"][0] - 1e-9 <= entry["mean"] <= entry["ci95"][1] + 1e-9


def test_the_first_rank_is_that_of_sorted_rankings() -> None:
    collection = random_collection(4)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    ranks: dict[str, list[int]] = {lang: [] for lang in LANGUAGES[:2]}
    for query in found.queries:
        order = total_order(collection.run()[query.id])
        relevant = [p for p, r in collection.qrels[query.id].items() if r > 0]
        ranks[query.lang].append(1 + min(order.index(p) for p in relevant))
    section = found.report["first_rank"]
    everything = [rank for own in ranks.values() for rank in own]
    assert section["median"] == median(everything)
    assert section["counts"][0] == everything.count(1)
    assert section["counts"][1] == everything.count(2) + everything.count(3)
    assert sum(section["counts"]) == len(everything)
    for lang, own in ranks.items():
        assert section["by_language"][lang]["median"] == median(own)


def test_ranks_fall_into_bins_that_hold_their_last_rank() -> None:
    ranks = [1, 2, 3, 4, 10, 11, 10_000, 10_001, UNRANKED]
    section = first_rank(np.array(ranks), ["de"] * len(ranks))
    assert section["bins"] == [*RANK_BINS, None]
    assert section["counts"] == [1, 2, 2, 1, 0, 0, 0, 1, 1]
    assert (section["n"], section["not_ranked"], section["median"]) == (9, 1, 10)


def test_a_median_that_no_ranking_holds_is_null() -> None:
    section = first_rank(np.array([1, UNRANKED, UNRANKED]), ["de"] * 3)
    assert section["median"] is None
    assert section["not_ranked"] == 2
