"""What a search promises, whatever engine and kind of index proposes the candidates.

A second engine is one more file beside `faiss_engine` and one more line in ENGINES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.vectors import (
    Corpus,
    Engine,
    IndexKind,
    IndexOptions,
    Ranking,
    RowFilter,
    VectorIndex,
    make_index,
)
from retrieval.vectors.faiss_engine import FaissEngine
from retrieval.vectors.ranking import NOBODY, Candidates
from tests.retrieval.vectors.oracle import (
    Rows,
    crowded,
    likely_ranking,
    shuffled_ids,
    true_ranking,
    unit,
)

ROWS, DIM, K = 3_000, 32, 10
LANGUAGES = ("de", "en", "th")

Build = Callable[[Rows, Path], Engine]


def with_faiss(vectors_PD: Rows, path: Path, *, kind: str) -> Engine:
    codes_P = np.arange(len(vectors_PD), dtype=np.int32) % len(LANGUAGES)
    corpus = Corpus(vectors_PD=vectors_PD, languages=LANGUAGES, codes_P=codes_P)
    report = make_index(corpus, path, options=IndexOptions(kind=kind))
    return FaissEngine.read(path, vectors_PD.shape, parameters=report.parameters)


class HalfPrecision:
    """An engine of NumPy alone, over float16 vectors."""

    complete, oversample = False, 2

    def __init__(self, vectors_PD: Rows, _path: Path) -> None:
        self.half_PD = vectors_PD.astype(np.float16)

    def can_filter(self) -> bool:
        return True

    def propose(
        self,
        queries_QD: Rows,
        width: int,
        *,
        allowed: RowFilter | None = None,
        threads: int = 1,  # noqa: ARG002
    ) -> Candidates:
        rough_QP = queries_QD @ self.half_PD.astype(np.float32).T
        if allowed is not None:
            rough_QP[:, ~np.isin(np.arange(len(self.half_PD)), allowed.rows)] = -9
        rows_QC = np.argsort(-rough_QP, axis=1)[:, :width]
        rough_QC = np.take_along_axis(rough_QP, rows_QC, axis=1)
        return rough_QC, np.where(rough_QC > -9, rows_QC, NOBODY)


class Careless(HalfPrecision):
    """Claims to filter and does not; of every second query it finds next to nothing."""

    def propose(
        self,
        queries_QD: Rows,
        width: int,
        *,
        allowed: RowFilter | None = None,  # noqa: ARG002
        threads: int = 1,  # noqa: ARG002
    ) -> Candidates:
        rough_QC, rows_QC = super().propose(queries_QD, width)
        rows_QC[::2, 3:] = NOBODY
        return rough_QC, rows_QC


KINDS = [kind.value for kind in IndexKind if kind is not IndexKind.FACTORY]
FACTORIES = [
    "PQ16x4fs",  # refuses every filter
    "HNSW16_SQ8",
    "IVF16,PQ16",
    "OPQ8_16,IVF8,PQ8x4fs",
    "RR32,IVF8,Flat",
    "IVF16_HNSW8,SQ6",
]
ENGINES: dict[str, Build] = {
    **{kind: partial(with_faiss, kind=kind) for kind in (*KINDS, *FACTORIES)},
    "NumPy, float16": HalfPrecision,
    "a careless engine": Careless,
}
SHARES = (1, 2, 9, 10, 11, 30, 150, 400, 1_000, 1_500, 2_990, ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A corpus with ids, queries near to and far from it, and its index in one kind."""

    vectors_PD: Rows
    ids: list[str]
    queries_QD: Rows
    index: VectorIndex

    def search(
        self,
        queries_QD: Rows,
        k: int,
        *,
        allowed: RowFilter | None = None,
        exhaustive: bool = False,
    ) -> list[Ranking]:
        return self.index.search(
            queries_QD, k, ids_of=self.ids_of, allowed=allowed, exhaustive=exhaustive
        )

    def ids_of(self, rows: NDArray[np.int64]) -> list[str]:
        return [self.ids[row] for row in rows]

    def truth(self, query_D: Rows, k: int, rows: NDArray[np.int64]) -> list[tuple[float, str]]:
        return likely_ranking(query_D, self.vectors_PD, self.ids, k, rows)

    def got(self, ranking: Ranking) -> list[tuple[float, str]]:
        return list(zip(ranking.scores.tolist(), self.ids_of(ranking.rows), strict=True))

    def check(self, query_D: Rows, ranking: Ranking, k: int, rows: NDArray[np.int64]) -> float:
        """Values and order are exact, rows allowed and enough; returns the recall."""
        got = self.got(ranking)
        assert set(ranking.rows.tolist()) <= set(rows.tolist())
        assert len(set(ranking.rows.tolist())) == len(got) == min(k, len(rows))
        assert got == self.truth(query_D, k, ranking.rows)
        kth = self.truth(query_D, k, rows)[-1][0]
        return float(np.mean([score >= kth for score, _ in got]))


