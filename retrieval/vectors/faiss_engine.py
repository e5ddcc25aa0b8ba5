"""faiss as a search engine: the one file that imports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput, MachineFailure
from retrieval.vectors.ranking import Candidates, RowFilter

# faiss' stubs describe the constructors of C++, not those of Python.
_loose: Any = faiss

VERSION: str = faiss.__version__

EFFORT, OVERSAMPLE = "effort", "oversample"
"""Names of the parameters that a build records and `FaissEngine.read` takes."""

_ADD_ROWS = 65_536
_OPQ_CENTROIDS = 256
_EF_CONSTRUCTION = 100
# A graph search visits some multiple of this many rows; beyond it a scan is as fast.
_LARGEST_EF = 1024

# Kinds that were seen to honour a selector, at 1 row to all rows. Others raise (PQFastScan, NSG,
# Refine) or are unknown: filters go to a scan.
_FILTERING = (
    faiss.IndexFlat,
    faiss.IndexScalarQuantizer,
    faiss.IndexHNSW,
    faiss.IndexIVFFlat,
    faiss.IndexIVFScalarQuantizer,
    faiss.IndexIVFPQ,
    faiss.IndexIVFPQFastScan,
)
_UNQUANTISED = (faiss.IndexFlat, faiss.IndexHNSWFlat, faiss.IndexIVFFlat)


class FaissEngine:
    """A faiss index over unit rows, by inner product.

    effort: how much of it a search looks at: lists of an inverted file (nprobe), or candidates
    kept on the way through a graph (efSearch); meaningless for other kinds.
    """

    def __init__(self, index: faiss.Index, *, effort: int = 0, oversample: int = 1) -> None:
        self._owner = index  # what it is cast to does not keep it alive
        self._index = faiss.downcast_index(index)
        self._inner = _inner(index)
        self._transforms = isinstance(self._index, faiss.IndexPreTransform)
        self.effort = effort or max(self.efforts())
        self._oversample = oversample

    @classmethod
    def read(
        cls, path: Path, shape: tuple[int, ...], *, parameters: Mapping[str, str]
    ) -> FaissEngine:
        """The index in a file, memory-mapped where faiss can; it must hold `shape` vectors.

        Raises BadInput.
        """
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise BadInput(
                f"faiss cannot read the index ({_first_line(error)})", path=path
            ) from error
        if (index.ntotal, index.d) != shape:
            raise BadInput(
                f"the index holds {index.ntotal} x {index.d}, the vectors are "
                f"{shape[0]} x {shape[1]}",
                path=path,
            )
        try:
            effort, oversample = int(parameters.get(EFFORT, 0)), int(parameters.get(OVERSAMPLE, 1))
        except ValueError as error:
            raise BadInput(
                f"a search parameter of the index is no number ({error})", path=path
            ) from error
        return cls(index, effort=max(0, effort), oversample=max(1, oversample))

    @property
    def complete(self) -> bool:
        """Whether every row is compared by its own float32 vector."""
        return isinstance(self._index, faiss.IndexFlat)

    @property
    def quantised(self) -> bool:
        """Whether it holds less than the vectors themselves."""
        return self._transforms or not isinstance(self._inner, _UNQUANTISED)

    @property
    def oversample(self) -> int:
        """How many times as many candidates as hits it must be asked for."""
        return self._oversample

    @oversample.setter
    def oversample(self, factor: int) -> None:
        self._oversample = factor

    def can_filter(self) -> bool:
        """Whether selectors reach the rows of this kind."""
        return isinstance(self._inner, _FILTERING)

    def efforts(self) -> list[int]:
        """The efforts worth trying, ascending; [1] where there is nothing to choose."""
        if isinstance(self._inner, faiss.IndexIVF):
            return [*(n for n in _STEPS if n < self._inner.nlist), self._inner.nlist]
        if isinstance(self._inner, faiss.IndexHNSW):
            return [ef for ef in _STEPS if 16 <= ef <= _LARGEST_EF]
        return [1]

    def propose(
        self,
        queries_QD: NDArray[np.float32],
        width: int,
        *,
        allowed: RowFilter | None = None,
        threads: int = 1,
    ) -> Candidates:
        """The `width` rows it thinks best for each query; see `ranking.Engine`.

        Under a filter the effort grows as the share of allowed rows falls: as many allowed rows
        are met as rows without a filter.
        """
        share = 1.0 if allowed is None else max(1, len(allowed.rows)) / self._index.ntotal
        parameters = self._parameters(int(np.ceil(self.effort / share)), width, allowed)
        with _faiss_threads(threads):
            rough_QC, rows_QC = self._index.search(queries_QD, width, params=parameters)
        return rough_QC, rows_QC

    def _parameters(self, effort: int, width: int, allowed: RowFilter | None) -> Any:
        selector = None if allowed is None else _loose.IDSelectorBitmap(allowed.bitmap)
        if isinstance(self._inner, faiss.IndexIVF):
            nprobe = min(effort, self._inner.nlist)
            inner = _loose.SearchParametersIVF(nprobe=nprobe, sel=selector)
        elif isinstance(self._inner, faiss.IndexHNSW):
            inner = _loose.SearchParametersHNSW(efSearch=max(effort, width), sel=selector)
        elif selector is None:
            return None
        else:
            inner = _loose.SearchParameters(sel=selector)
        if not self._transforms:
            return inner
        return _loose.SearchParametersPreTransform(index_params=inner)


def scan(
    queries_QD: NDArray[np.float32],
    vectors_PD: NDArray[np.float32],
    width: int,
    *,
    rows_R: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> Candidates:
    """The `width` best of all rows, or of `rows_R`, by float32 inner product; without an index.

    width <= number of rows that compete.
    """
    queries_QD, vectors_PD = np.ascontiguousarray(queries_QD), np.ascontiguousarray(vectors_PD)
    rough_QC = np.empty((len(queries_QD), width), dtype=np.float32)
    rows_QC = np.empty((len(queries_QD), width), dtype=np.int64)
    selector = None
    if rows_R is not None:
        rows_R = np.ascontiguousarray(rows_R, dtype=np.int64)
        selector = _loose.IDSelectorArray(len(rows_R), faiss.swig_ptr(rows_R))
    with _faiss_threads(threads):
        _loose.knn_inner_product(
            faiss.swig_ptr(queries_QD),
            faiss.swig_ptr(vectors_PD),
            vectors_PD.shape[1],
            len(queries_QD),
            len(vectors_PD),
            width,
            faiss.swig_ptr(rough_QC),
            faiss.swig_ptr(rows_QC),
            selector,
        )
    return rough_QC, rows_QC


def empty_index(factory: str, dim: int) -> faiss.Index:
    """The index that a faiss factory string describes, not trained. Raises BadInput."""
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise BadInput(
            f"faiss makes no index of {factory!r} for {dim} dimensions ({_first_line(error)})",
            fix="Give auto, a kind that `synglot index build --help` lists, or a string of "
            "faiss' index factory, such as IVF1024,SQ8.",
        ) from error
    inner = _inner(index)
    if isinstance(inner, (faiss.IndexIDMap, faiss.IndexIDMap2, faiss.IndexRefine)):
        raise BadInput(
            f"{factory!r} keeps ids or vectors of its own",
            fix="Leave IDMap and RFlat out: rows are the ids, and what an index proposes is scored "
            "again from the stored vectors anyway.",
        )
    if isinstance(inner, faiss.IndexHNSW):
        inner.hnsw.efConstruction = _EF_CONSTRUCTION
    return index


def codebook(index: faiss.Index, factory: str) -> int:
    """Centroids of the largest codebook that must be trained; 0 where none must."""
    sizes = [0]
    inner = _inner(index)
    if isinstance(inner, faiss.IndexIVF):
        sizes.append(inner.nlist)
    if hasattr(inner, "pq"):
        sizes.append(inner.pq.ksub)
    if "OPQ" in factory:
        sizes.append(_OPQ_CENTROIDS)
    return max(sizes)


def train(index: faiss.Index, sample_ND: NDArray[np.float32], *, seed: int) -> None:
    """Train it on a sample of the vectors. Raises BadInput where faiss cannot.

    One thread: sums come out the same on any number of cores, and the many small products of a
    training wait for each other where cores are busy (39 s with two threads, 1.5 s with one).
    """
    inner = _inner(index)
    for clusters in [getattr(inner, "cp", None), getattr(getattr(inner, "pq", None), "cp", None)]:
        if clusters is not None:
            # Who calls has seen to it that there are enough; faiss warns on standard error.
            clusters.min_points_per_centroid = 1
            clusters.seed = seed
    with _faiss_threads(1), _refusals("train", index):
        index.train(sample_ND)


def add(index: faiss.Index, vectors_PD: NDArray[np.float32], *, threads: int) -> None:
    """Add every vector, a block at a time. Raises BadInput where faiss cannot."""
    with _faiss_threads(threads), _refusals("fill", index):
        for start in range(0, len(vectors_PD), _ADD_ROWS):
            index.add(np.ascontiguousarray(vectors_PD[start : start + _ADD_ROWS]))


def write(index: faiss.Index, path: Path) -> None:
    """Write it to a file. Raises MachineFailure."""
    try:
        faiss.write_index(index, str(path))
        # faiss reports a failed write, but not a failed close: what was last in its buffer may be
        # missing, which reading finds.
        faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise MachineFailure(
            f"cannot write the index ({_first_line(error)})",
            path=path,
            fix="Look for a full disk or a missing permission.",
        ) from error


def all_threads() -> int:
    """As many threads as faiss would take by itself."""
    return int(faiss.omp_get_max_threads())


def _inner(index: faiss.Index) -> faiss.Index:
    """The index below the transformations of its input."""
    found = faiss.downcast_index(index)
    while isinstance(found, faiss.IndexPreTransform):
        found = faiss.downcast_index(found.index)
    return found


# 1, 2, ..., 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, ... to 2**30: eight steps to a doubling.
_STEPS = sorted({step << power for step in range(8, 16) for power in range(27)} | set(range(1, 8)))


@contextmanager
def _refusals(what: str, index: faiss.Index) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise BadInput(
            f"faiss cannot {what} the index {type(_inner(index)).__name__} ({_first_line(error)})",
            fix="Choose another kind; see `synglot index build --help`.",
        ) from error


@contextmanager
def _faiss_threads(threads: int) -> Iterator[None]:
    """The one place where faiss' threads are bounded; the bound holds for the calling thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:200]
