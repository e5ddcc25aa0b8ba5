"""What a version keeps beside vectors, for fusion and balance: lexical index and calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval import calibration
from retrieval.calibration import Calibration, QuerySample, Scores, fit, write_calibrations
from retrieval.errors import BadInput
from retrieval.lexical import FOLDER, PARAMETERS, LexicalIndex, LexicalWriter

DENSE = "dense"
LEXICAL = "lexical"


class EvidenceWriter:
    """Collects languages and tokens while passages stream by; writes at the end, once."""

    def __init__(self, folder: Path) -> None:
        self.parameters: dict[str, str] = {}
        self._folder = folder
        self._sample = QuerySample()
        self._lexical: LexicalWriter | None = None
        self._languages: list[str] = []
        self._code_of: dict[str, int] = {}
        self._codes: list[NDArray[np.int32]] = []
        self._rows = 0

    def append(self, languages: Sequence[str], tokens: Sequence[Sequence[int]] | None) -> None:
        """Add passages with their token ids, None for all or for no passage of the version.

        Raises BadInput.
        """
        if tokens is not None and len(tokens) != len(languages):
            raise BadInput(f"{len(languages)} passages came with the tokens of {len(tokens)}")
        if self._rows and (tokens is None) != (self._lexical is None):
            raise BadInput("some passages came with tokens, others without")
        if tokens is not None:
            if self._lexical is None:
                self._lexical = LexicalWriter(self._folder / FOLDER)
            self._lexical.append(tokens, languages)
        for place, lang in enumerate(languages):
            self._sample.add(self._rows + place, lang, () if tokens is None else tokens[place])
        known = self._code_of
        codes = [known.setdefault(lang, len(known)) for lang in languages]
        self._codes.append(np.array(codes, dtype=np.int32))
        self._rows += len(languages)

    def finish(self, vectors_PD: NDArray[np.float32]) -> list[str]:
        """Write the files; returns their names in the folder."""
        code_P = np.concatenate(self._codes)
        rows = {lang: np.flatnonzero(code_P == code) for lang, code in self._code_of.items()}
        queries_Q, files = self._sample.rows(), [calibration.FILE]
        calibrations = {DENSE: fit(rows, queries_Q, _dense_scores(vectors_PD))}
        if self._lexical is not None:
            files += self._lexical.finish()
            self.parameters = dict(PARAMETERS)
            lexical = LexicalIndex.read(self._folder / FOLDER, rows)
            scores = _lexical_scores(lexical, self._sample)
            calibrations[LEXICAL] = fit(rows, queries_Q, scores)
        write_calibrations(calibrations, self._folder / calibration.FILE)
        return files


def read_lexical(folder: Path, rows: Mapping[str, NDArray[np.int64]]) -> LexicalIndex:
    """The lexical index of the version in `folder`. Raises BadInput."""
    return LexicalIndex.read(folder / FOLDER, rows)


def read_calibrations(folder: Path) -> dict[str, Calibration]:
    """By mode; empty for versions built before there were any. Raises BadInput."""
    path = folder / calibration.FILE
    return calibration.read_calibrations(path) if path.is_file() else {}


def _dense_scores(vectors_PD: NDArray[np.float32]) -> Scores:
    def scores(
        queries_Q: NDArray[np.int64], _lang: str, rows_R: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        scores_QR: NDArray[np.float32] = vectors_PD[queries_Q] @ vectors_PD[rows_R].T
        return scores_QR

    return scores


def _lexical_scores(lexical: LexicalIndex, sample: QuerySample) -> Scores:
    def scores(
        queries_Q: NDArray[np.int64], lang: str, rows_R: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        places_R = np.searchsorted(lexical.rows[lang], rows_R)
        found = [lexical.scores(sample.tokens[row], lang)[places_R] for row in queries_Q.tolist()]
        return np.array(found, dtype=np.float32)

    return scores
