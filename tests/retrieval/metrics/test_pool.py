from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.metrics.pool import Pool
from tests.retrieval.metrics.oracle import random_collection, total_order


@pytest.mark.parametrize("sorted_rows", [False, True])
@pytest.mark.parametrize("block", [1, 7, 100])
def test_pool_ranks_are_those_of_sorted_rankings_whatever_the_blocks(
    block: int, sorted_rows: bool
) -> None:
    collection = random_collection(1)
    languages = sorted(collection.languages) if sorted_rows else list(collection.languages)
    lang_of = dict(zip(collection.passages, languages, strict=True))
    pool = Pool.of(collection.passages, languages)
    assert (pool.row_P is None) == sorted_rows
    query_N, row_N = np.divmod(np.arange(0, collection.scores_QP.size, 7), 60)
    blocks = [
        collection.scores_QP[start : start + block]
        for start in range(0, len(collection.queries), block)
    ]
    ranks = pool.rank(blocks, query_N, row_N, share_cutoff=5)
    run = list(collection.run().values())
    for n, (query, row) in enumerate(zip(query_N, row_N, strict=True)):
        name = collection.passages[row]
        own = {p: s for p, s in run[query].items() if lang_of[p] == lang_of[name]}
        assert ranks.pool.rank_N[n] == total_order(run[query]).index(name) + 1
        assert ranks.within.rank_N[n] == total_order(own).index(name) + 1
    np.testing.assert_allclose(ranks.share_QL.sum(axis=1), 1.0)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    pool = Pool.of(["a", "b"], ["de", "en"])
    block = np.array([[0.5, np.nan]], dtype=np.float32)
    with pytest.raises(ValueError, match="not a number"):
        pool.rank([block], np.array([0]), np.array([0]), share_cutoff=10)


@pytest.mark.parametrize(
    "block", [np.zeros((1, 2)), np.zeros((1, 3), dtype=np.float32)], ids=["float64", "columns"]
)
def test_a_block_of_another_type_or_width_is_refused(block: NDArray[np.float32]) -> None:
    pool = Pool.of(["a", "b"], ["de", "en"])
    with pytest.raises(ValueError, match="expected float32"):
        pool.rank([block], np.array([0]), np.array([0]), share_cutoff=10)


def test_blocks_that_end_too_early_are_refused() -> None:
    pool = Pool.of(["a", "b"], ["de", "en"])
    block = np.zeros((1, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="scores of 1 queries"):
        pool.rank([block], np.array([0, 1]), np.array([0, 0]), share_cutoff=10)
