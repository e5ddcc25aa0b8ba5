"""A vector file is an ordinary .npy file, however it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import BadInput
from retrieval.store.vector_file import VectorWriter, map_vectors
from tests.corpora import unit_vectors


def test_rows_appended_in_parts_are_the_array_that_numpy_loads(tmp_path: Path) -> None:
    path, vectors = tmp_path / "vectors.npy", unit_vectors(1000)
    writer = VectorWriter(path, dim=8)
    for start, end in [(0, 1), (1, 1), (1, 700), (700, 1000)]:
        writer.append(vectors[start:end])
    writer.close()
    writer.close()
    np.testing.assert_array_equal(np.load(path), vectors)
    np.testing.assert_array_equal(map_vectors(path), vectors)
    reference = tmp_path / "reference.npy"
    np.save(reference, vectors)
    assert path.read_bytes()[128:] == reference.read_bytes()[128:]


def test_rows_of_another_dimension_are_refused_before_they_are_written(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path / "vectors.npy", dim=8)
    with pytest.raises(BadInput, match=r"expected vectors of shape \[n, 8\]"):
        writer.append(unit_vectors(2, 7))
    writer.close()
    assert writer.rows == 0
