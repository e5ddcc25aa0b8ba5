"""Measuring XQuAD-R against trec_eval's own code on the same rankings."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from numpy.typing import NDArray

from retrieval.benchmark.pools import PassagePool
from retrieval.encoder import Encoder
from retrieval.evaluation import evaluate
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.evaluation import rank_query_set
from retrieval.evaluation.per_query import PerQuery
from retrieval.evaluation.sections import measured
from retrieval.formats.lareqa import read_lareqa
from retrieval.metrics.measure import parse_measures
from retrieval.types import Qrels, Query
from tests.benchmarks.conftest import Record

pytestmark = pytest.mark.benchmark

MEASURES = parse_measures(
    "MRR@10 mAP nDCG@10 nDCG@100 Recall@1 Recall@10 Recall@100 Success@5 P@10"
)
TREC_MEASURES = {"recip_rank", "map", "ndcg_cut_10,100", "recall_1,10,100", "success_5", "P_10"}
BLOCK = 110


class Blocks:
    """Rankings whose scores are at hand, a part of the questions by turns: search costs nothing."""

    def __init__(
        self, ids: Sequence[str], languages: Sequence[str], scores_QP: NDArray[np.float32]
    ) -> None:
        self.passage_ids, self.passage_languages, self._scores_QP = ids, languages, scores_QP

    def score_blocks(
        self,
        queries: Sequence[Query],
        *,
        progress: bool = False,  # noqa: ARG002
    ) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(queries), BLOCK):
            yield self._scores_QP[start : start + BLOCK]


def test_every_measure_of_xquad_r_against_trec_eval(record: Record, test_data: Path) -> None:
    data, encoder = read_lareqa(test_data / "lareqa" / "xquad-r"), Encoder.load()
    query_set = data.query_set()
    pool = PassagePool(query_set=query_set, passages=data.passages)
    ids = [passage.id for passage in data.passages]
    scores_QP = np.concatenate(list(pool.ranker(encoder).score_blocks(query_set.queries)))
    ranker = Blocks(ids, [passage.lang for passage in data.passages], scores_QP)

    began = time.perf_counter()
    ranked = rank_query_set(query_set, ranker)
    per_query = PerQuery.of(ranked, MEASURES)
    measured(ranked, per_query, MEASURES, seed=0)
    ours_s = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    theirs_s = trec_eval_seconds(query_set.qrels, [q.id for q in query_set.queries], ids, scores_QP)
    record(
        "XQuAD-R, 9 measures, matrix, bias, intervals; floor: trec_eval, pool only",
        floor=theirs_s,
        ours=ours_s,
        unit="s",
        budget="<= .1",
    )
    record(
        "the same, peak of the whole process, encoding and 682 MB of scores included",
        floor=4096,
        ours=peak_mb,
        unit="MB",
        budget="<= 1",
    )

    began = time.perf_counter()
    whole = evaluate(query_set, ranker, corpus="c", version="", encoder="", measures=MEASURES)
    evaluation_s = time.perf_counter() - began
    began = time.perf_counter()
    compare_per_query(whole.per_query, per_query, seed=0)
    record(
        "paired statistics of two of them (10,000 resamples); floor: the evaluation",
        floor=evaluation_s,
        ours=time.perf_counter() - began,
        unit="s",
        budget="a small share",
    )


def trec_eval_seconds(
    qrels: Qrels, query_ids: Sequence[str], ids: Sequence[str], scores_QP: NDArray[np.float32]
) -> float:
    """Seconds in trec_eval alone: the dictionaries that it wants are not counted."""
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, TREC_MEASURES)
    total = 0.0
    for start in range(0, len(query_ids), BLOCK):
        run = {
            query: dict(zip(ids, scores_P.tolist(), strict=True))
            for query, scores_P in zip(
                query_ids[start : start + BLOCK], scores_QP[start : start + BLOCK], strict=True
            )
        }
        began = time.perf_counter()
        evaluator.evaluate(run)
        total += time.perf_counter() - began
    return total
