"""Search over one version of a corpus: texts to vectors to hits, synchronously."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.encoder import Encoder
from retrieval.errors import BadInput, EncoderMismatch
from retrieval.languages import parse_language
from retrieval.search.balance import Balance
from retrieval.search.filters import Filter, narrowed
from retrieval.search.finding import PoolFinder
from retrieval.search.grouping import Find, GroupBy, best_of_groups
from retrieval.search.pool import EncodedQueries, Mode, Pool
from retrieval.search.scoring import PoolScorer
from retrieval.store import Version
from retrieval.types import UNDECLARED, Hit, Query, Scored
from retrieval.vectors import Ranking, RowFilter, unit_rows

# Queries encoded at a time when every passage is scored; the vectors of one such slice are small.
_ENCODE_SLICE = 8192

# Queries whose first thousand passages are held at a time.
_RUN_SLICE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What to return of a ranking.

    top_k, offset: hits from place `offset` (0-based) on, at most `top_k`.
    languages: only passages in one of these; empty means all.
    min_score: only hits with at least this score; the others do not compete.
    exact: score every allowed passage, whatever kind the index is.
    mode: how passages are scored. balance: how languages share the hits.
    quota: language -> share of the hits, for that balance; empty means its share of the passages.
    query_language: of every query; None means that each is told from its own text.
    filter: only passages of which it holds.
    group_by: one hit a document, its best passage; top_k and offset then count documents.
    Raises BadInput, UnknownLanguage.
    """

    top_k: int = 10
    offset: int = 0
    languages: tuple[str, ...] = ()
    min_score: float | None = None
    exact: bool = False
    mode: Mode = Mode.DENSE
    balance: Balance = Balance.NONE
    quota: Mapping[str, float] = field(default_factory=dict)
    query_language: str | None = None
    filter: Filter | None = None
    group_by: GroupBy | None = None

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise BadInput(f"top_k is {self.top_k}, expected at least 1")
        if self.offset < 0:
            raise BadInput(f"offset is {self.offset}, expected at least 0")
        if not isinstance(self.mode, Mode) or not isinstance(self.balance, Balance):
            raise BadInput(
                f"mode {self.mode!r} and balance {self.balance!r}, expected a Mode and a Balance"
            )
        for code in (*self.languages, *self.quota, self.query_language):
            parse_language(code)
        for code, share in self.quota.items():
            if not (share >= 0 and math.isfinite(share)):
                raise BadInput(f"the quota of {code!r} is {share}, expected a number from 0 on")


