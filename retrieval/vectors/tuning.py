"""How hard an index must be searched, and what that gives: measured on passages held out.

Recall@k of a query is the share of its k places that the index fills with passages as near as the
k exact ones; of equal scores any is as good. The query's own passage never counts.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.vectors.faiss_engine import FaissEngine, scan
from retrieval.vectors.index import VectorIndex
from retrieval.vectors.ranking import NOBODY, Candidates
from retrieval.vectors.scores import score_tile, sum_error

RECALL_K = 10
HELD_OUT = 1_000
"""Passages held out: half of them to tune with, half to measure with."""

# Candidates scored again, as a multiple of the hits.
_OVERSAMPLES = (1, 2, 4, 8, 16)
_SCAN_QUERIES = 64
_TIMED_QUERIES = 200
_TIMED_SCANS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRecall:
    """Recall of the held-out passages of one language."""

    recall: float
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Recall@k against exact search.

    overall: the mean over languages, weighted by their passages, as of a passage drawn at random.
    """

    k: int
    queries: int
    target: float
    overall: float
    by_language: dict[str, LanguageRecall] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One query at a time on one core; `exact_ms` is a scan of the stored vectors."""

    ms: float
    exact_ms: float
    queries_per_second: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the scan."""
        return self.exact_ms / max(self.ms, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Vectors with their languages: `languages[codes_P[row]]`."""

    vectors_PD: NDArray[np.float32]
    languages: Sequence[str]
    codes_P: NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truth:
    """Queries that are rows of the corpus, and the score of their k-th neighbour."""

    rows_Q: NDArray[np.int64]
    queries_QD: NDArray[np.float32]
    kth_Q: NDArray[np.float32]
    k: int


def tune(
    engine: FaissEngine,
    corpus: Corpus,
    rows_Q: NDArray[np.int64],
    *,
    target: float,
    threads: int,
) -> None:
    """Set the least effort, then the least oversampling, with which the target is met.

    It is met where the mean recall less one standard error reaches it, so that it is met on other
    queries, too. Where no effort meets it, the largest stays.
    """
    truth = _truth(corpus.vectors_PD, rows_Q, threads=threads)
    factors = _OVERSAMPLES if engine.quantised else _OVERSAMPLES[:1]

    def reached(effort: int) -> NDArray[np.bool_]:
        """Whether each factor meets the target."""
        engine.effort = effort
        found_FQ = _recalls(engine, corpus.vectors_PD, truth, factors, threads=threads)
        error_F = found_FQ.std(axis=1) / np.sqrt(len(rows_Q))
        reached_F: NDArray[np.bool_] = found_FQ.mean(axis=1) - error_F >= target
        return reached_F

    efforts = engine.efforts()
    place = bisect_left(efforts, True, key=lambda effort: bool(reached(effort).any()))
    met_F = reached(efforts[min(place, len(efforts) - 1)])
    engine.oversample = factors[int(np.argmax(met_F))] if met_F.any() else factors[-1]


def _recalls(
    engine: FaissEngine,
    vectors_PD: NDArray[np.float32],
    truth: _Truth,
    factors: Sequence[int],
    *,
    threads: int,
) -> NDArray[np.float64]:
    """Recall of each query with so many times k candidates, [factors, Q]; one search for all."""
    width = min((truth.k + 1) * factors[-1], len(vectors_PD))
    _, rows_QC = engine.propose(truth.queries_QD, width, threads=threads)
    hits_QC = np.zeros(rows_QC.shape, dtype=bool)
    nearest_Q = truth.kth_Q - np.float32(sum_error(vectors_PD.shape[1]))
    for q, rows_C in enumerate(rows_QC):
        near_C = vectors_PD[np.maximum(rows_C, 0)] @ truth.queries_QD[q] >= nearest_Q[q]
        hits_QC[q] = near_C & (rows_C != NOBODY) & (rows_C != truth.rows_Q[q])
    sums_QC = np.minimum(hits_QC.cumsum(axis=1), truth.k)
    ends = [min((truth.k + 1) * factor, width) - 1 for factor in factors]
    recalls_FQ: NDArray[np.float64] = sums_QC[:, ends].T / truth.k
    return recalls_FQ


def measure(
    index: VectorIndex,
    corpus: Corpus,
    rows_Q: NDArray[np.int64],
    *,
    target: float,
    threads: int,
) -> tuple[Recall, Speed]:
    """Recall and speed of searches as readers make them; the passages `rows_Q` are the queries."""
    truth = _truth(corpus.vectors_PD, rows_Q, threads=threads)
    timed = rows_Q[:: -(-len(rows_Q) // _TIMED_QUERIES)]
    _search(index, truth.queries_QD[:1], truth.k)
    seconds_Q = [_seconds(index, corpus.vectors_PD[row : row + 1], truth.k) for row in timed]
    rankings = _search(index, truth.queries_QD, truth.k)
    recall_Q = np.empty(len(rows_Q))
    for q, (rows_C, scores_C) in enumerate(rankings):
        near_C = (scores_C >= truth.kth_Q[q]) & (rows_C != truth.rows_Q[q])
        recall_Q[q] = min(truth.k, int(near_C.sum())) / truth.k
    ms = 1e3 * float(np.mean(seconds_Q))
    exact_ms = _exact_ms(corpus.vectors_PD, truth.queries_QD[:_TIMED_SCANS])
    speed = Speed(ms=ms, exact_ms=exact_ms, queries_per_second=1e3 / ms)
    return _recall(corpus, rows_Q, recall_Q, k=truth.k, target=target), speed


def _recall(
    corpus: Corpus,
    rows_Q: NDArray[np.int64],
    recall_Q: NDArray[np.float64],
    *,
    k: int,
    target: float,
) -> Recall:
    by_language, weights = {}, []
    for code, name in enumerate(corpus.languages):
        of_Q = corpus.codes_P[rows_Q] == code
        if of_Q.any():
            mean = round(float(recall_Q[of_Q].mean()), 4)
            by_language[name] = LanguageRecall(recall=mean, queries=int(of_Q.sum()))
            weights.append(int((corpus.codes_P == code).sum()))
    means = [language.recall for language in by_language.values()]
    return Recall(
        k=k,
        queries=len(rows_Q),
        target=target,
        overall=round(float(np.average(means, weights=weights)), 4),
        by_language=by_language,
    )


def _truth(vectors_PD: NDArray[np.float32], rows_Q: NDArray[np.int64], *, threads: int) -> _Truth:
    k = min(RECALL_K, len(vectors_PD) - 1)
    queries_QD = np.ascontiguousarray(vectors_PD[rows_Q])
    kth_Q = np.empty(len(rows_Q), dtype=np.float32)
    # Of k + 8 candidates by rough score, the k-th by exact score is the true one but for ties.
    width = min(k + 8, len(vectors_PD))
    for start in range(0, len(rows_Q), _SCAN_QUERIES):
        span = slice(start, start + _SCAN_QUERIES)
        candidates = scan(queries_QD[span], vectors_PD, width, threads=threads)
        kth_Q[span] = _kth(candidates, rows_Q[span], queries_QD[span], vectors_PD, k)
    return _Truth(rows_Q=rows_Q, queries_QD=queries_QD, kth_Q=kth_Q, k=k)


def _kth(
    candidates: Candidates,
    own_Q: NDArray[np.int64],
    queries_QD: NDArray[np.float32],
    vectors_PD: NDArray[np.float32],
    k: int,
) -> list[np.float32]:
    found = []
    for query_D, own, rows_C in zip(queries_QD, own_Q, candidates[1], strict=True):
        [scores_C] = score_tile(query_D[None], vectors_PD[rows_C[rows_C != own]])
        found.append(np.sort(scores_C)[-k])
    return found


def _search(
    index: VectorIndex, queries_QD: NDArray[np.float32], k: int
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    rankings = index.search(queries_QD, k + 1, ids_of=lambda rows: list(map(str, rows)))
    return [(ranking.rows, ranking.scores) for ranking in rankings]


def _seconds(index: VectorIndex, query_1D: NDArray[np.float32], k: int) -> float:
    began = time.perf_counter()
    _search(index, query_1D, k)
    return time.perf_counter() - began


def _exact_ms(vectors_PD: NDArray[np.float32], queries_QD: NDArray[np.float32]) -> float:
    """Median time of a scan for one query on one core."""
    times = []
    for query_D in queries_QD:
        began = time.perf_counter()
        scan(query_D[None], vectors_PD, min(RECALL_K, len(vectors_PD)))
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times))
