"""Search and scores against slow arithmetic: values, order, ties, filters."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.errors import BadInput, MachineFailure
from retrieval.vectors import (
    IndexKind,
    RowFilter,
    VectorIndex,
    build_index,
    exact_scores,
    score_blocks,
    unit_rows,
)

Rows = NDArray[np.float32]


def true_score(left_D: Rows, right_D: Rows) -> float:
    """The definition: the real inner product, rounded to float64, then to float32."""
    products = [float(x) * float(y) for x, y in zip(left_D, right_D, strict=True)]
    return float(np.float32(math.fsum(products)))


def true_ranking(
    query_D: Rows, vectors_PD: Rows, ids: Sequence[str], k: int, allowed: Sequence[int]
) -> list[tuple[float, str]]:
    scored = [(true_score(query_D, vectors_PD[row]), ids[row]) for row in allowed]
    return sorted(scored, reverse=True)[:k]


def unit(rows: NDArray[np.floating]) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def crowded(rng: np.random.Generator, rows: int, dim: int, distinct: int) -> Rows:
    """Unit rows of which only `distinct` differ, a third of them by one bit from another row."""
    pool = unit(rng.standard_normal((distinct, dim)))
    vectors = pool[rng.integers(0, distinct, rows)]
    nudged = rng.random(rows) < 1 / 3
    vectors[nudged, 0] = np.nextafter(vectors[nudged, 0], np.float32(0))
    return vectors


def shuffled_ids(rng: np.random.Generator, rows: int) -> list[str]:
    return [f"p{number}" for number in rng.permutation(rows)]


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


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 80),
    dim=st.sampled_from([1, 3, 8, 31, 64, 300]),
    queries=st.integers(1, 9),
    block_bytes=st.sampled_from([1, 500, 10**6]),
)
def test_blocks_hold_every_score_exactly(
    seed: int, rows: int, dim: int, queries: int, block_bytes: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors_PD = crowded(rng, rows, dim, max(1, rows // 2))
    vectors_PD[0] = 0
    queries_QD = unit(rng.standard_normal((queries, dim)))
    queries_QD[0] = np.eye(dim, dtype=np.float32)[0]
    blocks = list(score_blocks(queries_QD, vectors_PD, block_bytes=block_bytes))
    assert all(block.dtype == np.float32 for block in blocks)
    assert all(len(block) == 1 or block.nbytes <= block_bytes for block in blocks)
    expected = [[true_score(q, v) for v in vectors_PD] for q in queries_QD]
    assert np.concatenate(blocks).tolist() == expected


def test_blocks_of_no_query_are_none() -> None:
    assert list(score_blocks(np.empty((0, 4), np.float32), np.eye(4, dtype=np.float32))) == []


def test_a_score_on_the_edge_of_rounding_does_not_depend_on_the_order_of_summation() -> None:
    """Four terms of a quarter ulp each, lost one by one, lift the sum over a float32 midpoint."""
    tiny = 2.0**-28
    query_D = np.array([0.5, 0.5, tiny, tiny, tiny, tiny], dtype=np.float32)
    vector_D = np.array([0.5, 2.0**-25, tiny, tiny, tiny, tiny], dtype=np.float32)
    naive = set()
    for order in itertools.permutations(range(6)):
        left, right = query_D[list(order)], vector_D[list(order)]
        naive.add(float(np.float32(sum(float(x) * float(y) for x, y in zip(left, right)))))  # noqa: B905
        assert exact_scores(left, right[None])[0] == 0.25 + 2.0**-25
        [block] = score_blocks(left[None], right[None])
        assert block[0, 0] == 0.25 + 2.0**-25
    assert len(naive) == 2


def test_scores_are_those_of_a_plain_float64_product() -> None:
    rng = np.random.default_rng(4)
    vectors_PD, queries_QD = (
        unit(rng.standard_normal((700, 384))),
        unit(rng.standard_normal((40, 384))),
    )
    plain = (queries_QD.astype(np.float64) @ vectors_PD.astype(np.float64).T).astype(np.float32)
    [block] = score_blocks(queries_QD, vectors_PD)
    np.testing.assert_array_max_ulp(block, plain, maxulp=1)
    assert (block != plain).mean() < 1e-3


@pytest.mark.parametrize(
    "rows",
    [
        np.full((2, 4), np.nan, np.float32),
        np.full((2, 4), np.inf, np.float32),
        np.ones((2, 4), np.float32),
        np.zeros((2, 5), np.float32),
        np.zeros(4, np.float32),
    ],
    ids=["NaN", "infinite", "too long", "wrong dimension", "one row without an axis"],
)
def test_vectors_that_are_not_unit_rows_are_refused(rows: Rows) -> None:
    with pytest.raises(BadInput, match=r"expected"):
        unit_rows(rows, dim=4)


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


def test_an_index_that_cannot_be_written_is_the_machines_failure(tmp_path: Path) -> None:
    with pytest.raises(MachineFailure, match="cannot write the index"):
        build_index(
            np.eye(4, dtype=np.float32), tmp_path / "missing" / "index", kind=IndexKind.FLAT
        )


@pytest.mark.parametrize("missing", [1, 100, 5000])
def test_an_index_cut_short_by_a_full_disk_is_the_machines_failure(
    tmp_path: Path, missing: int
) -> None:
    """Of the last bytes, written as the file is closed, faiss itself reports no failure."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from retrieval.errors import MachineFailure
from retrieval.vectors import IndexKind, build_index
rows = np.eye(32, dtype=np.float32).repeat(32, axis=0)
folder, missing = Path(sys.argv[1]), int(sys.argv[2])
build_index(rows, folder / "whole", kind=IndexKind.FLAT)
size = (folder / "whole").stat().st_size - missing
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    build_index(rows, folder / "cut", kind=IndexKind.FLAT)
except MachineFailure:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path, str(missing)], check=False)
    assert done.returncode == 7
