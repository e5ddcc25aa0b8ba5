"""Query sets measured, reported and compared."""

from retrieval.evaluation.evaluation import CONTRACT, Evaluation, Report, evaluate, rank_query_set
from retrieval.evaluation.rankers import RUN_DEPTH, Ranker, RunRanker, VectorRanker, rankings

__all__ = [
    "CONTRACT",
    "RUN_DEPTH",
    "Evaluation",
    "Ranker",
    "Report",
    "RunRanker",
    "VectorRanker",
    "evaluate",
    "rank_query_set",
    "rankings",
]
