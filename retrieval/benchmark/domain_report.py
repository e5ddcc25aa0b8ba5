"""The figures of a domain-shift benchmark: levels, drops, and the drops of strategies compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from retrieval.benchmark.domain_shift import IN_DOMAIN, OUT_OF_DOMAIN, StrategyRuns
from retrieval.evaluation.per_query import POOL, RANK_DISTANCE, PerQuery, View
from retrieval.evaluation.sections import mean_values
from retrieval.metrics.comparison import Comparison, compare_columns, macro_weights
from retrieval.metrics.drops import DropComparison, Paired, compare_drops
from retrieval.metrics.statistics import Columns, holm

Figures = dict[str, object]

DOMAINS = (IN_DOMAIN, OUT_OF_DOMAIN)


def strategy_figures(runs: StrategyRuns, *, seed: int) -> Figures:
    """View -> measure -> both domains, the relative drop and the same of every seed."""
    views = shared_views(runs)
    mean = {domain: runs.mean(domain) for domain in DOMAINS}
    return {
        "encoders": list(runs.encoders),
        **{view: _view_figures(runs, mean, view, seed=seed) for view in views},
        "by_language": _by_language(mean, seed=seed),
        "per_query": {domain: mean[domain].to_json() for domain in DOMAINS},
    }


def shared_views(runs: StrategyRuns) -> list[str]:
    """Views that both domains have."""
    first, second = (runs.runs[domain][0].views for domain in DOMAINS)
    return [view for view in first if view in second]


def compare_strategies(
    strategies: Mapping[str, StrategyRuns], pairs: Sequence[tuple[str, str]], *, seed: int
) -> Figures:
    """`"first - second"` -> view -> measure -> paired differences, in and out of domain, of drops.

    Values are means over seeds; every mean is a macro mean, over languages or pairs of them.
    p-values are corrected by Holm over the pairs of strategies, for each view, measure and part.
    """
    table = {
        f"{first} - {second}": _compared(strategies[first], strategies[second], seed=seed)
        for first, second in pairs
    }
    families: dict[_Part, dict[str, _Outcome]] = {}
    for pair, parts in table.items():
        for part, outcome in parts.items():
            families.setdefault(part, {})[pair] = outcome
    figures: dict[str, dict[str, dict[str, Figures]]] = {}
    for (view, measure, place), family in families.items():
        p_holm = holm([outcome.p for outcome in family.values()])
        for (pair, outcome), p in zip(family.items(), p_holm, strict=True):
            views = figures.setdefault(pair, {}).setdefault(view, {})
            views.setdefault(measure, {})[place] = asdict(replace(outcome, p_holm=p))
    return {**figures}


_Outcome = Comparison | DropComparison

_Part = tuple[str, str, str]
"""(view, measure, "in_domain", "out_of_domain" or "drop")."""


def _compared(first: StrategyRuns, second: StrategyRuns, *, seed: int) -> dict[_Part, _Outcome]:
    found: dict[_Part, _Outcome] = {}
    for view in shared_views(first):
        paired = {
            domain: _paired(first.mean(domain), second.mean(domain), view) for domain in DOMAINS
        }
        for domain, p in paired.items():
            levels = compare_columns(p.first, p.second, p.clusters, seed=seed, weights=p.weights)
            found |= {(view, m, domain): comparison for m, comparison in levels.items()}
        drops = compare_drops(paired[IN_DOMAIN], paired[OUT_OF_DOMAIN], seed=seed)
        found |= {(view, measure, "drop"): drop for measure, drop in drops.items()}
    return found


def _view_figures(
    runs: StrategyRuns, mean: Mapping[str, PerQuery], view: str, *, seed: int
) -> dict[str, Figures]:
    macro = {
        domain: mean_values(macro_view(per_query, view), per_query.clusters, seed=seed)
        for domain, per_query in mean.items()
    }
    seeds = {
        domain: [_macro_means(per_query, view) for per_query in runs.runs[domain]]
        for domain in DOMAINS
    }
    figures: dict[str, Figures] = {}
    for measure in macro[IN_DOMAIN]:
        if measure in macro[OUT_OF_DOMAIN]:
            by_seed = {domain: [found[measure] for found in seeds[domain]] for domain in DOMAINS}
            figures[measure] = {
                **{domain: _level(macro[domain][measure], by_seed[domain]) for domain in DOMAINS},
                **_drop(fmean(by_seed[IN_DOMAIN]), fmean(by_seed[OUT_OF_DOMAIN]), measure),
            }
    return figures


def _level(entry: Mapping[str, object], by_seed: Sequence[float]) -> Figures:
    spread = stdev(by_seed) if len(by_seed) > 1 else None
    return {**entry, "seeds": list(by_seed), "seed_sd": spread}


def _drop(inside: float, outside: float, measure: str) -> Figures:
    """Absolute and relative: the share of the in-domain value that is lost."""
    if measure == RANK_DISTANCE:
        return {"drop": inside - outside, "relative_drop": None}
    return {
        "drop": inside - outside,
        "relative_drop": (inside - outside) / inside if inside else None,
    }


def _by_language(mean: Mapping[str, PerQuery], *, seed: int) -> dict[str, Figures]:
    """Query language -> measure -> both domains, over the pool."""
    languages = sorted(set.intersection(*(set(found.languages) for found in mean.values())))
    table: dict[str, Figures] = {}
    for lang in languages:
        found = {}
        for domain, per_query in mean.items():
            view = per_query.views[POOL]
            inside_Q = np.array(per_query.languages, dtype=object) == lang
            some = replace(view, weight_Q=np.where(inside_Q, view.weight_Q, 0.0))
            found[domain] = mean_values(some, per_query.clusters, seed=seed)
        table[lang] = {
            measure: {domain: found[domain][measure] for domain in DOMAINS}
            for measure in found[IN_DOMAIN]
            if measure in found[OUT_OF_DOMAIN]
        }
    return table


def macro_view(per_query: PerQuery, name: str) -> View:
    """A view whose mean is over languages, or pairs of them: the pool counts languages equally."""
    view = per_query.views[name]
    if name != POOL:
        return view
    return replace(view, weight_Q=macro_weights(per_query.languages))


def _macro_means(per_query: PerQuery, name: str) -> dict[str, float]:
    view = macro_view(per_query, name)
    return {
        measure: _weighted_mean(value_Q, view.weight_Q) for measure, value_Q in view.values.items()
    }


def _weighted_mean(value_Q: NDArray[np.float64], weight_Q: NDArray[np.float64]) -> float:
    there_Q = ~np.isnan(value_Q)
    return float(np.average(value_Q[there_Q], weights=weight_Q[there_Q]))


def _paired(first: PerQuery, second: PerQuery, name: str) -> Paired:
    view = macro_view(first, name)
    values: Columns = view.values
    return Paired(
        first=values,
        second=second.views[name].values,
        clusters=first.clusters,
        weights=dict.fromkeys(values, view.weight_Q),
    )