def clustered(rng: np.random.Generator, rows: int, dim: int) -> Rows:
    """Unit rows about a few hundred centres, as texts are about topics."""
    centres = rng.standard_normal((max(1, rows // 10), dim))
    return unit(
        centres[rng.integers(0, len(centres), rows)] + 0.7 * rng.standard_normal((rows, dim))
    )


@pytest.fixture(scope="module", params=list(ENGINES))
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    rng = np.random.default_rng(8)
    vectors_PD = clustered(rng, ROWS, DIM)
    near_QD = unit(vectors_PD[rng.integers(0, ROWS, 20)] + 0.1 * rng.standard_normal((20, DIM)))
    path = tmp_path_factory.mktemp("index") / "index"
    engine = ENGINES[request.param](vectors_PD, path)
    return Sample(
        vectors_PD=vectors_PD,
        ids=shuffled_ids(rng, ROWS),
        queries_QD=np.concatenate([near_QD, unit(rng.standard_normal((4, DIM)))]),
        # No filter is too small to reach the engine.
        index=VectorIndex(engine, vectors_PD, threads=2, exact_rows=0),
    )


def test_values_and_order_are_exact_and_most_of_the_best_are_found(sample: Sample) -> None:
    rankings = sample.search(sample.queries_QD, K)
    recalls = [
        sample.check(query_D, ranking, K, np.arange(ROWS))
        for query_D, ranking in zip(sample.queries_QD, rankings, strict=True)
    ]
    assert np.mean(recalls) >= 0.93


def test_an_exhaustive_search_is_exact(sample: Sample) -> None:
    some = RowFilter.from_mask(np.arange(ROWS) % 3 == 1)
    for allowed in (None, some):
        rows = np.arange(ROWS) if allowed is None else allowed.rows
        rankings = sample.search(sample.queries_QD[::6], K, allowed=allowed, exhaustive=True)
        for query_D, ranking in zip(sample.queries_QD[::6], rankings, strict=True):
            assert sample.got(ranking) == sample.truth(query_D, K, rows)


@pytest.mark.parametrize("count", SHARES)
def test_a_filter_is_kept_and_starves_no_search(sample: Sample, count: int) -> None:
    rng = np.random.default_rng(count)
    mask_P = np.zeros(ROWS, dtype=bool)
    mask_P[rng.choice(ROWS, count, replace=False)] = True
    allowed = RowFilter.from_mask(mask_P)
    queries_QD = sample.queries_QD[::2]
    recalls = [
        sample.check(query_D, ranking, K, allowed.rows)
        for query_D, ranking in zip(
            queries_QD, sample.search(queries_QD, K, allowed=allowed), strict=True
        )
    ]
    assert np.mean(recalls) >= 0.93


def test_a_filter_that_allows_only_the_worst_is_kept(sample: Sample) -> None:
    """The allowed rows are far from where an index looks first."""
    for query_D in sample.queries_QD[:4]:
        mask_P = np.zeros(ROWS, dtype=bool)
        mask_P[np.argsort(sample.vectors_PD @ query_D)[:600]] = True
        allowed = RowFilter.from_mask(mask_P)
        [ranking] = sample.search(query_D[None], K, allowed=allowed)
        sample.check(query_D, ranking, K, allowed.rows)


def test_a_filter_of_nothing_finds_nothing(sample: Sample) -> None:
    nothing = RowFilter.from_mask(np.zeros(ROWS, dtype=bool))
    [ranking] = sample.search(sample.queries_QD[:1], K, allowed=nothing)
    assert len(ranking.rows) == len(ranking.scores) == 0


@pytest.mark.parametrize("k", [1, 700, ROWS - 1, ROWS, ROWS + 1, 10 * ROWS])
def test_any_number_of_hits_can_be_asked_for(sample: Sample, k: int) -> None:
    for query_D in sample.queries_QD[:2]:
        [ranking] = sample.search(query_D[None], k)
        sample.check(query_D, ranking, k, np.arange(ROWS))


def test_a_batch_gets_what_single_queries_get(sample: Sample) -> None:
    allowed = RowFilter.from_mask(np.arange(ROWS) % 2 == 1)
    for some in (None, allowed):
        together = sample.search(np.tile(sample.queries_QD, (3, 1)), K, allowed=some)
        alone = [sample.search(row[None], K, allowed=some)[0] for row in sample.queries_QD]
        assert [sample.got(r) for r in together] == 3 * [sample.got(r) for r in alone]


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("distinct", [1, 40])
def test_vectors_that_occur_often_are_ranked_by_id(
    engine: str, distinct: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(distinct)
    vectors_PD = crowded(rng, 1_500, 16, distinct)
    ids = shuffled_ids(rng, 1_500)
    built = ENGINES[engine](vectors_PD, tmp_path / "index")
    index = VectorIndex(built, vectors_PD, threads=1, exact_rows=0)
    for query_D in vectors_PD[:5]:
        [ranking] = index.search(query_D[None], 7, ids_of=lambda rows: [ids[row] for row in rows])
        got = list(zip(ranking.scores.tolist(), [ids[row] for row in ranking.rows], strict=True))
        assert got == true_ranking(query_D, vectors_PD, ids, 7, ranking.rows.tolist())
        best = likely_ranking(query_D, vectors_PD, ids, 7, np.arange(1_500))
        assert [score for score, _ in got] == [score for score, _ in best]


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize(("rows", "dim"), [(1, 1), (2, 16), (15, 7), (99, 16), (100, 9), (150, 1)])
def test_tiny_corpora_are_searched_exactly_and_quietly(
    engine: str, rows: int, dim: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if dim % 16 and engine in FACTORIES:
        pytest.skip("product codes of a factory string divide the dimensions")
    rng = np.random.default_rng(rows)
    vectors_PD = unit(rng.standard_normal((rows, dim)))
    ids = shuffled_ids(rng, rows)
    index = VectorIndex(ENGINES[engine](vectors_PD, tmp_path / "i"), vectors_PD, threads=2)
    for k in (1, 10, rows + 1):
        rankings = index.search(vectors_PD[:3], k, ids_of=lambda some: [ids[row] for row in some])
        for query_D, ranking in zip(vectors_PD[:3], rankings, strict=True):
            assert len(ranking.rows) == min(k, rows)
            if 4 * k > rows:
                best = true_ranking(query_D, vectors_PD, ids, k, range(rows))
                assert [ids[row] for row in ranking.rows] == [identifier for _, identifier in best]
    assert capfd.readouterr() == ("", "")
