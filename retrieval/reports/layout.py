"""Columns and rows of the page's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.reports.bias import bias_figures
from retrieval.reports.names import PROTOCOLS, bias_words, measure_name, measure_words

_NOT_MEASURES = frozenset({"n", "ci95", "by_language"})

Report = Mapping[str, Any]
Explained = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What follows from the keys of a report.

    *_measures: columns of the tables by protocol, query language and domain.
    ranks: (name, distribution) of all queries and of each language. recalls: (name, entry) of an
    index. *_words: (name, what it says) of the measures, for narrow screens.
    """

    protocol_measures: Sequence[str]
    language_measures: Sequence[str]
    domain_measures: Sequence[str]
    ranks: Sequence[tuple[str, Mapping[str, Any]]]
    recalls: Sequence[tuple[str, Mapping[str, Any]]]
    measure_words: Explained
    protocol_words: Explained
    bias_words: Explained

    @classmethod
    def of(cls, report: Report) -> Layout:
        """The layout of a report, whatever it lacks."""
        domains = _columns(report.get("domains"))
        index_loss = report.get("index_loss") or {}
        protocols = [PROTOCOLS[key] for key in report.get("protocols") or {} if key in PROTOCOLS]
        return cls(
            protocol_measures=_columns(report.get("protocols")),
            language_measures=_columns(report.get("by_language")),
            domain_measures=[name for name in domains if name not in _NOT_MEASURES],
            ranks=_ranks(report.get("first_rank") or {}),
            recalls=[(key, e) for key, e in index_loss.items() if key.startswith("recall@")],
            measure_words=[(measure_name(key), measure_words(key)) for key in report["measures"]],
            protocol_words=[(short, words) for short, _, words in protocols],
            bias_words=[(measure_name(f.key), bias_words(f.key)) for f in bias_figures(report)],
        )


def _columns(table: Mapping[str, Any] | None) -> list[str]:
    """Every key that a row of a table has, in the order in which they are met."""
    return list(dict.fromkeys(name for row in (table or {}).values() for name in row))


def _ranks(section: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The distribution over all queries, then by language."""
    by_language = section.get("by_language") or {}
    return [("all", section), *by_language.items()] if section else []
