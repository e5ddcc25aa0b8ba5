"""Negatives that came with the items, in the languages they were given in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class GivenNegatives:
    """M texts, each of one item in one language.

    cells_M: item * languages + language, ascending. rows_M: rows of the table's texts.
    components_M: component of the item whose text it also is, -1 where it is nobody's: a negative
    of one question may well be the passage of another one in the batch.
    """

    cells_M: NDArray[np.int64]
    rows_M: NDArray[np.int64]
    components_M: NDArray[np.int64]

    @classmethod
    def of(
        cls, *, cells: NDArray[np.int64], rows: NDArray[np.int64], components: NDArray[np.int64]
    ) -> GivenNegatives:
        """Texts in any order."""
        order = np.argsort(cells, kind="stable")
        return cls(cells[order], rows[order], components[order])

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.rows_M)

    def items(self, languages: int) -> int:
        """Number of items that have any."""
        return len(np.unique(self.cells_M // languages))

    def draw(
        self, rng: np.random.Generator, cells_B: NDArray[np.int64], count: int
    ) -> NDArray[np.int64]:
        """[B, count] distinct negatives of each cell, as numbers below M; -1 where it has fewer.

        [B, 0], without a draw, where there are none at all. They are neighbours in the cell's list
        from a random place on: one draw a triplet.
        """
        if not len(self) or not count:
            return np.empty((len(cells_B), 0), dtype=np.int64)
        starts_B = np.searchsorted(self.cells_M, cells_B, side="left")
        sizes_B = np.searchsorted(self.cells_M, cells_B, side="right") - starts_B
        first_B = (rng.random(len(cells_B)) * sizes_B).astype(np.int64)
        places_K = np.arange(count)
        offsets_BK = (first_B[:, None] + places_K) % np.maximum(sizes_B, 1)[:, None]
        numbers_BK = np.where(places_K < sizes_B[:, None], starts_B[:, None] + offsets_BK, -1)
        return numbers_BK.astype(np.int64)
