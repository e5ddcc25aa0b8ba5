"""Query sets with the passages they are asked of, all in memory: benchmarks on parallel data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.evaluation import VectorRanker
from retrieval.search.balance import Balance
from retrieval.search.pool import EncodedQueries, Mode, Pool
from retrieval.search.scoring import PoolRanker, PoolScorer
from retrieval.types import ParallelItem, Passage, Query, QuerySet


class TextEncoder(Protocol):
    """What turns texts into unit vectors: `retrieval.encoder.Encoder` is one."""

    @property
    def path(self) -> str:
        """Where it was loaded from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Its identity."""
        ...

    def encode_queries(self, texts: Sequence[str], *, progress: bool = ...) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        ...

    def encode_passages(self, texts: Sequence[str], *, progress: bool = ...) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        ...


class TokenizingEncoder(TextEncoder, Protocol):
    """An encoder whose subwords lexical search can count."""

    @property
    def tokenize(self) -> Callable[[Sequence[str]], list[list[int]]]:
        """Texts to token ids, without special tokens."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PassagePool:
    """Queries, their judgements and the passages that compete."""

    query_set: QuerySet
    passages: Sequence[Passage]

    def searched(
        self,
        encoder: TokenizingEncoder,
        folder: Path,
        *,
        mode: Mode,
        balance: Balance,
        progress: bool = False,
    ) -> PoolRanker:
        """Everything encoded, ready to rank as search does; `folder` takes the lexical index."""
        queries = self.query_set.queries
        texts, questions = [p.to_encode for p in self.passages], [q.text for q in queries]
        pool = Pool.built(
            folder,
            passage_ids=[passage.id for passage in self.passages],
            passage_languages=[passage.lang for passage in self.passages],
            vectors_PD=encoder.encode_passages(texts, progress=progress),
            tokens=encoder.tokenize(texts),
        )
        encoded = EncodedQueries(
            vectors_QD=encoder.encode_queries(questions, progress=progress),
            tokens_Q=encoder.tokenize(questions),
            languages_Q=[query.lang for query in queries],
        )
        scorer = PoolScorer(pool, mode=mode, balance=balance)
        return PoolRanker(scorer, pool, query_ids=[q.id for q in queries], queries=encoded)

    def ranker(self, encoder: TextEncoder, *, progress: bool = False) -> VectorRanker:
        """Everything encoded, ready to rank by vectors alone."""
        queries = self.query_set.queries
        return VectorRanker(
            passage_ids=[passage.id for passage in self.passages],
            passage_languages=[passage.lang for passage in self.passages],
            passages_PD=encoder.encode_passages(
                [passage.to_encode for passage in self.passages], progress=progress
            ),
            query_ids=[query.id for query in queries],
            queries_QD=encoder.encode_queries([q.text for q in queries], progress=progress),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Passages by language."""
        counts: dict[str, int] = defaultdict(int)
        for passage in self.passages:
            counts[passage.lang] += 1
        return dict(sorted(counts.items()))


def questions_of(items: Sequence[ParallelItem]) -> PassagePool:
    """Every question in every language; relevant are the passages of its group, in any language.

    A group is one within its source: other sources may number theirs alike. Plain translations ask
    nothing and are left out.
    """
    passages: list[Passage] = []
    by_group: dict[str, dict[str, int]] = defaultdict(dict)
    questions = [item for item in items if not item.is_translation]
    for item in questions:
        for lang, text in item.passage.items():
            passages.append(Passage(id=f"{lang}:{item.id}", text=text, lang=lang))
            by_group[_group_of(item)][passages[-1].id] = 1
    queries = tuple(
        Query(id=f"{lang}:{item.id}", text=text, lang=lang, group=_group_of(item))
        for item in questions
        for lang, text in item.query.items()
    )
    qrels = {query.id: by_group[query.cluster] for query in queries}
    return PassagePool(query_set=QuerySet(queries=queries, qrels=qrels), passages=passages)


def equal_pool(
    pool: PassagePool, *, languages: Collection[str], candidates: int, seed: int
) -> PassagePool:
    """The same number of passages in each language, drawn at random, and the questions they answer.

    Whole clusters of questions are kept, in random order, as long as their relevant passages fit in
    every language; the rest is filled up with passages that answer none of them. Judgements of
    passages left out are dropped. Raises BadInput where a language has fewer passages, or no
    question's relevant passages fit.
    """
    short = {lang: pool.sizes.get(lang, 0) for lang in sorted(languages)}
    short = {lang: size for lang, size in short.items() if size < candidates}
    if short:
        raise BadInput(
            f"expected {candidates} passages in each language, found {short}",
            fix="Ask for fewer candidates, or leave these languages out.",
        )
    rng = np.random.default_rng(seed)
    language_of = {p.id: p.lang for p in pool.passages if p.lang in languages}
    kept = _fitting_clusters(pool.query_set, language_of, languages, candidates, rng)
    relevant = set().union(*kept.values())
    chosen = relevant | _fill(relevant, language_of, languages, candidates, rng)
    queries = tuple(
        query
        for query in pool.query_set.queries
        if query.cluster in kept and query.lang in languages
    )
    if not queries:
        raise BadInput(
            f"no question has all its relevant passages among {candidates} of each language",
            fix="Ask for more candidates.",
        )
    qrels = {
        query.id: {p: r for p, r in pool.query_set.qrels.get(query.id, {}).items() if p in chosen}
        for query in queries
    }
    passages = [passage for passage in pool.passages if passage.id in chosen]
    return PassagePool(query_set=QuerySet(queries=queries, qrels=qrels), passages=passages)


def _group_of(item: ParallelItem) -> str:
    return f"{item.source}:{item.group}" if item.group else item.id


def _fitting_clusters(
    query_set: QuerySet,
    language_of: Mapping[str, str],
    languages: Collection[str],
    candidates: int,
    rng: np.random.Generator,
) -> dict[str, set[str]]:
    """Cluster -> its relevant passages, of as many clusters asked in `languages` as fit."""
    needed: dict[str, set[str]] = defaultdict(set)
    for query in query_set.queries:
        judged = query_set.qrels.get(query.id, {}) if query.lang in languages else {}
        for passage, relevance in judged.items():
            if relevance > 0 and passage in language_of:
                needed[query.cluster].add(passage)
    names = list(needed)
    kept: dict[str, set[str]] = {}
    taken: set[str] = set()
    room = dict.fromkeys(languages, candidates)
    for place in rng.permutation(len(names)).tolist():
        new = needed[names[place]] - taken
        used = [language_of[passage] for passage in new]
        if all(used.count(lang) <= room[lang] for lang in set(used)):
            kept[names[place]] = needed[names[place]]
            taken |= new
            for lang in used:
                room[lang] -= 1
    return kept


def _fill(
    relevant: Collection[str],
    language_of: Mapping[str, str],
    languages: Collection[str],
    candidates: int,
    rng: np.random.Generator,
) -> set[str]:
    """Other passages, so that each language has as many as asked for."""
    others: dict[str, list[str]] = {lang: [] for lang in sorted(languages)}
    counts = dict.fromkeys(languages, 0)
    for identifier, lang in language_of.items():
        if identifier in relevant:
            counts[lang] += 1
        else:
            others[lang].append(identifier)
    drawn: set[str] = set()
    for lang, identifiers in others.items():
        places = rng.permutation(len(identifiers))[: candidates - counts[lang]]
        drawn |= {identifiers[place] for place in places.tolist()}
    return drawn