DEFAULT_OPTIONS = SearchOptions()


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates, as a terminal of another encoding gives."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Searcher:
    """A version with the encoder that built it.

    Encoding and searching can be called apart, from different threads. The version stays its
    caller's to close.
    """

    def __init__(self, version: Version, encoder: Encoder) -> None:
        """Raises EncoderMismatch where the version was built with another encoder."""
        expected = version.manifest.encoder
        if encoder.fingerprint != expected.fingerprint:
            raise EncoderMismatch(
                f"corpus {version.corpus!r} {version.id} was built with the encoder "
                f"{expected.fingerprint} ({expected.path}), this one is {encoder.fingerprint} "
                f"({encoder.path})",
                fix="Leave the encoder out to use the one kept with the corpus, "
                "or build the corpus again with this one.",
            )
        self.version = version
        self.encoder = encoder

    @property
    def passage_ids(self) -> Sequence[str]:
        """The id of every passage, by row."""
        return self.version.passage_ids

    @property
    def passage_languages(self) -> Sequence[str]:
        """The language of every passage, by row."""
        return self.version.passage_languages

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Query texts to unit rows [len(texts), dim] float32. Raises BadInput for an empty text."""
        for place, text in enumerate(texts):
            if not text.strip():
                raise BadInput(f"query {place} is empty", fix="Give every query a text.")
            if not _is_unicode(text):
                raise BadInput(
                    f"query {place} is no valid Unicode text", fix="Use a terminal set to UTF-8."
                )
        return self.encoder.encode_queries(texts)

    def search(
        self, texts: Sequence[str], options: SearchOptions = DEFAULT_OPTIONS
    ) -> list[tuple[Hit, ...]]:
        """The hits of each text, best first. Raises BadInput."""
        self._rows(options)
        return self.search_vectors(self.encode(texts), options, texts=texts)

    def search_vectors(
        self,
        vectors_QD: NDArray[np.float32],
        options: SearchOptions = DEFAULT_OPTIONS,
        *,
        texts: Sequence[str] | None = None,
    ) -> list[tuple[Hit, ...]]:
        """The hits of each unit row of [Q, dim], in the order that mode and balance ask for.

        texts: of the queries; lexical and hybrid search need them. Where languages are not
        balanced: score, then passage id, descending.
        Raises BadInput for other vectors, for a language the corpus does not have, for a filter on
        a field that it does not have or cannot compare, and for a corpus built without what mode
        and balance need.
        """
        vectors_QD = unit_rows(vectors_QD, dim=self.version.manifest.dim)
        find = self._find(vectors_QD, texts, options)
        rankings = self._grouped(find, len(vectors_QD), options)
        return [self._hits(ranking, options) for ranking in rankings]

    def _find(
        self, vectors_QD: NDArray[np.float32], texts: Sequence[str] | None, options: SearchOptions
    ) -> Find:
        """How passages of some of the queries are ranked, by mode and balance."""
        allowed = self._rows(options)
        if options.mode is Mode.DENSE and options.balance is Balance.NONE:
            return lambda places, width: self.version.index.search(
                vectors_QD[places],
                width,
                ids_of=self.version.passages.ids_at,
                allowed=allowed,
                exhaustive=options.exact,
            )
        finder = PoolFinder(
            self.pool,
            self.version.index,
            mode=options.mode,
            balance=options.balance,
            quota=options.quota,
            allowed=allowed,
            min_score=options.min_score,
            exhaustive=options.exact,
        )
        if texts is None and options.mode is not Mode.DENSE:
            raise BadInput(f"mode {options.mode} needs the texts of the queries")
        languages = [options.query_language or UNDECLARED] * len(vectors_QD)
        queries = self._queries(vectors_QD, texts or [""] * len(vectors_QD), languages, options)
        return lambda places, width: finder.find(queries, width, places=places.tolist())

    def _grouped(self, find: Find, queries: int, options: SearchOptions) -> Sequence[Ranking]:
        passages, k = self.version.passages, options.offset + options.top_k
        if options.group_by is None or not passages.has_chunks:
            return find(np.arange(queries), k)
        return best_of_groups(find, queries, k, passages.documents_at)

    def score_blocks(
        self,
        queries: Sequence[Query],
        options: SearchOptions = DEFAULT_OPTIONS,
        *,
        progress: bool = False,
    ) -> Iterator[NDArray[np.float32]]:
        """Scores of every passage by row, in consecutive blocks [q, P] of queries, float32.

        Their order, -inf left out, is the order in which `search` serves the query in its own
        language; top_k and offset do not count. Raises BadInput as `search` does.
        """
        scorer = PoolScorer(
            self.pool,
            mode=options.mode,
            balance=options.balance,
            quota=options.quota,
            allowed=self._rows(options),
            min_score=options.min_score,
        )
        disable = None if progress else True
        with tqdm(total=len(queries), unit="query", disable=disable, delay=1) as bar:
            for start in range(0, len(queries), _ENCODE_SLICE):
                some = queries[start : start + _ENCODE_SLICE]
                texts = [query.text for query in some]
                languages = [
                    query.lang if options.query_language is None else options.query_language
                    for query in some
                ]
                encoded = self._queries(self._encode_queries(some), texts, languages, options)
                for block_QP in scorer.score_blocks(encoded):
                    yield block_QP
                    bar.update(len(block_QP))

    def index_run(
        self, queries: Sequence[Query], options: SearchOptions, *, depth: int
    ) -> Iterator[tuple[str, list[Scored]]]:
        """(query id, its first `depth` passages as the index finds them) of each query.

        In dense search without balance: what an approximate index may lose. Raises BadInput.
        """
        for start in range(0, len(queries), _RUN_SLICE):
            some = queries[start : start + _RUN_SLICE]
            rankings = self.version.index.search(
                self._encode_queries(some),
                depth,
                ids_of=self.version.passages.ids_at,
                allowed=self._rows(options),
            )
            for query, ranking in zip(some, rankings, strict=True):
                ids = self.version.passages.ids_at(ranking.rows)
                scored = zip(ids, ranking.scores.tolist(), strict=True)
                yield query.id, [Scored(identifier, score) for identifier, score in scored]

    def ranker(self, options: SearchOptions) -> SearchRanker:
        """What evaluation ranks with: this search, with these options."""
        return SearchRanker(self, options)

    @cached_property
    def pool(self) -> Pool:
        """The version's passages as search by language needs them."""
        return Pool.of(self.version)

    def _queries(
        self,
        vectors_QD: NDArray[np.float32],
        texts: Sequence[str],
        languages: Sequence[str],
        options: SearchOptions,
    ) -> EncodedQueries:
        lexical = options.mode is not Mode.DENSE and len(texts) > 0
        tokens = self.encoder.tokenize(texts) if lexical else [()] * len(texts)
        return EncodedQueries(vectors_QD=vectors_QD, tokens_Q=tokens, languages_Q=languages)

    def _encode_queries(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        for query in queries:
            if not query.text.strip():
                raise BadInput(f"query {query.id!r} is empty", fix="Give every query a text.")
        return unit_rows(
            self.encoder.encode_queries([query.text for query in queries]),
            dim=self.version.manifest.dim,
        )

    def _rows(self, options: SearchOptions) -> RowFilter | None:
        rows = self._rows_in(options.languages) if options.languages else None
        if options.filter is None:
            return rows
        return narrowed(rows, options.filter.mask(self.version.fields, len(self.version.passages)))

    def _rows_in(self, languages: Sequence[str]) -> RowFilter:
        absent = [code for code in languages if code not in self.version.languages]
        if absent:
            raise BadInput(
                f"corpus {self.version.corpus!r} has no passages in {', '.join(absent)}",
                fix=f"It has {', '.join(self.version.languages)}.",
            )
        return self.version.rows_in(languages)

    def _hits(self, ranking: Ranking, options: SearchOptions) -> tuple[Hit, ...]:
        lowest = -np.inf if options.min_score is None else options.min_score
        found = list(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True))
        return tuple(
            Hit(passage=self.version.passages[row], score=score)
            for row, score in found[options.offset :]
            if score >= lowest
        )


class SearchRanker:
    """A searcher with options, as evaluation takes it."""

    def __init__(self, searcher: Searcher, options: SearchOptions) -> None:
        self._searcher = searcher
        self._options = options

    @property
    def passage_ids(self) -> Sequence[str]:
        """The id of every passage, by row."""
        return self._searcher.passage_ids

    @property
    def passage_languages(self) -> Sequence[str]:
        """The language of every passage, by row."""
        return self._searcher.passage_languages

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """As `Searcher.score_blocks`."""
        return self._searcher.score_blocks(queries, self._options, progress=progress)
