"""Unit vectors, their scores, and the index over them.

`ranking` is the search protocol and names no engine; `faiss_engine` is the one file that imports
faiss.
"""

from retrieval.vectors.build import (
    TARGET_RECALL,
    IndexOptions,
    IndexReport,
    build_index,
    make_index,
)
from retrieval.vectors.index import VectorIndex
from retrieval.vectors.kinds import AS_ASKED, AUTO, IndexKind, IndexPlan, plan_index
from retrieval.vectors.ranking import Engine, IdsOf, Ranking, RowFilter
from retrieval.vectors.scores import (
    BLOCK_BYTES,
    exact_scores,
    score_blocks,
    unit_rows,
)
from retrieval.vectors.tuning import Corpus, LanguageRecall, Recall, Speed

__all__ = [
    "AS_ASKED",
    "AUTO",
    "BLOCK_BYTES",
    "TARGET_RECALL",
    "Corpus",
    "Engine",
    "IdsOf",
    "IndexKind",
    "IndexOptions",
    "IndexPlan",
    "IndexReport",
    "LanguageRecall",
    "Ranking",
    "Recall",
    "RowFilter",
    "Speed",
    "VectorIndex",
    "build_index",
    "exact_scores",
    "make_index",
    "plan_index",
    "score_blocks",
    "unit_rows",
]
