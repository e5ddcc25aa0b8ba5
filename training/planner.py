"""Which items, in which languages: the plan of every batch, a pure function of (seed, step).

The planner yields indices only; it never sees a text, a model or a trainer. Batch k is drawn with
NumPy's Philox generator keyed by [seed, k], so that any process plans any batch without having
planned the ones before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadConfig
from training.data import ParallelTable
from training.strategies import Mode, Strategy

ENGLISH = "en"

_REMEDY = "Lower batches.size, mix sources, or choose a strategy that the data allows."

_NEEDS = {
    Mode.ENGLISH: "question and passage in English",
    Mode.MIXED: "question and passage in one language, not a plain translation",
    Mode.MONOLINGUAL: "question and passage in one language, not a plain translation",
    Mode.CROSS_LINGUAL: "question and passage in two languages",
    Mode.MULTILINGUAL: "question and passage",
}

# Modes whose batches hold one language: what sources of monolingual items can serve.
_ONE_LANGUAGE = frozenset({Mode.MONOLINGUAL, Mode.ENGLISH})

# Rounds of cheap drawing with rejection before the exact, slower one.
_QUICK_ROUNDS = 3

_Presence = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """One global batch of B triplets: distinct items, with the languages of question and passage.

    sources: numbers of the datasets the batch may hold; one unless sources are mixed.
    negatives_BK: given negatives, in the passage's language, so that language does not give them
    away: numbers into the table's `negatives`, -1 where there are too few.
    """

    step: int
    mode: Mode
    sources: tuple[int, ...]
    items_B: NDArray[np.int64]
    query_langs_B: NDArray[np.int64]
    passage_langs_B: NDArray[np.int64]
    negatives_BK: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Pool:
    """What one mode can draw from one source.

    pairs_P2: language pairs, as (question, passage). The items that can serve pair p are
    items[starts_P[p] : starts_P[p] + sizes_P[p]], ascending. size: items that can serve any.
    """

    source: int
    pairs_P2: NDArray[np.int64]
    items: NDArray[np.int64]
    starts_P: NDArray[np.int64]
    sizes_P: NDArray[np.int64]
    size: int

    def candidates(self, pair: int) -> NDArray[np.int64]:
        """Items that can serve a pair, by its row in pairs_P2."""
        return self.items[self.starts_P[pair] : self.starts_P[pair] + self.sizes_P[pair]]


@dataclass(frozen=True, kw_only=True)
class BatchPlanner:
    """Plans the batches of a strategy over a table (EVALUATION: 'Strategies compared').

    batch_size: triplets of a global step, over all ranks.
    tau: a dataset is drawn in proportion to size**tau.
    mix_sources: draw the dataset for every triplet instead of for every batch.
    weights, caps: by source name; a dataset is drawn in proportion to weight * min(size, cap)**tau.
    negatives: given negatives a triplet.
    Sources of monolingual items alone join monolingual batches alone.
    Raises BadConfig at construction when some mode of the strategy cannot fill one batch.
    """

    table: ParallelTable
    strategy: Strategy
    batch_size: int
    seed: int
    tau: float = 1.0
    mix_sources: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    negatives: int = 0

    def __post_init__(self) -> None:
        self._check_sources()
        for mode in self.strategy.modes:
            if not self._choices(mode):
                raise BadConfig(self._why_empty(mode), fix=_REMEDY)

    def plan(self, step: int) -> BatchPlan:
        """The batch of `step`, whatever was planned before."""
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, step], np.uint64)))
        mode = self.strategy.draw_mode(rng, step)
        choices = self._choices(mode)
        # The language comes first and the dataset second: the other way round, the languages
        # that only small datasets have would hardly ever be drawn.
        pools = choices[int(rng.integers(len(choices)))]
        triplets_B3 = self._draw_triplets(rng, pools)
        return BatchPlan(
            step=step,
            mode=mode,
            sources=tuple(sorted({int(self.table.source_N[i]) for i in triplets_B3[:, 0]})),
            items_B=triplets_B3[:, 0],
            query_langs_B=triplets_B3[:, 1],
            passage_langs_B=triplets_B3[:, 2],
            negatives_BK=self._draw_negatives(rng, triplets_B3),
        )

    @property
    def idle_sources(self) -> tuple[str, ...]:
        """Sources that no batch can be drawn from: too small for one, or without a usable pair."""
        used = {p.source for m in self.strategy.modes for pools in self._choices(m) for p in pools}
        return tuple(name for s, name in enumerate(self.table.sources) if s not in used)

    # What can be drawn

    def _choices(self, mode: Mode) -> list[list[_Pool]]:
        """The equally likely first choices of a batch, each with the sources it may draw from."""
        return self._choices_by_mode[mode]

    @cached_property
    def _choices_by_mode(self) -> dict[Mode, list[list[_Pool]]]:
        return {mode: self._fillable(mode) for mode in self.strategy.modes}

    def _fillable(self, mode: Mode) -> list[list[_Pool]]:
        choices = [self._pools(mode, allowed_LL) for allowed_LL in self._allowed(mode)]
        if self.mix_sources:
            return [pools for pools in choices if sum(p.size for p in pools) >= self.batch_size]
        large = [[p for p in pools if p.size >= self.batch_size] for pools in choices]
        return [pools for pools in large if pools]

    def _allowed(self, mode: Mode) -> list[NDArray[np.bool_]]:
        """Language pairs a batch may hold, one matrix [L, L] for each equally likely choice."""
        count = len(self.table.languages)
        same_LL = np.eye(count, dtype=np.bool_)
        if mode is Mode.MONOLINGUAL:
            return [np.outer(row, row) for row in same_LL]
        if mode is Mode.ENGLISH:
            english = np.array([lang == ENGLISH for lang in self.table.languages])
            return [np.outer(english, english)]
        if mode is Mode.MIXED:
            return [same_LL]
        return [~same_LL if mode is Mode.CROSS_LINGUAL else np.ones_like(same_LL)]

    def _pools(self, mode: Mode, allowed_LL: NDArray[np.bool_]) -> list[_Pool]:
        """What each source can give to a batch of `mode`, sources that give nothing left out."""
        return [
            pool
            for source in range(len(self.table.sources))
            if mode in _ONE_LANGUAGE or not self._monolingual[source]
            if (pool := self._pool(source, allowed_LL))
        ]

    @cached_property
    def _monolingual(self) -> list[bool]:
        """Per source: no item has two languages. It would put one language into a mixed batch."""
        return [
            not bool(((queries_NL | passages_NL).sum(axis=1) > 1).any())
            for _, queries_NL, passages_NL, _ in self._presence
        ]

    def _pool(self, source: int, allowed_LL: NDArray[np.bool_]) -> _Pool | None:
        items, queries_NL, passages_NL, pairs_NL = self._presence[source]
        lists = [
            ((q, p), items[served])
            for q, p in np.argwhere(allowed_LL).tolist()
            if (
                served := (pairs_NL[:, q] if q == p else queries_NL[:, q] & passages_NL[:, p])
            ).any()
        ]
        if not lists:
            return None
        sizes_P = np.array([len(found) for _, found in lists], dtype=np.int64)
        served_items = np.concatenate([found for _, found in lists])
        return _Pool(
            source=source,
            pairs_P2=np.array([pair for pair, _ in lists], dtype=np.int64),
            items=served_items,
            starts_P=np.cumsum(sizes_P) - sizes_P,
            sizes_P=sizes_P,
            size=int(sizes_P[0]) if len(lists) == 1 else len(np.unique(served_items)),
        )

    @cached_property
    def _presence(self) -> list[_Presence]:
        """Per source: its items, and which of them have a question, a passage, both in a language.

        A translation unit never has both: a text paired with itself would teach nothing.
        """
        table, presence = self.table, []
        for source in range(len(table.sources)):
            items = np.flatnonzero(table.source_N == source)
            queries_NL, passages_NL = table.queries_NL[items] >= 0, table.passages_NL[items] >= 0
            both_NL = queries_NL & passages_NL & ~table.translation_N[items, None]
            presence.append((items, queries_NL, passages_NL, both_NL))
        return presence

    def _why_empty(self, mode: Mode) -> str:
        largest = max(
            (
                sum(sizes) if self.mix_sources else max(sizes)
                for allowed_LL in self._allowed(mode)
                if (sizes := [pool.size for pool in self._pools(mode, allowed_LL)])
            ),
            default=0,
        )
        if largest == 0:
            return f"no {mode} batch can be filled: no item has what it takes ({_NEEDS[mode]})"
        scope = "all sources together" if self.mix_sources else "one source"
        return (
            f"no {mode} batch can be filled: it takes {self.batch_size} distinct items, "
            f"and {scope} has at most {largest}"
        )

    # Drawing

    def _draw_triplets(self, rng: np.random.Generator, pools: list[_Pool]) -> NDArray[np.int64]:
        """[B, 3]: item, query language, passage language; shuffled, so that any slice is a fair
        sample of the batch (ranks of one step take slices).
        """
        parts = [
            self._draw_from(rng, pool, count)
            for pool, count in zip(pools, self._share(rng, pools), strict=True)
            if count
        ]
        return rng.permutation(np.concatenate(parts))

    def _draw_negatives(
        self, rng: np.random.Generator, triplets_B3: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        cells_B = triplets_B3[:, 0] * len(self.table.languages) + triplets_B3[:, 2]
        return self.table.negatives.draw(rng, cells_B, self.negatives)

    def _share(self, rng: np.random.Generator, pools: list[_Pool]) -> list[int]:
        """How many triplets each source gives."""
        sizes_S = np.array([pool.size for pool in pools], dtype=np.int64)
        weights_S = self._weights(pools)
        if not self.mix_sources:
            chosen = int(rng.choice(len(pools), p=weights_S / weights_S.sum()))
            return [self.batch_size if s == chosen else 0 for s in range(len(pools))]
        share_S = np.zeros(len(pools), dtype=np.int64)
        while (missing := self.batch_size - int(share_S.sum())) > 0:
            open_S = np.where(share_S < sizes_S, weights_S, 0.0)
            share_S += rng.multinomial(missing, open_S / open_S.sum())
            share_S = np.minimum(share_S, sizes_S)
        return [int(n) for n in share_S]

    def _weights(self, pools: list[_Pool]) -> NDArray[np.float64]:
        """Of each source, weight * min(size, cap) ** tau, [S]."""
        names = [self.table.sources[pool.source] for pool in pools]
        sizes = [
            min(pool.size, self.caps.get(name, pool.size))
            for name, pool in zip(names, pools, strict=True)
        ]
        factors = [self.weights.get(name, 1.0) for name in names]
        weights_S: NDArray[np.float64] = np.array(factors) * np.array(sizes, float) ** self.tau
        return weights_S

    def _check_sources(self) -> None:
        unknown = sorted({*self.weights, *self.caps} - set(self.table.sources))
        if unknown:
            raise BadConfig(
                f"batches.weights or batches.caps name sources without items: {', '.join(unknown)}",
                fix=f"The data has {', '.join(sorted(self.table.sources))}.",
            )

    def _draw_from(self, rng: np.random.Generator, pool: _Pool, count: int) -> NDArray[np.int64]:
        """`count` triplets of distinct items of one source, each pair of languages as likely."""
        used_N = np.zeros(len(self.table), dtype=np.bool_)
        pairs_C = rng.integers(len(pool.pairs_P2), size=count)
        parts: list[NDArray[np.int64]] = []
        for _ in range(_QUICK_ROUNDS):
            # Usually one round does: a triplet is drawn again only if its item is taken.
            offsets_C = (rng.random(len(pairs_C)) * pool.sizes_P[pairs_C]).astype(np.int64)
            items_C = pool.items[pool.starts_P[pairs_C] + offsets_C]
            fresh_C = np.zeros(len(items_C), dtype=np.bool_)
            fresh_C[np.unique(items_C, return_index=True)[1]] = True
            fresh_C &= ~used_N[items_C]
            used_N[items_C[fresh_C]] = True
            parts.append(np.column_stack([items_C[fresh_C], pool.pairs_P2[pairs_C[fresh_C]]]))
            pairs_C = pairs_C[~fresh_C]
            if not len(pairs_C):
                break
        return np.concatenate([*parts, *self._draw_rest(rng, pool, pairs_C, used_N)])

    def _draw_rest(
        self,
        rng: np.random.Generator,
        pool: _Pool,
        pairs_C: NDArray[np.int64],
        used_N: NDArray[np.bool_],
    ) -> Iterator[NDArray[np.int64]]:
        """Triplets for pairs whose items are mostly taken; another pair where all of them are."""
        open_P = np.arange(len(pool.pairs_P2))
        while len(pairs_C):
            short = 0
            for pair, wanted in zip(*np.unique(pairs_C, return_counts=True), strict=True):
                candidates = pool.candidates(pair)
                items = rng.permutation(candidates[~used_N[candidates]])[:wanted]
                used_N[items] = True
                langs = np.broadcast_to(pool.pairs_P2[pair], (len(items), 2))
                yield np.column_stack([items, langs])
                if len(items) < wanted:
                    open_P = open_P[open_P != pair]
                    short += int(wanted) - len(items)
            pairs_C = open_P[rng.integers(len(open_P), size=short)] if short else pairs_C[:0]
