"""Two evaluations of one query set, compared query by query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.evaluation.per_query import RANK_DISTANCE, PerQuery, View
from retrieval.metrics.comparison import Comparison, compare_columns, corrected
from retrieval.metrics.statistics import COMPARISON_RESAMPLES, Columns

Column = tuple[str, str]
"""(view, measure)."""

_SEPARATOR = "\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Every difference is first minus second. n, clusters: queries compared, in how many clusters.

    overall: of each view and measure. by_language: the same for the queries of each language;
    p-values are corrected by Holm over the languages of a view and measure.
    """

    seed: int
    n: int
    clusters: int
    overall: Mapping[Column, Comparison]
    by_language: Mapping[Column, Mapping[str, Comparison]]

    def to_json(self) -> dict[str, object]:
        """`overall` view -> measure -> comparison, `by_language` language -> the same."""
        languages = sorted({lang for family in self.by_language.values() for lang in family})
        return {
            "difference": "this minus other",
            "less_is_better": [RANK_DISTANCE],
            "resamples": COMPARISON_RESAMPLES,
            "seed": self.seed,
            "n": self.n,
            "clusters": self.clusters,
            "overall": _nested({column: asdict(c) for column, c in self.overall.items()}),
            "by_language": {
                lang: _nested(
                    {
                        column: asdict(family[lang])
                        for column, family in self.by_language.items()
                        if lang in family
                    }
                )
                for lang in languages
            },
        }


def compare_per_query(first: PerQuery, second: PerQuery, *, seed: int = 0) -> PairedComparison:
    """Compare in every view and measure that both have; the order of queries does not matter.

    Raises BadInput where the queries are not the same, or nothing can be compared.
    """
    ours, theirs, weights = _columns(first, _aligned(second, first))
    found = compare_columns(ours, theirs, first.clusters, seed=seed, weights=weights)
    overall: dict[Column, Comparison] = {}
    by_language: dict[Column, dict[str, Comparison]] = {}
    for (view, measure, lang), comparison in _oriented(found):
        if lang:
            by_language.setdefault((view, measure), {})[lang] = comparison
        else:
            overall[view, measure] = comparison
    if not overall:
        raise BadInput("the two evaluations share no measure", fix="Evaluate both with one list.")
    return PairedComparison(
        seed=seed,
        n=len(first.ids),
        clusters=len(set(first.clusters)),
        overall=overall,
        by_language={column: corrected(family) for column, family in by_language.items()},
    )


def _aligned(other: PerQuery, model: PerQuery) -> dict[str, View]:
    """The views of `other`, its queries in the order of `model`."""
    row_of = {identifier: row for row, identifier in enumerate(other.ids)}
    missing = [identifier for identifier in model.ids if identifier not in row_of]
    more = len(other.ids) - (len(model.ids) - len(missing))
    if missing or more:
        example = f", such as {missing[0]!r}" if missing else ""
        raise BadInput(
            f"the evaluations are of different queries: {len(missing)} of {len(model.ids)} are not"
            f" in the other one{example}, which has {more} of its own",
            fix="Compare evaluations of one query set with the same judgements.",
        )
    rows = np.array([row_of[identifier] for identifier in model.ids], dtype=np.int64)
    return {
        name: View(
            values={measure: value_Q[rows] for measure, value_Q in view.values.items()},
            weight_Q=view.weight_Q[rows],
        )
        for name, view in other.views.items()
    }


def _columns(first: PerQuery, second: Mapping[str, View]) -> tuple[Columns, Columns, Columns]:
    """Values of both, and weights, of every shared view and measure, whole and by language.

    A query can have a value in one alone where the corpora differ: with passages of a language
    removed, no answer in it is left. Such a query is left out.
    """
    ours: dict[str, NDArray[np.float64]] = {}
    theirs: dict[str, NDArray[np.float64]] = {}
    weights: dict[str, NDArray[np.float64]] = {}
    language_Q = np.array(first.languages, dtype=object)
    masks = {"": np.ones(len(language_Q), dtype=np.bool_)}
    masks |= {lang: language_Q == lang for lang in sorted(set(first.languages))}
    for view, measure in _shared(first.views, second):
        our_Q, their_Q = first.views[view].values[measure], second[view].values[measure]
        both_Q = ~np.isnan(our_Q) & ~np.isnan(their_Q)
        for lang, mask_Q in masks.items():
            name = _SEPARATOR.join((view, measure, lang))
            ours[name] = np.where(both_Q & mask_Q, our_Q, np.nan)
            theirs[name] = np.where(both_Q & mask_Q, their_Q, np.nan)
            weights[name] = first.views[view].weight_Q
    return ours, theirs, weights


def _shared(first: Mapping[str, View], second: Mapping[str, View]) -> Iterator[Column]:
    for view in first:
        if view in second:
            yield from ((view, m) for m in first[view].values if m in second[view].values)


def _oriented(
    found: Mapping[str, Comparison],
) -> Iterator[tuple[tuple[str, str, str], Comparison]]:
    """((view, measure, language or nothing), comparison in which a win is the better value)."""
    for name, comparison in found.items():
        view, measure, lang = name.split(_SEPARATOR)
        if measure == RANK_DISTANCE:
            comparison = replace(comparison, wins=comparison.losses, losses=comparison.wins)
        yield (view, measure, lang), comparison


def _nested(table: Mapping[Column, dict[str, object]]) -> dict[str, dict[str, object]]:
    nested: dict[str, dict[str, object]] = {}
    for (view, measure), entry in table.items():
        nested.setdefault(view, {})[measure] = entry
    return nested
