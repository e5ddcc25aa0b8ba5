from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UnknownMeasure
from retrieval.metrics.measure import DEFAULT_MEASURES, Kind, Measure, parse_measures


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("MRR@10", "MRR@10"),
        ("RR@10", "MRR@10"),
        ("mrr", "MRR"),
        ("mAP", "mAP"),
        ("AP", "mAP"),
        ("map", "mAP"),
        ("AP@1000", "AP@1000"),
        ("mAP@1000", "AP@1000"),
        ("ndcg@10", "nDCG@10"),
        ("nDCG", "nDCG"),
        ("R@100", "Recall@100"),
        ("recall@1", "Recall@1"),
        ("success@5", "Success@5"),
        ("P@20", "P@20"),
        ("Precision@20", "P@20"),
    ],
)
def test_a_name_is_parsed_to_its_canonical_form(name: str, canonical: str) -> None:
    assert str(Measure.parse(name)) == canonical


@given(st.sampled_from(Kind), st.integers(1, 10**6))
def test_a_measure_is_the_one_its_name_says(kind: Kind, cutoff: int) -> None:
    assert Measure.parse(str(Measure(kind, cutoff))) == Measure(kind, cutoff)


@pytest.mark.parametrize(
    "name",
    ["", "MRR@", "MRR@0", "MRR@-1", "MRR@1.5", "@10", "accuracy", "MRR 10", "MRR@１０", "nDCG@@3"],
)
def test_what_is_no_measure_is_refused(name: str) -> None:
    with pytest.raises(UnknownMeasure, match="unknown measure"):
        Measure.parse(name)


@pytest.mark.parametrize("name", ["Recall", "R", "P", "success"])
def test_a_measure_that_needs_a_cut_off_says_so(name: str) -> None:
    with pytest.raises(UnknownMeasure, match="needs a cut-off"):
        Measure.parse(name)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownMeasure, match=r"Did you mean nDCG@10"):
        Measure.parse("nGCD@10")


def test_a_list_of_names_is_parsed_in_order_and_each_measure_once() -> None:
    assert [str(m) for m in parse_measures("mAP RR@10, MRR@10  R@5")] == [
        "mAP",
        "MRR@10",
        "Recall@5",
    ]
    assert parse_measures(["AP"]) == (Measure(Kind.AVERAGE_PRECISION),)


@pytest.mark.parametrize("names", ["", "  ", []])
def test_an_empty_list_of_measures_is_refused(names: str | list[str]) -> None:
    with pytest.raises(UnknownMeasure, match="no measure named"):
        parse_measures(names)


def test_the_default_measures_are_those_of_the_contract() -> None:
    assert [str(m) for m in DEFAULT_MEASURES] == ["MRR@10", "mAP", "nDCG@10", "Recall@100"]
