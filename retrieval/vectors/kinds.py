"""Kinds of index, and which one suits a corpus.

| kind | what is stored for a passage of D dimensions | bytes at D = 512 | searched |
|---|---|---|---|
| flat | its vector | 2,048 | all, exactly |
| hnsw | its vector and 64 or more neighbours | 2,320 | along a graph |
| ivf | its vector, in one of sqrt(P) lists | 2,060 | some lists |
| sq8 | one byte a dimension | 512 | all |
| ivf-sq8 | the same, in lists | 520 | some lists |
| ivf-pq | half a byte for two dimensions, in lists | 140 | some lists |

The stored vectors (2,048 bytes at D = 512) lie beside the index, mapped: pages of the passages that
come near a hit are in memory, no more.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from retrieval.errors import BadInput

AUTO = "auto"
AS_ASKED = "as asked"
"""The reason for an index that was asked for by name."""


class IndexKind(StrEnum):
    """How candidates are found."""

    FLAT = "flat"
    HNSW = "hnsw"
    IVF = "ivf"
    SQ8 = "sq8"
    IVF_SQ8 = "ivf-sq8"
    IVF_PQ = "ivf-pq"
    FACTORY = "factory"
    """A string of faiss' index factory."""


# Time of one product of a scan on one core: 15 ms for 200,000 x 512, 83 ms for 1,000,000 x 512.
_MS_A_PRODUCT = 1.6e-7
# Encoding one query with a small transformer takes 10 ms; below that, an exact search is not what
# a reader waits for.
_FLAT_MS = 10.0
# A flat index beyond this share of the machine's memory leaves too little to the rest.
_FLAT_MEMORY = 0.25
# faiss warns below this many training vectors for a centroid.
POINTS_A_CENTROID = 39
_FEWEST_ROWS = 100
_MOST_LISTS = 2**20
_NEIGHBOURS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlan:
    """An index to build: its kind, faiss' factory string for it, and why it was chosen."""

    kind: IndexKind
    factory: str
    reason: str


def check_kind(request: str) -> str:
    """`request` if it may name a kind or be a factory string. Raises BadInput.

    Whether faiss knows a factory string is for `build.check_request` to say.
    """
    if request in (AUTO, *_NAMED):
        return request
    if not re.search(r"[A-Z]", request):
        raise BadInput(
            f"{request!r} is no kind of index",
            fix=f"Give {', '.join((AUTO, *_NAMED))}, or a string of faiss' index factory, such as "
            "IVF1024,SQ8.",
        )
    lists = max((int(n) for n in re.findall(r"IVF(\d{1,18})", request)), default=0)
    if lists > _MOST_LISTS:
        raise BadInput(
            f"{request!r} asks for {lists:,} lists, expected at most {_MOST_LISTS:,}",
            fix="About the square root of the number of passages is enough.",
        )
    return request


def plan_index(request: str, *, rows: int, dim: int, memory_bytes: int | None = None) -> IndexPlan:
    """The index to build of `rows` vectors of `dim` dimensions.

    request: auto, a kind, or a faiss factory string.
    memory_bytes: of the machine; by default what it has.  Raises BadInput.
    """
    check_kind(request)
    if request == AUTO:
        return _chosen(rows, dim, memory_bytes or machine_memory())
    if request not in _NAMED:
        return IndexPlan(kind=IndexKind.FACTORY, factory=request, reason=AS_ASKED)
    if rows < _FEWEST_ROWS and request != IndexKind.FLAT:
        return flat_plan(f"{rows:,} passages are too few for {request}")
    return _planned(IndexKind(request), rows, dim, AS_ASKED)


def flat_plan(reason: str) -> IndexPlan:
    """An exact index."""
    return IndexPlan(kind=IndexKind.FLAT, factory="Flat", reason=reason)


def lists_for(rows: int) -> int:
    """Lists of an inverted file: the power of two nearest to the square root of `rows`.

    More lists gained nothing: at 1,000,000 x 512, 2,048 lists took as long for the same recall,
    and five times as long to train. Every list has enough vectors to be trained on.
    """
    lists = 1
    while lists * lists * 2 < rows:
        lists *= 2
    while lists > 1 and lists * POINTS_A_CENTROID > rows:
        lists //= 2
    return lists


def machine_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _chosen(rows: int, dim: int, memory_bytes: int) -> IndexPlan:
    size, scan_ms = 4 * rows * dim, _MS_A_PRODUCT * rows * dim
    exact = (
        f"exact search over {rows:,} passages x {dim} needs {_megabytes(size)} and takes about "
        f"{scan_ms:,.1f} ms a query on one core"
    )
    if scan_ms > _FLAT_MS:
        return _planned(IndexKind.IVF_PQ, rows, dim, exact)
    if size > _FLAT_MEMORY * memory_bytes:
        tight = f"{exact}; the machine has {_megabytes(memory_bytes)}"
        return _planned(IndexKind.IVF_PQ, rows, dim, tight)
    return flat_plan(exact)


def _planned(kind: IndexKind, rows: int, dim: int, reason: str) -> IndexPlan:
    lists = lists_for(rows)
    # Codes of four bits for pairs of dimensions; an odd dimension is filled up with a zero.
    even = dim + dim % 2
    padding = f"Pad{even}," if even != dim else ""
    factory = {
        IndexKind.FLAT: "Flat",
        IndexKind.HNSW: f"HNSW{_NEIGHBOURS}",
        IndexKind.IVF: f"IVF{lists},Flat",
        IndexKind.SQ8: "SQ8",
        IndexKind.IVF_SQ8: f"IVF{lists},SQ8",
        IndexKind.IVF_PQ: f"{padding}IVF{lists},PQ{even // 2}x4fs",
    }[kind]
    return IndexPlan(kind=kind, factory=factory, reason=reason)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


_NAMED = tuple(kind.value for kind in IndexKind if kind is not IndexKind.FACTORY)
