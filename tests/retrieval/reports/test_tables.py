from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrieval.reports import write_csv
from retrieval.reports.tables import COLUMNS, rows
from tests.retrieval.reports.sample import INJECTION, sample_report

Row = dict[str, str]
Cells = Callable[..., list[Row]]


@pytest.fixture
def cells(report: dict[str, Any], tmp_path: Path) -> Cells:
    """The rows of the report's file that have the given values."""
    written = read_back(report, tmp_path)

    def found(**where: str) -> list[Row]:
        return [row for row in written if all(row[key] == value for key, value in where.items())]

    return found


def read_back(report: dict[str, Any], folder: Path) -> list[Row]:
    write_csv(report, folder / "r.csv")
    with (folder / "r.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def number(text: str) -> float | None:
    return float(text) if text else None


def estimate(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"mean": number(row["mean"]), "n": int(row["n"])}
    found["ci95"] = [number(row["low"]), number(row["high"])]
    if row["judged"]:
        found["judged"] = number(row["judged"])
    return found


def test_measures_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    assert {row["measure"]: estimate(row) for row in cells(section="measures")} == report[
        "measures"
    ]


def test_languages_and_protocols_survive_the_round_trip(
    report: dict[str, Any], cells: Cells
) -> None:
    for section, column in (("by_language", "query_language"), ("protocols", "view")):
        table: dict[str, dict[str, Any]] = {}
        for row in cells(section=section):
            table.setdefault(row[column], {})[row["measure"]] = estimate(row)
        assert table == report[section]


def test_language_pairs_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    table: dict[str, dict[str, Any]] = {}
    for row in cells(section="by_language_pair"):
        pair = f"{row['query_language']}->{row['passage_language']}"
        entry = table.setdefault(pair, {"n": int(row["n"]), "ci95": {}})
        entry[row["measure"]] = number(row["mean"])
        entry["ci95"][row["measure"]] = [number(row["low"]), number(row["high"])]
    assert table == report["by_language_pair"]


def test_comparisons_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    comparison = report["comparison"]
    tables = {"": comparison["overall"], **comparison["by_language"]}
    counts = ("wins", "ties", "losses", "n", "clusters")
    found: dict[str, Any] = {}
    for row in cells(section="comparison"):
        entry: dict[str, Any] = {key: int(row[key]) for key in counts}
        entry |= {k: number(row[k]) for k in ("difference", "p", "p_holm", "detectable")}
        entry["ci95"] = [number(row["low"]), number(row["high"])]
        views = found.setdefault(row["query_language"], {})
        views.setdefault(row["view"], {})[row["measure"]] = entry
    assert found == tables


def test_bias_and_shares_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    bias = report["language_bias"]
    whole = {row["measure"]: row for row in cells(section="language_bias", query_language="")}
    assert number(whole["rank_distance"]["mean"]) == bias["rank_distance"]
    assert whole["peer@20"]["mean"] == ""
    preference = whole["language_preference_rate"]
    assert number(preference["expected"]) == bias["language_preference_rate"]["expected"]
    assert int(float(preference["n"])) == bias["language_preference_rate"]["n"]
    assert {
        row["query_language"]: number(row["mean"])
        for row in cells(section="language_bias", measure="rank_distance")
        if row["query_language"]
    } == bias["rank_distance_by_language"]
    assert {
        row["passage_language"]: {
            "share": number(row["mean"]),
            "among_relevant": number(row["expected"]),
        }
        for row in cells(section="language_bias", measure="share@10")
    } == bias["share@10"]


def test_first_ranks_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    section = report["first_rank"]
    for lang, entry in {"": section, **section["by_language"]}.items():
        found = cells(section="first_rank", query_language=lang)
        assert number(found[0]["median"]) == entry["median"]
        assert [int(row["count"]) for row in found[1:]] == [*entry["counts"], entry["not_ranked"]]
    assert [row["bin"] for row in cells(section="first_rank", query_language="")][1:] == [
        "1",
        "2–3",
        "4–10",
        "11–30",
        "31–100",
        "101–300",
        "301–1,000",
        "1,001–10,000",
        "over 10,000",
        "not ranked",
    ]


def test_domains_survive_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    for domain, entry in report["domains"].items():
        for measure in report["measures"]:
            whole, *languages = cells(section="domains", domain=domain, measure=measure)
            assert number(whole["mean"]) == entry[measure]
            assert [number(whole["low"]), number(whole["high"])] == entry["ci95"][measure]
            assert {row["query_language"]: number(row["mean"]) for row in languages} == {
                lang: means[measure] for lang, means in entry["by_language"].items()
            }


def test_index_loss_survives_the_round_trip(report: dict[str, Any], cells: Cells) -> None:
    section = report["index_loss"]
    whole, *languages = cells(section="index_loss", measure="recall@10")
    assert number(whole["mean"]) == section["recall@10"]["mean"]
    assert {row["query_language"]: number(row["mean"]) for row in languages} == section[
        "recall@10"
    ]["by_language"]
    for measure, entry in section["measures"].items():
        (row,) = [r for r in cells(section="index_loss", measure=measure) if r["exact"]]
        assert {key: number(row[key]) for key in entry} == entry


def test_worst_queries_and_gates_are_there(report: dict[str, Any], cells: Cells) -> None:
    queries = report["worst"]["queries"]
    assert [row["query"] for row in cells(section="worst")] == [q["query"] for q in queries]
    assert [(row["passage"], number(row["score"])) for row in cells(section="worst_hits")] == [
        (hit["id"], hit["score"]) for query in queries for hit in query["hits"]
    ]
    failing = [f for gate in report["gates"] for f in gate["failing"]]
    assert failing
    assert [number(row["loss"]) for row in cells(section="gates") if row["loss"]] == [
        f["drop"] for f in failing
    ]


def test_every_row_keeps_to_the_columns(hostile_report: dict[str, Any], tmp_path: Path) -> None:
    assert {key for row in rows(hostile_report) for key in row} == set(COLUMNS)
    ids = {row["query"] for row in read_back(hostile_report, tmp_path)}
    assert any(INJECTION in identifier for identifier in ids)


def test_what_is_missing_or_infinite_is_an_empty_cell(tmp_path: Path) -> None:
    report = sample_report(("en",), items=1)
    report["comparison"]["overall"]["pool"]["mAP"]["detectable"] = float("inf")
    found = read_back(report, tmp_path)
    (row,) = [
        r
        for r in found
        if r["section"] == "comparison" and r["measure"] == "mAP" and not r["query_language"]
    ]
    assert (row["low"], row["high"], row["detectable"]) == ("", "", "")
    assert not [r for r in found if r["section"] in ("protocols", "language_bias")]
