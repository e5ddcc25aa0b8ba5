"""A slow, obvious planner: dictionaries and loops, the draws in the planner's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.types import ParallelItem

Triplet = tuple[int, str, str]


def plan(
    items: Sequence[ParallelItem],
    *,
    strategy: str,
    alpha: float,
    size: int,
    seed: int,
    step: int,
    tau: float,
    mix: bool,
) -> tuple[str, list[Triplet]]:
    """(mode, triplets of item number, question language, passage language) of one batch."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, step], np.uint64)))
    mode = strategy
    coin = rng.random()
    if strategy == "hybrid":
        mode = "monolingual" if coin < alpha else "cross-lingual"
    languages = sorted({lang for item in items for lang in (*item.query, *item.passage)})
    sources = list(dict.fromkeys(item.source for item in items))
    choices = []
    for allowed in _choices(mode, languages):
        pools = []
        for source in sources:
            pairs = {
                pair: [
                    n for n, item in enumerate(items) if item.source == source and _has(item, *pair)
                ]
                for pair in allowed
            }
            pairs = {pair: found for pair, found in pairs.items() if found}
            total = len({n for found in pairs.values() for n in found})
            if pairs and (mix or total >= size):
                pools.append((pairs, total))
        if sum(total for _, total in pools) >= size:
            choices.append(pools)
    pools = choices[int(rng.integers(len(choices)))]
    triplets: list[Triplet] = []
    for (pairs, _), count in zip(
        pools, _shares(rng, [n for _, n in pools], size, tau, mix), strict=True
    ):
        triplets += _draw(rng, pairs, count)
    return mode, [triplets[i] for i in rng.permutation(len(triplets))]


def _choices(mode: str, languages: list[str]) -> list[list[tuple[str, str]]]:
    every = [(q, p) for q in languages for p in languages]
    if mode == "monolingual":
        return [[(lang, lang)] for lang in languages]
    if mode == "english":
        return [[("en", "en")]]
    if mode == "mixed":
        return [[(q, p) for q, p in every if q == p]]
    if mode == "cross-lingual":
        return [[(q, p) for q, p in every if q != p]]
    return [every]


def _has(item: ParallelItem, query_lang: str, passage_lang: str) -> bool:
    if item.is_translation and query_lang == passage_lang:
        return False
    return query_lang in item.query and passage_lang in item.passage


def _shares(
    rng: np.random.Generator, sizes: list[int], size: int, tau: float, mix: bool
) -> list[int]:
    weights = np.array([float(n) ** tau for n in sizes])
    if not mix:
        chosen = int(rng.choice(len(sizes), p=weights / weights.sum()))
        return [size if n == chosen else 0 for n in range(len(sizes))]
    shares = [0] * len(sizes)
    while sum(shares) < size:
        still = np.array(
            [w if got < n else 0.0 for w, got, n in zip(weights, shares, sizes, strict=True)]
        )
        more = rng.multinomial(size - sum(shares), still / still.sum())
        shares = [min(got + int(m), n) for got, m, n in zip(shares, more, sizes, strict=True)]
    return shares


def _draw(
    rng: np.random.Generator, pairs: dict[tuple[str, str], list[int]], count: int
) -> list[Triplet]:
    used: set[int] = set()
    still = list(pairs)
    drawn: list[Triplet] = []
    while len(drawn) < count:
        picks = [still[i] for i in rng.integers(len(still), size=count - len(drawn))]
        for pair in [p for p in pairs if p in picks]:
            wanted = picks.count(pair)
            found = _unused(rng, pairs[pair], used, wanted)
            used.update(found)
            drawn += [(item, *pair) for item in found]
            if len(found) < wanted:
                still.remove(pair)
    return drawn


def _unused(
    rng: np.random.Generator, candidates: list[int], used: set[int], count: int
) -> list[int]:
    if len(candidates) > 32 * count:
        tries = [candidates[i] for i in rng.integers(len(candidates), size=2 * count)]
        fresh = [item for item in dict.fromkeys(tries) if item not in used]
        if len(fresh) >= count:
            return fresh[:count]
    free = [item for item in candidates if item not in used]
    return [free[i] for i in rng.permutation(len(free))][:count]
