"""The figures of a report, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.per_query import CROSS_LINGUAL, MONOLINGUAL, POOL, PerQuery, View
from retrieval.metrics.comparison import macro_weights
from retrieval.metrics.measure import Measure
from retrieval.metrics.parallel import parallel_bias
from retrieval.metrics.ranked import RankedSet
from retrieval.metrics.ranking import UNRANKED, judged_share
from retrieval.metrics.statistics import column_intervals

SHARE_CUTOFF = 10
"""First passages in which the report counts languages."""

RANK_BINS = (1, 3, 10, 30, 100, 300, 1000, 10_000)
"""Last rank of each bin of the distribution of first relevant ranks; one more holds the rest."""

Section = dict[str, Any]


def measured(
    ranked: RankedSet, per_query: PerQuery, measures: Sequence[Measure], *, seed: int
) -> Section:
    """Every section of figures."""
    return {
        "measures": overall(ranked, per_query, measures, seed=seed),
        "by_language": by_language(per_query, seed=seed),
        "protocols": protocols(per_query, seed=seed),
        "by_language_pair": by_language_pair(ranked, measures, seed=seed),
        "language_bias": language_bias(ranked),
        "first_rank": first_rank(ranked.first_rank_Q, per_query.languages),
        "domains": domains(per_query, seed=seed),
    }


def overall(
    ranked: RankedSet, per_query: PerQuery, measures: Sequence[Measure], *, seed: int
) -> Section:
    """`{"mean", "n", "ci95", "judged"?}` of each measure over all queries and the whole pool."""
    table = mean_values(per_query.views[POOL], per_query.clusters, seed=seed)
    for measure in measures:
        if measure.cutoff is not None:
            judged = float(judged_share(ranked.pool, measure.cutoff).mean())
            table[str(measure)]["judged"] = judged
    return {str(measure): table[str(measure)] for measure in measures}


def by_language(per_query: PerQuery, *, seed: int) -> Section:
    """Query language -> measure -> `{"mean", "n", "ci95"}` over the whole pool."""
    language_Q = np.array(per_query.languages, dtype=object)
    view = per_query.views[POOL]
    return {
        lang: mean_values(_some(view, language_Q == lang), per_query.clusters, seed=seed)
        for lang in sorted(set(per_query.languages))
    }


def protocols(per_query: PerQuery, *, seed: int) -> Section:
    """Mo., Cr. and Mul.: macro means over languages, ordered pairs and query languages.

    A protocol that no query has a value in is left out; a pool of one language has none.
    """
    if len(per_query.views) < 2:
        return {}
    pool = per_query.views[POOL]
    macro_Q = macro_weights(per_query.languages)
    views = {name: per_query.views.get(name) for name in (MONOLINGUAL, CROSS_LINGUAL)}
    views["multilingual"] = View(values=pool.values, weight_Q=macro_Q)
    return {
        name: mean_values(view, per_query.clusters, seed=seed)
        for name, view in views.items()
        if view is not None
    }


def by_language_pair(ranked: RankedSet, measures: Sequence[Measure], *, seed: int) -> Section:
    """`"de->th"` -> `{"n", measure: mean, ..., "ci95": {measure: [low, high]}}`, corpus restricted.

    A query without a relevant passage in a language is left out of that pair.
    """
    tables = {str(measure): ranked.values_QL(measure) for measure in measures}
    section: Section = {}
    for query_lang, index in ranked.queries_of.items():
        rows = {name: table_QL[index] for name, table_QL in tables.items()}
        clusters = [ranked.queries[row].cluster for row in index.tolist()]
        count_L = (ranked.relevant_QL[index] > 0).sum(axis=0).tolist()
        for passage_lang, entry in _pairs_of(ranked.languages, count_L, rows, clusters, seed):
            section[f"{query_lang}->{passage_lang}"] = entry
    return section


def _pairs_of(
    languages: Sequence[str],
    count_L: Sequence[int],
    tables: Mapping[str, NDArray[np.float64]],
    clusters: Sequence[str],
    seed: int,
) -> Iterator[tuple[str, Section]]:
    """(passage language, its entry) for the queries of one language, intervals all at once."""
    columns = {
        f"{lang} {name}": table_QL[:, column]
        for column, lang in enumerate(languages)
        for name, table_QL in tables.items()
    }
    intervals = column_intervals(columns, clusters, seed=seed)
    for lang, count in zip(languages, count_L, strict=True):
        if count:
            means = {name: float(np.nanmean(columns[f"{lang} {name}"])) for name in tables}
            ci95 = {name: intervals[f"{lang} {name}"] for name in tables}
            yield lang, {"n": count, **means, "ci95": ci95}


def language_bias(ranked: RankedSet) -> Section:
    """Empty for a pool of one language. Rank distance is over queries of two relevant passages."""
    if len(ranked.languages) < 2:
        return {}
    distances = ranked.means_by_language(ranked.rank_distance_Q, ranked.several_Q)
    share_L = ranked.ranks.share_QL.mean(axis=0).tolist()
    relevant_L = ranked.relevant_share_QL.mean(axis=0).tolist()
    own, expected = ranked.own_language(ranked.ranks.share_QL, ranked.relevant_share_QL)
    return {
        "rank_distance": float(np.mean(list(distances.values()))) if distances else None,
        "rank_distance_by_language": distances,
        f"share@{SHARE_CUTOFF}": {
            lang: {"share": share, "among_relevant": relevant}
            for lang, share, relevant in zip(ranked.languages, share_L, relevant_L, strict=True)
        },
        f"same_language_share@{SHARE_CUTOFF}": {"share": own, "among_relevant": expected},
        **parallel_bias(ranked),
    }


def first_rank(rank_Q: NDArray[np.int64], languages: Sequence[str]) -> Section:
    """Where the first relevant passage stands in the pool: medians and counts by bins of ranks.

    `bins`: the last rank of each, the last bin (null) has no end; what a ranking does not hold is
    counted apart, as `not_ranked`.
    """
    language_Q = np.array(languages, dtype=object)
    return {
        "bins": [*RANK_BINS, None],
        **_distribution(rank_Q),
        "by_language": {
            lang: _distribution(rank_Q[language_Q == lang]) for lang in sorted(set(languages))
        },
    }


def domains(per_query: PerQuery, *, seed: int) -> dict[str, Section]:
    """`n`, macro means over query languages and each language's means, of each tagged domain."""
    domain_Q = np.array(per_query.domains, dtype=object)
    language_Q = np.array(per_query.languages, dtype=object)
    view = per_query.views[POOL]
    table: dict[str, Section] = {}
    for domain in sorted(set(per_query.domains) - {""}):
        inside_Q = domain_Q == domain
        languages = language_Q[inside_Q].tolist()
        weight_Q = np.zeros(len(domain_Q))
        weight_Q[inside_Q] = macro_weights(languages)
        means = mean_values(
            _some(View(values=view.values, weight_Q=weight_Q), inside_Q),
            per_query.clusters,
            seed=seed,
        )
        by_lang = {
            lang: mean_values(
                _some(view, inside_Q & (language_Q == lang)), per_query.clusters, seed=seed
            )
            for lang in sorted(set(languages))
        }
        table[domain] = {
            "n": int(inside_Q.sum()),
            **{name: entry["mean"] for name, entry in means.items()},
            "ci95": {name: entry["ci95"] for name, entry in means.items()},
            "by_language": {
                lang: {name: entry["mean"] for name, entry in found.items()}
                for lang, found in by_lang.items()
            },
        }
    return table


