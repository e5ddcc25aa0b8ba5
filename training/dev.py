"""How well an encoder retrieves on held-out pages of its training sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from retrieval.benchmark.pools import questions_of
from retrieval.encoder import Encoder
from retrieval.evaluation import rank_query_set
from retrieval.metrics.measure import Measure
from retrieval.types import ParallelItem

_MEASURE = Measure.parse("MRR@10")


def dev_scores(model: SentenceTransformer, held_out: Sequence[ParallelItem]) -> dict[str, float]:
    """MRR@10 of the held-out questions: within a language, across languages, and in one pool.

    Within and across: the corpus restricted to one language, macro means over (pairs of) languages.
    In the pool all passages of an item, in every language, are relevant; macro over question
    languages. Empty where no question with a passage was held out.
    """
    questions = [item for item in held_out if not item.is_translation]
    if not questions:
        return {}
    pool = questions_of(questions)
    ranked = rank_query_set(pool.query_set, pool.ranker(Encoder(model, path="")))
    by_pair = ranked.means_by_pair({"value": _MEASURE})
    pooled = ranked.means_by_language(ranked.values(_MEASURE))
    same = [float(entry["value"]) for (q, p), entry in by_pair.items() if q == p]
    other = [float(entry["value"]) for (q, p), entry in by_pair.items() if q != p]
    return {
        "MRR@10 within a language": float(np.mean(same)) if same else 0.0,
        "MRR@10 across languages": float(np.mean(other)) if other else 0.0,
        "MRR@10 in a mixed pool": float(np.mean(list(pooled.values()))),
    }
