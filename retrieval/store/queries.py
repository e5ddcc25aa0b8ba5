"""Does a version answer? Its counts agree, and some of its own vectors find themselves."""

from __future__ import annotations

import numpy as np

from retrieval.errors import CorruptVersion
from retrieval.store.manifest import how_to_recover
from retrieval.store.version import Version
from retrieval.vectors import IndexKind
from retrieval.vectors.scores import exact_scores

SAMPLE_QUERIES = 32
"""Stored vectors that are searched for."""

# An approximate index may miss a passage; one that misses every other is not the index of these.
_LEAST_FOUND = 0.5


def check_answers(version: Version) -> None:
    """Compare counts by language and search for evenly spaced vectors. Raises CorruptVersion."""
    manifest = version.manifest
    counts = {lang: len(rows) for lang, rows in version.rows_by_language.items()}
    if counts != manifest.counts.languages:
        what = f"expected passages by language {manifest.counts.languages}, found {counts}"
        raise _broken(version, what)
    asked, found = _sampled(version)
    least = 1.0 if manifest.index.kind is IndexKind.FLAT else _LEAST_FOUND
    if found < least * asked:
        raise _broken(version, f"of {asked} stored vectors as queries, {found} found themselves")


def _sampled(version: Version) -> tuple[int, int]:
    """How many were asked, and how many found a passage that scores as high as they themselves."""
    total = len(version.vectors_PD)
    rows_Q = np.unique(np.linspace(0, total - 1, SAMPLE_QUERIES).astype(np.int64))
    queries_QD = version.vectors_PD[rows_Q]
    own_Q = exact_scores(queries_QD, queries_QD)
    rankings = version.index.search(queries_QD, 1, ids_of=version.passages.ids_at)
    best_Q = np.array([ranking.scores[0] for ranking in rankings])
    return len(rows_Q), int((best_Q >= own_Q).sum())


def _broken(version: Version, what: str) -> CorruptVersion:
    fix = how_to_recover(version.corpus, version.id)
    return CorruptVersion(f"{version.corpus} {version.id}: {what}", fix=fix)
