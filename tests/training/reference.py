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
    weights: dict[str, float] | None = None,
    caps: dict[str, int] | None = None,
    last_alpha: float | None = None,
    steps: int = 1,
) -> tuple[str, list[Triplet]]:
    """(mode, triplets of item number, question language, passage language) of one batch."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, step], np.uint64)))
    mode = strategy
    coin = rng.random()
    if strategy == "hybrid":
        if last_alpha is not None:
            done = min(step, steps - 1) / (steps - 1)
            alpha = alpha * (1 - done) + last_alpha * done
        mode = "monolingual" if coin < alpha else "cross-lingual"
    languages = sorted({lang for item in items for lang in (*item.query, *item.passage)})
    sources = list(dict.fromkeys(item.source for item in items))
    choices = []
    for allowed in _choices(mode, languages):
        pools = []
        for source in sources:
            of_source = [item for item in items if item.source == source]
            alone = all(len({*item.query, *item.passage}) == 1 for item in of_source)
            if alone and mode not in ("monolingual", "english"):
                continue
            pairs = {
                pair: [
                    n for n, item in enumerate(items) if item.source == source and _has(item, *pair)
                ]
                for pair in allowed
            }
            pairs = {pair: found for pair, found in pairs.items() if found}
            total = len({n for found in pairs.values() for n in found})
            if pairs and (mix or total >= size):
                pools.append((pairs, total, source))
        if sum(total for _, total, _ in pools) >= size:
            choices.append(pools)
    pools = choices[int(rng.integers(len(choices)))]
    triplets: list[Triplet] = []
    draw_weights = [
        (weights or {}).get(source, 1.0) * float(min(n, (caps or {}).get(source, n))) ** tau
        for _, n, source in pools
    ]
    sizes = [n for _, n, _ in pools]
    for (pairs, _, _), count in zip(
        pools, _shares(rng, sizes, draw_weights, size, mix), strict=True
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
    rng: np.random.Generator, sizes: list[int], draw_weights: list[float], size: int, mix: bool
) -> list[int]:
    weights = np.array(draw_weights)
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
    waiting = [still[i] for i in rng.integers(len(still), size=count)]
    for _ in range(3):
        again = []
        places = rng.random(len(waiting))
        taken_before = set(used)
        first: dict[int, int] = {}
        found = [pairs[p][int(u * len(pairs[p]))] for p, u in zip(waiting, places, strict=True)]
        for number, (pair, item) in enumerate(zip(waiting, found, strict=True)):
            if first.setdefault(item, number) == number and item not in taken_before:
                used.add(item)
                drawn.append((item, *pair))
            else:
                again.append(pair)
        waiting = again
        if not waiting:
            break
    while waiting:
        short = 0
        for pair in [p for p in pairs if p in waiting]:
            free = [item for item in pairs[pair] if item not in used]
            some = [free[i] for i in rng.permutation(len(free))][: waiting.count(pair)]
            used.update(some)
            drawn += [(item, *pair) for item in some]
            if len(some) < waiting.count(pair):
                still.remove(pair)
                short += waiting.count(pair) - len(some)
        waiting = [still[i] for i in rng.integers(len(still), size=short)] if short else []
    return drawn
