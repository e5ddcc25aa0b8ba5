"""How high scores run in each passage language, fitted when a corpus is built.

Some languages' passages score higher for any query: because of how an encoder was trained, or
because they are many. Passages drawn from all languages alike play the queries; what they score
against the passages of a language, themselves left out, gives that language its standard.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from retrieval.errors import BadInput

FILE = "calibration.json"
"""Where a version keeps its calibration."""

_QUERIES = 512
_QUERIES_A_LANGUAGE = 32
_PASSAGES_A_LANGUAGE = 1000
# On held-out questions the mean of all scores as location cost a third of Mul. mAP where languages
# differ in size; their tail, where hits are, cost nothing there.
_TAIL = 0.99
_LEAST_SCALE = 1e-6

Scores = Callable[[NDArray[np.int64], str, NDArray[np.int64]], NDArray[np.floating]]
"""Rows that play queries [Q], a language and rows of its passages [R] to scores [Q, R]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """Where the scores of a passage language lie.

    location: mean over queries of the 99th percentile of their scores. scale: standard deviation
    of a query's scores, > 0.
    """

    location: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """The standards of one way of scoring, by passage language."""

    standards: Mapping[str, Standard]

    def of(self, lang: str) -> Standard:
        """The standard of a language; of one never seen: scores as they are."""
        return self.standards.get(lang, Standard())

    def standardised(
        self,
        scores_C: NDArray[np.floating],
        language_C: NDArray[np.int64],
        languages: Sequence[str],
    ) -> NDArray[np.float64]:
        """(score - location) / scale of each candidate, by its language's standard."""
        standards = [self.of(lang) for lang in languages]
        location_L = np.array([standard.location for standard in standards])
        scale_L = np.array([standard.scale for standard in standards])
        standardised_C: NDArray[np.float64] = (
            scores_C.astype(np.float64) - location_L[language_C]
        ) / scale_L[language_C]
        return standardised_C


class QuerySample:
    """Passages that play queries: at most 32 of each language, each as likely as any other."""

    def __init__(self, *, seed: int = 0) -> None:
        self.tokens: dict[int, Sequence[int]] = {}
        self._rows: dict[str, list[int]] = {}
        self._seen: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def add(self, row: int, lang: str, tokens: Sequence[int] = ()) -> None:
        """Offer a passage (reservoir sampling: Vitter 1985, algorithm R)."""
        kept = self._rows.setdefault(lang, [])
        self._seen[lang] += 1
        if len(kept) < _QUERIES_A_LANGUAGE:
            place = len(kept)
            kept.append(row)
        else:
            place = self._random.randrange(self._seen[lang])
            if place >= _QUERIES_A_LANGUAGE:
                return
            del self.tokens[kept[place]]
            kept[place] = row
        self.tokens[row] = tokens

    def rows(self) -> NDArray[np.int64]:
        """At most 512 of them (one a language at least), as many of each language as can be."""
        each = max(1, _QUERIES // max(1, len(self._rows)))
        chosen = [row for lang in sorted(self._rows) for row in self._rows[lang][:each]]
        return np.array(chosen, dtype=np.int64)


def fit(
    rows: Mapping[str, NDArray[np.int64]],
    queries_Q: NDArray[np.int64],
    scores: Scores,
    *,
    seed: int = 0,
) -> Calibration:
    """The standards of each language of a corpus.

    rows: language -> rows of its passages, of which at most 1,000 are drawn. queries_Q: rows of
    the passages that play queries.
    """
    rng = np.random.default_rng(seed)
    fitted = {}
    for lang in sorted(rows):
        drawn_R = np.sort(rng.permutation(rows[lang])[:_PASSAGES_A_LANGUAGE])
        fitted[lang] = _standard(scores(queries_Q, lang, drawn_R), queries_Q, drawn_R)
    usual = [standard.scale for standard in fitted.values() if standard.scale >= _LEAST_SCALE]
    fallback = float(np.mean(usual)) if usual else 1.0
    return Calibration(
        {
            lang: standard if standard.scale >= _LEAST_SCALE else replace(standard, scale=fallback)
            for lang, standard in fitted.items()
        }
    )


def _standard(
    scores_QR: NDArray[np.floating], queries_Q: NDArray[np.int64], rows_R: NDArray[np.int64]
) -> Standard:
    """Of all scores but those of a passage with itself."""
    scores_QR = scores_QR.astype(np.float64)
    itself_Q = np.isin(queries_Q, rows_R)
    parts = [scores_QR[~itself_Q]]
    parts += [
        scores_R[rows_R != query][None]
        for query, scores_R in zip(queries_Q[itself_Q], scores_QR[itself_Q], strict=True)
    ]
    parts = [part for part in parts if part.size]
    if not parts:
        return Standard(scale=0.0)
    locations = np.concatenate([np.quantile(part, _TAIL, axis=1) for part in parts])
    variances = np.concatenate([part.var(axis=1) for part in parts])
    return Standard(location=float(locations.mean()), scale=float(np.sqrt(variances.mean())))


def write_calibrations(calibrations: Mapping[str, Calibration], path: Path) -> None:
    """`{way of scoring: {language: {"location", "scale"}}}` as JSON."""
    content = {
        name: {
            lang: {"location": standard.location, "scale": standard.scale}
            for lang, standard in calibration.standards.items()
        }
        for name, calibration in calibrations.items()
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


def read_calibrations(path: Path) -> dict[str, Calibration]:
    """What `write_calibrations` wrote. Raises BadInput."""
    try:
        content = orjson.loads(path.read_bytes())
        return {
            name: Calibration({lang: Standard(**entry) for lang, entry in standards.items()})
            for name, standards in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"no readable calibration ({error!r})", path=path) from error
