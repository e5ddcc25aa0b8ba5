"""Two evaluations of one query set, compared query by query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from retrieval.errors import BadInput
from retrieval.evaluation.per_query import RANK_DISTANCE, PerQuery, View
from retrieval.metrics.comparison import Columns, Comparison, compare_columns, corrected
from retrieval.metrics.statistics import COMPARISON_RESAMPLES

Column = tuple[str, str]
"""(view, measure)."""


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
    aligned = _aligned(second, first)
    weights = {name: view.weight_Q for name, view in first.views.items() if name in second.views}
    overall: dict[Column, Comparison] = {}
    by_language: dict[Column, Mapping[str, Comparison]] = {}
    for name, weight_Q in weights.items():
        pair = _shared(first.views[name].values, aligned[name].values)
        found = compare_columns(pair[0], pair[1], first.clusters, seed=seed, weight_Q=weight_Q)
        overall |= {(name, measure): comparison for measure, comparison in found.items()}
        ours, theirs = (_by_language(columns, first.languages) for columns in pair)
        families = compare_columns(ours, theirs, first.clusters, seed=seed, weight_Q=weight_Q)
        by_language |= {(name, measure): _family(families, measure) for measure in pair[0]}
    if not overall:
        raise BadInput("the two evaluations share no measure", fix="Evaluate both with one list.")
    return PairedComparison(
        seed=seed,
        n=len(first.ids),
        clusters=len(set(first.clusters)),
        overall=overall,
        by_language=by_language,
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


def _shared(first: Columns, second: Columns) -> tuple[Columns, Columns]:
    """Columns of the measures that both have, over the queries with a value in both.

    A query can have a value in one alone where the corpora differ: with passages of a language
    removed, no answer in it is left.
    """
    names = [name for name in first if name in second]
    alone = {name: np.isnan(first[name]) | np.isnan(second[name]) for name in names}
    return (
        {name: np.where(alone[name], np.nan, first[name]) for name in names},
        {name: np.where(alone[name], np.nan, second[name]) for name in names},
    )


def _by_language(columns: Columns, languages: tuple[str, ...]) -> Columns:
    """A column for each measure and language, named `measure language`."""
    language_Q = np.array(languages, dtype=object)
    return {
        f"{name} {lang}": np.where(language_Q == lang, value_Q, np.nan)
        for name, value_Q in columns.items()
        for lang in sorted(set(languages))
    }


def _family(families: Mapping[str, Comparison], measure: str) -> dict[str, Comparison]:
    family = {
        name.rpartition(" ")[2]: comparison
        for name, comparison in families.items()
        if name.rpartition(" ")[0] == measure
    }
    return corrected(family)


def _nested(table: Mapping[Column, dict[str, object]]) -> dict[str, dict[str, object]]:
    nested: dict[str, dict[str, object]] = {}
    for (view, measure), entry in table.items():
        nested.setdefault(view, {})[measure] = entry
    return nested
