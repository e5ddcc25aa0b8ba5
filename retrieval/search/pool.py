"""A corpus as search sees it: languages, vectors, lexical index and the standards of its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retrieval.calibration import Calibration
from retrieval.errors import BadInput
from retrieval.lexical import LexicalIndex
from retrieval.search.balance import Balance
from retrieval.search.fusion import own_languages
from retrieval.store import Version
from retrieval.store.evidence import EvidenceWriter, read_calibrations, read_lexical
from retrieval.types import UNDECLARED
from retrieval.vectors import RowFilter


class Mode(StrEnum):
    """How passages are scored.

    DENSE: inner product of vectors. LEXICAL: BM25 over subwords; what shares none is no hit.
    HYBRID: dense, the passages in the query's own language in the order of both.
    """

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedQueries:
    """Q queries as search takes them.

    vectors_QD: unit rows; not looked at by lexical search. tokens_Q: token ids; empty for dense
    search. languages_Q: `und` where nobody declared one.
    """

    vectors_QD: NDArray[np.float32]
    tokens_Q: Sequence[Sequence[int]]
    languages_Q: Sequence[str]

    def taken(self, rows: Sequence[int]) -> EncodedQueries:
        """Some of the queries, in the order given."""
        return EncodedQueries(
            vectors_QD=self.vectors_QD[np.array(rows, dtype=np.int64)],
            tokens_Q=[self.tokens_Q[row] for row in rows],
            languages_Q=[self.languages_Q[row] for row in rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """P passages by row.

    languages: of its passages, sorted. language_P: place of each passage's among them.
    rows: language -> its rows, ascending. ids_at: rows to ids. vectors_PD: unit rows.
    calibrations: by `Mode`, of dense and lexical scores.
    """

    languages: tuple[str, ...]
    language_P: NDArray[np.int64]
    rows: Mapping[str, NDArray[np.int64]]
    ids_at: Callable[[NDArray[np.int64]], Sequence[str]]
    vectors_PD: NDArray[np.float32]
    lexical: LexicalIndex | None
    calibrations: Mapping[str, Calibration]
    _filters: dict[tuple[int, ...], RowFilter] = field(default_factory=dict, init=False)

    @classmethod
    def built(
        cls,
        folder: Path,
        *,
        passage_ids: Sequence[str],
        passage_languages: Sequence[str],
        vectors_PD: NDArray[np.float32],
        tokens: Sequence[Sequence[int]],
    ) -> Self:
        """A pool of passages that are no corpus of a store.

        folder: empty; takes the lexical index, which stays mapped.
        """
        evidence = EvidenceWriter(folder)
        evidence.append(passage_languages, tokens)
        evidence.finish(vectors_PD)
        names, place_P = np.unique(np.array(passage_languages, np.str_), return_inverse=True)
        rows = {str(name): np.flatnonzero(place_P == i) for i, name in enumerate(names)}
        return cls(
            languages=tuple(rows),
            language_P=place_P.astype(np.int64),
            rows=rows,
            ids_at=lambda wanted: [passage_ids[row] for row in wanted.tolist()],
            vectors_PD=vectors_PD,
            lexical=read_lexical(folder, rows),
            calibrations=read_calibrations(folder),
        )

    @classmethod
    def of(cls, version: Version) -> Self:
        """The pool of an opened version."""
        rows = version.rows_by_language
        language_P = np.empty(len(version.passages), dtype=np.int64)
        for place, rows_R in enumerate(rows.values()):
            language_P[rows_R] = place
        return cls(
            languages=tuple(rows),
            language_P=language_P,
            rows=rows,
            ids_at=version.passages.ids_at,
            vectors_PD=version.vectors_PD,
            lexical=version.lexical,
            calibrations=version.calibrations,
        )

    def check(self, mode: Mode, balance: Balance) -> None:
        """Raises BadInput where the corpus was built without what they need."""
        if mode is not Mode.DENSE:
            self.lexical_index  # noqa: B018 - raises
        if balance is Balance.CALIBRATED and mode_of_scores(mode) not in self.calibrations:
            raise BadInput(
                f"the corpus has no calibration of {mode_of_scores(mode)} scores",
                fix="Build it again with `synglot index build NAME --input FILE`.",
            )

    def filter_of(self, places: tuple[int, ...]) -> RowFilter:
        """The rows of some languages, by their places; made once and kept."""
        if places not in self._filters:
            self._filters[places] = RowFilter.from_mask(self.mask_of(places))
        return self._filters[places]

    def mask_of(self, places: Sequence[int]) -> NDArray[np.bool_]:
        """[P] whether a row is in one of some languages."""
        wanted_L = np.zeros(len(self.languages), dtype=bool)
        wanted_L[list(places)] = True
        return wanted_L[self.language_P]

    @property
    def lexical_index(self) -> LexicalIndex:
        """The lexical index. Raises BadInput where the corpus was built without one."""
        if self.lexical is None:
            raise BadInput(
                "the corpus has no lexical index, which the modes lexical and hybrid need",
                fix="Build it again: `synglot index build NAME --input FILE --lexical`.",
            )
        return self.lexical

    def calibration(self, mode: Mode) -> Calibration:
        """The standards of the scores that a mode gives."""
        return self.calibrations[mode_of_scores(mode)]

    def own(self, query_language: str, tokens: Sequence[int]) -> list[str]:
        """Passage languages in which lexical evidence counts for a query.

        An undeclared query language is told from the query's subwords.
        """
        if query_language == UNDECLARED and self.lexical is not None:
            likeliest = self.lexical.likeliest_language(tokens)
            return [] if likeliest is None else [likeliest]
        return own_languages(query_language, self.languages)


def mode_of_scores(mode: Mode) -> Mode:
    """Whose scores a mode gives: hybrid ones are dense scores in another order."""
    return Mode.LEXICAL if mode is Mode.LEXICAL else Mode.DENSE
