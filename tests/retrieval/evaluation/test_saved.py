"""Evaluations read back from files, whole or broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInput, MalformedFile
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.saved import SavedEvaluation
from retrieval.formats.files import write_json
from tests.retrieval.evaluation.table import TableRanker, evaluated, query_set_of
from tests.retrieval.metrics.oracle import random_collection


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    collection = random_collection(3)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    write_json(found.to_json(), str(tmp_path / "e.json"))
    return tmp_path / "e.json"


def test_a_saved_evaluation_does_not_differ_from_the_one_it_was_made_of(saved: Path) -> None:
    collection = random_collection(3)
    found = evaluated(query_set_of(collection), TableRanker(collection))
    again = SavedEvaluation.read(saved)
    again.check_same_queries(found.report)
    compared = compare_per_query(found.per_query, again.per_query)
    assert {c.difference for c in compared.overall.values()} == {0.0}
    assert again.report["measures"] == found.report["measures"]


def test_another_query_set_or_other_judgements_are_refused(saved: Path) -> None:
    collection = random_collection(3)
    first = next(iter(collection.qrels["q0"]))
    collection.qrels["q0"][first] += 1
    other = evaluated(query_set_of(collection), TableRanker(collection))
    with pytest.raises(BadInput, match="other judgements"):
        SavedEvaluation.read(saved).check_same_queries(other.report)


def _without(*names: str) -> Callable[[dict[str, Any]], object]:
    return lambda report: [report.pop(name) for name in names]


def _set(place: str, value: object) -> Callable[[dict[str, Any]], object]:
    def change(report: dict[str, Any]) -> None:
        *path, last = place.split(".")
        for name in path:
            report = report[name]
        report[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without("per_query"), "no field 'per_query'.*--json"),
        (_without("contract"), "no field 'contract'"),
        (_set("contract", "synglot-0"), "contract 'synglot-0', this is 'synglot-1'"),
        (_set("per_query.lang", ["de"]), "per_query.lang has 1 elements, expected 25"),
        (_set("per_query.query", ["q0"] * 25), "names a query twice"),
        (_set("per_query.views.pool.values.mAP", [True] * 25), "no number"),
        (_set("per_query.views.pool.weight", "heavy"), "expected a list"),
        (_set("per_query.group", [1] * 25), "no string"),
        (_set("per_query", []), "expected an object"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(
    saved: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    report = json.loads(saved.read_text("utf-8"))
    change(report)
    saved.write_text(json.dumps(report), "utf-8")
    with pytest.raises(BadInput, match=says) as caught:
        SavedEvaluation.read(saved)
    assert caught.value.path == str(saved)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("<html>", "utf-8")
    with pytest.raises(MalformedFile, match="broken JSON"):
        SavedEvaluation.read(tmp_path / "x.json")
