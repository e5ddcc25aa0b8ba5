"""The language-bias section of a report as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retrieval.reports.numbers import finite

_OF_LANGUAGES = "_by_language"


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasFigure:
    """One measure; mean is None where no query can tell.

    n: queries that can. expected: the value of a ranking that knows no language.
    """

    key: str
    mean: float | None
    n: float | None = None
    expected: float | None = None
    by_language: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageShare:
    """Of one passage language: its share of the first passages, and of the relevant ones."""

    key: str
    language: str
    share: float | None
    among_relevant: float | None


def bias_figures(report: Mapping[str, Any]) -> list[BiasFigure]:
    """Every measure of bias but the shares, in the report's order."""
    section = report.get("language_bias") or {}
    return [
        _figure(key, value, section.get(f"{key}{_OF_LANGUAGES}") or {})
        for key, value in section.items()
        if not key.endswith(_OF_LANGUAGES) and not _is_shares(value)
    ]


def language_shares(report: Mapping[str, Any]) -> list[LanguageShare]:
    """The share of every passage language."""
    section = report.get("language_bias") or {}
    return [
        LanguageShare(
            key=key,
            language=lang,
            share=finite(entry.get("share")),
            among_relevant=finite(entry.get("among_relevant")),
        )
        for key, value in section.items()
        if _is_shares(value)
        for lang, entry in value.items()
    ]


def _is_shares(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values())


def _figure(key: str, value: object, by_language: Mapping[str, float]) -> BiasFigure:
    if not isinstance(value, Mapping):
        return BiasFigure(key=key, mean=finite(value), by_language=by_language)
    return BiasFigure(
        key=key,
        mean=finite(value.get("mean", value.get("share"))),
        n=finite(value.get("n")),
        expected=finite(value.get("expected", value.get("among_relevant"))),
        by_language=value.get("by_language") or {},
    )