def mean_values(view: View, clusters: Sequence[str], *, seed: int) -> dict[str, Section]:
    """Column -> `{"mean", "n", "ci95"}` over the queries that have a value and a weight."""
    values = {
        name: np.where(view.weight_Q > 0, value_Q, np.nan) for name, value_Q in view.values.items()
    }
    weights = dict.fromkeys(values, view.weight_Q)
    intervals = column_intervals(values, clusters, seed=seed, weights=weights)
    table: dict[str, Section] = {}
    for name, interval in intervals.items():
        there_Q = ~np.isnan(values[name])
        mean = np.average(values[name][there_Q], weights=view.weight_Q[there_Q])
        table[name] = {"mean": float(mean), "n": int(there_Q.sum()), "ci95": interval}
    return table


def _some(view: View, include_Q: NDArray[np.bool_]) -> View:
    return View(values=view.values, weight_Q=np.where(include_Q, view.weight_Q, 0.0))


def _distribution(rank_Q: NDArray[np.int64]) -> Section:
    ranked_Q = rank_Q[rank_Q < UNRANKED]
    place_Q = np.searchsorted(np.array(RANK_BINS), ranked_Q)
    counts = np.bincount(place_Q, minlength=len(RANK_BINS) + 1).tolist()
    return {
        "n": len(rank_Q),
        "median": float(np.median(rank_Q)) if np.median(rank_Q) < UNRANKED else None,
        "counts": counts,
        "not_ranked": len(rank_Q) - len(ranked_Q),
    }
