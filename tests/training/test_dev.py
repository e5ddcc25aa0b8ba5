"""Development scores against a hand-made ranking."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.demo_data import demo_items
from retrieval.encoder import Encoder
from training.dev import dev_scores


def test_scores_are_reciprocal_ranks_counted_by_hand() -> None:
    encoder = Encoder.load()
    items = [item for item in demo_items() if item.id.endswith("#0")]
    languages = ("de", "th")
    items = [
        type(item)(
            id=item.id,
            source=item.source,
            query={lang: item.query[lang] for lang in languages},
            passage={lang: item.passage[lang] for lang in languages},
        )
        for item in items
    ]
    vectors = {
        lang: (
            encoder.encode_queries([i.query[lang] for i in items]),
            encoder.encode_passages([i.passage[lang] for i in items]),
        )
        for lang in languages
    }

    def mrr(query_lang: str, passage_lang: str) -> float:
        scores = vectors[query_lang][0] @ vectors[passage_lang][1].T
        ranks = (scores > scores.diagonal()[:, None]).sum(axis=1) + 1
        return float(np.where(ranks <= 10, 1 / ranks, 0).mean())

    scores = dev_scores(encoder.model, items)
    assert scores["MRR@10 within a language"] == pytest.approx(
        (mrr("de", "de") + mrr("th", "th")) / 2
    )
    assert scores["MRR@10 across languages"] == pytest.approx(
        (mrr("de", "th") + mrr("th", "de")) / 2
    )


def test_nothing_held_out_gives_no_scores() -> None:
    assert dev_scores(Encoder.load().model, []) == {}
