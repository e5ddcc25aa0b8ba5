"""How well an encoder retrieves on held-out pages of its training sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from retrieval.benchmark import VectorRanker
from retrieval.encoder import Encoder
from retrieval.evaluation import rank_query_set
from retrieval.metrics.measure import Measure
from retrieval.types import ParallelItem, Passage, Query, QuerySet

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
    query_set, passages = _query_set(questions)
    encoder = Encoder(model, path="")
    ranker = VectorRanker(
        passage_ids=[passage.id for passage in passages],
        passage_languages=[passage.lang for passage in passages],
        passages_PD=encoder.encode_passages([passage.text for passage in passages]),
        query_ids=[query.id for query in query_set.queries],
        queries_QD=encoder.encode_queries([query.text for query in query_set.queries]),
    )
    ranked = rank_query_set(query_set, ranker)
    by_pair = ranked.means_by_pair({"value": _MEASURE})
    pooled = ranked.means_by_language(ranked.values(_MEASURE))
    same = [float(entry["value"]) for (q, p), entry in by_pair.items() if q == p]
    other = [float(entry["value"]) for (q, p), entry in by_pair.items() if q != p]
    return {
        "MRR@10 within a language": float(np.mean(same)) if same else 0.0,
        "MRR@10 across languages": float(np.mean(other)) if other else 0.0,
        "MRR@10 in a mixed pool": float(np.mean(list(pooled.values()))),
    }


def _query_set(questions: Sequence[ParallelItem]) -> tuple[QuerySet, list[Passage]]:
    """Every question in every language; relevant are the passages of its group, in any language."""
    passages: list[Passage] = []
    by_group: dict[str, dict[str, int]] = defaultdict(dict)
    for item in questions:
        for lang, text in item.passage.items():
            passages.append(Passage(id=f"{lang}:{item.id}", text=text, lang=lang))
            by_group[item.group or item.id][passages[-1].id] = 1
    queries = tuple(
        Query(id=f"{lang}:{item.id}", text=text, lang=lang, group=item.group or item.id)
        for item in questions
        for lang, text in item.query.items()
    )
    return QuerySet(queries=queries, qrels={q.id: by_group[q.cluster] for q in queries}), passages
