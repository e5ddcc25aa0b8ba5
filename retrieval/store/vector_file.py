"""Vectors on disk: a .npy file [P, D] of float32, written row by row, read through a memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from retrieval.vectors import unit_rows


class VectorWriter:
    """Appends rows to a file whose length is known only at the end."""

    def __init__(self, path: Path, *, dim: int) -> None:
        self.rows = 0
        self._dim = dim
        self._stream = path.open("wb")
        self._write_header()

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Add unit rows. Raises BadInput as `unit_rows` does."""
        rows = unit_rows(vectors, dim=self._dim)
        self._stream.write(rows.data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the true shape and close the file."""
        if not self._stream.closed:
            with self._stream:
                self._stream.seek(0)
                self._write_header()

    def _write_header(self) -> None:
        # NumPy pads the header so that a longer first axis fits where the shorter one was.
        shape = (self.rows, self._dim)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._stream, header)


def map_vectors(path: Path) -> NDArray[np.float32]:
    """The rows of a file, mapped. Raises OSError or ValueError where it is no .npy file.

    A plain view: slices of a memmap carry bookkeeping that costs on every search.
    """
    mapped: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)
