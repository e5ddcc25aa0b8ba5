"""Every figure of a report as one tidy table: a row each, a column for whatever it may have."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from retrieval.formats.runs import replacing
from retrieval.reports.bias import bias_figures, language_shares
from retrieval.reports.compared import language_rows, overall_rows
from retrieval.reports.drawings import bin_names
from retrieval.reports.numbers import bounds, finite

COLUMNS = (
    "section",
    "view",
    "measure",
    "query_language",
    "passage_language",
    "domain",
    "n",
    "mean",
    "low",
    "high",
    "judged",
    "expected",
    "difference",
    "p",
    "p_holm",
    "wins",
    "ties",
    "losses",
    "clusters",
    "detectable",
    "this",
    "other",
    "bin",
    "count",
    "median",
    "exact",
    "index",
    "loss",
    "rule",
    "passed",
    "checked",
    "query",
    "passage",
    "rank",
    "score",
    "relevance",
)
"""`mean` is the figure itself; `low` and `high` its 95% interval, or that of `difference`."""

Report = Mapping[str, Any]
Row = dict[str, object]


def write_csv(report: Report, path: Path) -> None:
    """The rows of a report in UTF-8, with a header; numbers as exact as the JSON's.

    The file takes the place of `path` once it is whole. A figure without a value is an empty cell.
    """
    with replacing(path) as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows(report):
            writer.writerow({key: _cell(value) for key, value in row.items()})


def rows(report: Report) -> Iterator[Row]:
    """Every figure of the page, in its order."""
    yield from _table("measures", report.get("measures"))
    for measure, mean in (report.get("macro") or {}).items():
        yield {"section": "macro", "measure": measure, "mean": mean}
    yield from _comparison(report)
    yield from _gates(report)
    for view, table in (report.get("protocols") or {}).items():
        yield from _table("protocols", table, view=view)
    yield from _pairs(report)
    for lang, table in (report.get("by_language") or {}).items():
        yield from _table("by_language", table, query_language=lang)
    yield from _bias(report)
    yield from _first_ranks(report)
    yield from _worst(report)
    yield from _domains(report)
    yield from _index_loss(report)
    for finding in report.get("lint") or ():
        yield {"section": "lint", "rule": finding["rule"], "count": finding["count"]}
    yield from _counts(report)


def _cell(value: object) -> object:
    """None and what is not finite are empty; a float is written with all its digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        number = finite(value)
        return "" if number is None else repr(number)
    return value


def _table(section: str, table: Mapping[str, Any] | None, **where: str) -> Iterator[Row]:
    for measure, entry in (table or {}).items():
        yield {"section": section, **where, "measure": measure, **_estimate(entry)}


def _estimate(entry: Mapping[str, Any]) -> Row:
    row: Row = {key: entry[key] for key in ("n", "mean", "judged") if key in entry}
    return {**row, **_interval(entry.get("ci95"))}


def _interval(ends: object) -> Row:
    low, high = bounds(ends)
    return {"low": low, "high": high}


def _comparison(report: Report) -> Iterator[Row]:
    kept = ["difference", "p", "p_holm", "wins", "ties", "losses", "n", "clusters", "detectable"]
    for row in [*overall_rows(report), *language_rows(report)]:
        yield {
            "section": "comparison",
            "view": row.view,
            "measure": row.measure,
            "query_language": row.language,
            **{key: row.entry.get(key) for key in kept},
            **_interval(row.entry.get("ci95")),
            "this": row.this,
            "other": row.other,
        }


def _gates(report: Report) -> Iterator[Row]:
    for gate in report.get("gates") or ():
        row: Row = {"section": "gates", "rule": gate["rule"]}
        yield {**row, "passed": gate["passed"], "checked": gate["checked"]}
        for failing in gate["failing"]:
            yield {
                **row,
                "query_language": failing["language"],
                "loss": failing["drop"],
                **_interval(failing["ci95"]),
                **{key: failing.get(key) for key in ("p", "p_holm", "n")},
            }


