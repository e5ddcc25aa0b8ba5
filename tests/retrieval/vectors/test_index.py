"""Exact search against slow arithmetic: values, order, ties, filters."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput
from retrieval.vectors import IndexKind, RowFilter, VectorIndex, build_index
from tests.retrieval.vectors.oracle import Rows, crowded, shuffled_ids, true_ranking, unit


def index_of(vectors_PD: Rows, folder: Path, *, threads: int = 2) -> VectorIndex:
    path = folder / "index.faiss"
    build_index(vectors_PD, path, kind=IndexKind.FLAT)
    return VectorIndex.read(path, vectors_PD, threads=threads)


@pytest.fixture(scope="session")
def index_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index")


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([1, 2, 30, 60, 150, 400]),
    dim=st.sampled_from([1, 2, 3, 8, 17, 32]),
    distinct=st.sampled_from([1, 2, 10, 100, 400]),
    k=st.integers(1, 12),
    queries=st.integers(1, 25),
    share=st.sampled_from([None, 0.0, 0.02, 0.3, 0.9]),
)
def test_search_equals_brute_force_in_values_and_order(
    index_folder: Path,
    seed: int,
    rows: int,
    dim: int,
    distinct: int,
    k: int,
    queries: int,
    share: float | None,
) -> None:
    rng = np.random.default_rng(seed)
    vectors_PD = crowded(rng, rows, dim, distinct)
    queries_QD = np.concatenate(
        [unit(rng.standard_normal((queries, dim))), vectors_PD[: queries // 2]]
    )
    ids = shuffled_ids(rng, rows)
    mask_P = np.ones(rows, dtype=bool) if share is None else rng.random(rows) < share
    found = index_of(vectors_PD, index_folder).search(
        queries_QD,
        k,
        ids_of=lambda some: [ids[row] for row in some],
        allowed=None if share is None else RowFilter.from_mask(mask_P),
    )
    for query_D, ranking in zip(queries_QD, found, strict=True):
        expected = true_ranking(query_D, vectors_PD, ids, k, np.flatnonzero(mask_P).tolist())
        got = [(float(s), ids[r]) for r, s in zip(ranking.rows, ranking.scores, strict=True)]
        assert got == expected


@pytest.mark.parametrize("share", [None, 0.4])
def test_batches_single_queries_and_exhaustive_search_agree(
    tmp_path: Path, share: float | None
) -> None:
    rng = np.random.default_rng(5)
    vectors_PD = crowded(rng, 5000, 48, 3000)
    index = index_of(vectors_PD, tmp_path)
    ids = shuffled_ids(rng, 5000)
    allowed = None if share is None else RowFilter.from_mask(rng.random(5000) < share)
    queries_QD = unit(rng.standard_normal((70, 48)))

    def search(rows: Rows, *, exhaustive: bool = False) -> list[tuple[list[int], list[float]]]:
        rankings = index.search(
            rows,
            20,
            ids_of=lambda some: [ids[row] for row in some],
            allowed=allowed,
            exhaustive=exhaustive,
        )
        return [(ranking.rows.tolist(), ranking.scores.tolist()) for ranking in rankings]

    together = search(queries_QD)
    assert together == [search(row[None])[0] for row in queries_QD]
    assert together == search(queries_QD, exhaustive=True)


def test_a_corpus_of_one_vector_repeated_is_ranked_by_id_alone(tmp_path: Path) -> None:
    vectors_PD = np.repeat(unit(np.ones((1, 16))), 3000, axis=0)
    ids = shuffled_ids(np.random.default_rng(1), 3000)
    [ranking] = index_of(vectors_PD, tmp_path).search(
        vectors_PD[:1], 7, ids_of=lambda some: [ids[row] for row in some]
    )
    assert [ids[row] for row in ranking.rows] == sorted(ids, reverse=True)[:7]
    assert len(set(ranking.scores.tolist())) == 1


def test_a_filter_acts_before_the_top_k(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    vectors_PD = unit(rng.standard_normal((2000, 16)))
    query_D = vectors_PD[:1]
    worst = np.argsort(vectors_PD @ query_D[0])[:100]
    mask_P = np.zeros(2000, dtype=bool)
    mask_P[worst] = True
    [ranking] = index_of(vectors_PD, tmp_path).search(
        query_D, 10, ids_of=lambda some: list(map(str, some)), allowed=RowFilter.from_mask(mask_P)
    )
    assert len(ranking.rows) == 10
    assert set(ranking.rows.tolist()) <= set(worst.tolist())


def test_threads_that_search_at_once_get_what_one_gets(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    vectors_PD = unit(rng.standard_normal((3000, 32)))
    index = index_of(vectors_PD, tmp_path)
    queries_QD = unit(rng.standard_normal((64, 32)))

    def rows(start: int) -> list[list[int]]:
        found = index.search(
            queries_QD[start : start + 8], 5, ids_of=lambda some: list(map(str, some))
        )
        return [ranking.rows.tolist() for ranking in found]

    expected = [rows(start) for start in range(0, 64, 8)]
    results: dict[int, list[list[int]]] = {}
    threads = [
        threading.Thread(target=lambda s=start: results.update({s: rows(s)}))
        for start in range(0, 64, 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[start] for start in range(0, 64, 8)] == expected


def test_an_index_of_other_vectors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    build_index(np.eye(4, dtype=np.float32), path, kind=IndexKind.FLAT)
    with pytest.raises(BadInput, match=r"4 x 4, the vectors are 3 x 4"):
        VectorIndex.read(path, np.eye(4, dtype=np.float32)[:3], threads=1)


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    path.write_bytes(b"not an index at all")
    with pytest.raises(BadInput, match="cannot read the index"):
        VectorIndex.read(path, np.eye(4, dtype=np.float32), threads=1)
