"""A pool of passages in several languages: ranks over all of it, and within each language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics.bias import language_share
from retrieval.metrics.ranking import Ranks, count_ranks, precedence


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRanks:
    """Ranks of N judged pairs of Q queries in a pool of L languages.

    pool: ranks over all passages. within: ranks over the passages of the judged one's language.
    share_QL: [Q, L] share of each language in the first passages of each query.
    """

    pool: Ranks
    within: Ranks
    share_QL: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """P passages arranged so that the columns of one language stand together.

    languages: the L codes, ascending. column_P: column of each passage, by row.
    row_P: the row in each column, None where rows already stand so (a copy of the scores less).
    precedence_P, language_P: by column. start_L, stop_L: the columns of each language.
    """

    languages: tuple[str, ...]
    column_P: NDArray[np.int64]
    row_P: NDArray[np.int64] | None
    precedence_P: NDArray[np.int64]
    language_P: NDArray[np.int64]
    start_L: NDArray[np.int64]
    stop_L: NDArray[np.int64]

    @classmethod
    def of(cls, ids: Sequence[str], languages: Sequence[str]) -> Pool:
        """The pool of passages given by row."""
        codes = sorted(set(languages))
        index = {code: number for number, code in enumerate(codes)}
        language_P = np.array([index[code] for code in languages], dtype=np.int64)
        row_P = np.argsort(language_P, kind="stable")
        column_P = np.empty_like(row_P)
        column_P[row_P] = np.arange(len(row_P))
        stop_L = np.cumsum(np.bincount(language_P, minlength=len(codes)))
        return cls(
            languages=tuple(codes),
            column_P=column_P,
            row_P=None if np.array_equal(row_P, column_P) else row_P,
            precedence_P=precedence(ids)[row_P],
            language_P=language_P[row_P],
            start_L=np.concatenate(([0], stop_L[:-1])).astype(np.int64),
            stop_L=stop_L,
        )

    def rank(
        self,
        blocks: Iterable[NDArray[np.float32]],
        query_N: NDArray[np.int64],
        row_N: NDArray[np.int64],
        *,
        share_cutoff: int,
    ) -> PoolRanks:
        """Ranks of the pairs (query, passage row), from consecutive blocks [q, P] of scores by row.

        query_N: ascending. share_cutoff: the first passages in which languages are counted.
        Raises ValueError where a score is not a number or the blocks leave out a query of a pair.
        """
        column_N = self.column_P[row_N]
        parts: list[PoolRanks] = []
        done, ranked = 0, 0
        for block_QP in blocks:
            end = done + len(block_QP)
            upto = int(np.searchsorted(query_N, end))
            pairs = slice(ranked, upto)
            scores_QP = self._arranged(block_QP)
            parts.append(
                self._rank_block(scores_QP, query_N[pairs] - done, column_N[pairs], share_cutoff)
            )
            done, ranked = end, upto
        if ranked != len(query_N):
            raise ValueError(f"scores of {done} queries, judgements of more")
        return self._joined(parts)

    def _arranged(self, block_QP: NDArray[np.float32]) -> NDArray[np.float32]:
        if block_QP.dtype != np.float32 or block_QP.shape[1:] != self.column_P.shape:
            raise ValueError(
                f"a block of {block_QP.dtype} {block_QP.shape}, expected float32"
                f" [q, {len(self.column_P)}]"
            )
        # A score that is not a number compares as neither greater nor equal: it would rank first.
        if np.isnan(block_QP).any():
            raise ValueError("a score is not a number")
        return block_QP if self.row_P is None else np.take(block_QP, self.row_P, axis=1)

    def _rank_block(
        self,
        scores_QP: NDArray[np.float32],
        query_N: NDArray[np.int64],
        column_N: NDArray[np.int64],
        share_cutoff: int,
    ) -> PoolRanks:
        pool = count_ranks(scores_QP, query_N, column_N, self.precedence_P)
        language_N = self.language_P[column_N]
        within = pool
        if len(self.languages) > 1:
            within = count_ranks(
                scores_QP,
                query_N,
                column_N,
                self.precedence_P,
                start_N=self.start_L[language_N],
                stop_N=self.stop_L[language_N],
            )
        share_QL = language_share(
            scores_QP, self.language_P, languages=len(self.languages), cutoff=share_cutoff
        )
        return PoolRanks(pool=pool, within=within, share_QL=share_QL)

    def _joined(self, parts: Sequence[PoolRanks]) -> PoolRanks:
        return PoolRanks(
            pool=_joined_ranks([part.pool for part in parts]),
            within=_joined_ranks([part.within for part in parts]),
            share_QL=np.concatenate(
                [np.empty((0, len(self.languages)))] + [part.share_QL for part in parts]
            ),
        )


def _joined_ranks(parts: Sequence[Ranks]) -> Ranks:
    return Ranks(
        rank_N=np.concatenate([np.empty(0, np.int64)] + [part.rank_N for part in parts]),
        mid_N=np.concatenate([np.empty(0, np.float64)] + [part.mid_N for part in parts]),
        last_N=np.concatenate([np.empty(0, np.int64)] + [part.last_N for part in parts]),
    )
