"""The language matrix: query languages down, passage languages across."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retrieval.reports.numbers import finite

_NOT_MEASURES = frozenset({"n", "ci95"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The entries of a report by pair of languages; a pair without one was not measured."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measures: tuple[str, ...]
    entries: Mapping[tuple[str, str], Mapping[str, Any]]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Matrix | None:
        """The matrix of `by_language_pair`; None where there is not a pair."""
        table = report.get("by_language_pair") or {}
        entries = {_languages(pair): entry for pair, entry in table.items()}
        if not entries:
            return None
        return cls(
            rows=tuple(sorted({query for query, _ in entries})),
            columns=tuple(sorted({passage for _, passage in entries})),
            measures=tuple(
                dict.fromkeys(
                    name
                    for entry in entries.values()
                    for name in entry
                    if name not in _NOT_MEASURES
                )
            ),
            entries=entries,
        )

    @property
    def crosses(self) -> bool:
        """Whether a query was searched for among passages of another language."""
        return any(query != passage for query, passage in self.entries)

    def values(self, measure: str) -> list[list[float | None]]:
        """[rows][columns] of one measure."""
        return [
            [finite(self.entries.get((row, column), {}).get(measure)) for column in self.columns]
            for row in self.rows
        ]


def _languages(pair: str) -> tuple[str, str]:
    query, _, passage = pair.partition("->")
    return query, passage