def _pairs(report: Report) -> Iterator[Row]:
    for pair, entry in (report.get("by_language_pair") or {}).items():
        query_language, _, passage_language = pair.partition("->")
        for measure, mean in entry.items():
            if measure not in ("n", "ci95"):
                yield {
                    "section": "by_language_pair",
                    "measure": measure,
                    "query_language": query_language,
                    "passage_language": passage_language,
                    "n": entry.get("n"),
                    "mean": mean,
                    **_interval((entry.get("ci95") or {}).get(measure)),
                }


def _bias(report: Report) -> Iterator[Row]:
    for found in bias_figures(report):
        row: Row = {"section": "language_bias", "measure": found.key}
        yield {**row, "n": found.n, "mean": found.mean, "expected": found.expected}
        for lang, mean in found.by_language.items():
            yield {**row, "query_language": lang, "mean": mean}
    for share in language_shares(report):
        yield {
            "section": "language_bias",
            "measure": share.key,
            "passage_language": share.language,
            "mean": share.share,
            "expected": share.among_relevant,
        }


def _first_ranks(report: Report) -> Iterator[Row]:
    section = report.get("first_rank") or {}
    if not section:
        return
    names = bin_names(section["bins"])
    for lang, entry in {"": section, **(section.get("by_language") or {})}.items():
        row: Row = {"section": "first_rank", "query_language": lang, "n": entry["n"]}
        yield {**row, "median": entry["median"]}
        for name, count in zip(names, entry["counts"], strict=True):
            yield {**row, "bin": name, "count": count}
        yield {**row, "bin": "not ranked", "count": entry["not_ranked"]}


def _worst(report: Report) -> Iterator[Row]:
    worst = report.get("worst") or {}
    for query in worst.get("queries") or ():
        row: Row = {"query": query["query"], "query_language": query["lang"]}
        yield {
            "section": "worst",
            "measure": worst["measure"],
            **row,
            "mean": query["value"],
            "rank": query["first_rank"],
        }
        for rank, hit in enumerate(query["hits"], start=1):
            yield {"section": "worst_hits", **row, "rank": rank, **_hit(hit)}
        if query.get("best_relevant"):
            hit = query["best_relevant"]
            yield {
                "section": "worst_best_relevant",
                **row,
                "rank": query["first_rank"],
                **_hit(hit),
            }


def _hit(hit: Mapping[str, Any]) -> Row:
    return {
        "passage": hit["id"],
        "passage_language": hit["lang"],
        "score": hit["score"],
        "relevance": hit["relevance"],
    }


def _domains(report: Report) -> Iterator[Row]:
    for domain, entry in (report.get("domains") or {}).items():
        row: Row = {"section": "domains", "domain": domain}
        for measure, mean in entry.items():
            if measure not in ("n", "ci95", "by_language"):
                ends = (entry.get("ci95") or {}).get(measure)
                where: Row = {**row, "measure": measure, "n": entry["n"]}
                yield {**where, "mean": mean, **_interval(ends)}
        for lang, means in (entry.get("by_language") or {}).items():
            for measure, mean in means.items():
                yield {**row, "measure": measure, "query_language": lang, "mean": mean}


def _index_loss(report: Report) -> Iterator[Row]:
    section = report.get("index_loss") or {}
    for key, entry in section.items():
        row: Row = {"section": "index_loss", "measure": key}
        if key.startswith("recall@"):
            yield {**row, "n": section.get("queries"), "mean": entry["mean"]}
            for lang, mean in entry["by_language"].items():
                yield {**row, "query_language": lang, "mean": mean}
    for measure, entry in (section.get("measures") or {}).items():
        yield {"section": "index_loss", "measure": measure, **entry}


def _counts(report: Report) -> Iterator[Row]:
    for key, count in (report.get("queries") or {}).items():
        yield {"section": "queries", "measure": key, "count": count}
    for lang, entry in (report.get("counts") or {}).items():
        for key, count in entry.items():
            yield {"section": "counts", "measure": key, "passage_language": lang, "count": count}
