"""The XQuAD-R protocol over any folder of LAReQA's layout.

Monolingual (Mo.), cross-lingual (Cr.) and multilingual (Mul.) retrieval, as in arXiv 2408.10536.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.evaluation import rank_query_set
from retrieval.formats.lareqa import LareqaSet, is_xquad_r, read_lareqa
from retrieval.metrics.measure import Measure
from retrieval.metrics.ranked import RankedSet
from retrieval.types import Query
from retrieval.vectors import score_blocks

PROTOCOL = "xquad-r"

RESTRICTED = {name: Measure.parse(name) for name in ("mAP", "R@1", "MRR@10")}
"""Measures where the corpus is one language (Mo. and Cr.), by the names of the paper."""

POOLED = {name: Measure.parse(name) for name in ("mAP", "R@10", "MRR@10")}
"""Measures over the pool of all languages (Mul.)."""

Figures = dict[str, object]
"""A JSON object of the benchmark's report."""


class TextEncoder(Protocol):
    """What turns texts into unit vectors: `retrieval.encoder.Encoder` is one."""

    @property
    def path(self) -> str:
        """Where it was loaded from."""
        ...

    @property
    def fingerprint(self) -> str:
        """Its identity."""
        ...

    def encode_queries(self, texts: Sequence[str], *, progress: bool = ...) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        ...

    def encode_passages(self, texts: Sequence[str], *, progress: bool = ...) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        ...


class VectorRanker:
    """Exact scores of queries and passages that are encoded already.

    search_s: seconds that the scores given out so far have taken.
    """

    def __init__(
        self,
        *,
        passage_ids: Sequence[str],
        passage_languages: Sequence[str],
        passages_PD: NDArray[np.float32],
        query_ids: Sequence[str],
        queries_QD: NDArray[np.float32],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.passage_ids = passage_ids
        self.passage_languages = passage_languages
        self.search_s = 0.0
        self._passages_PD = passages_PD
        self._queries_QD = queries_QD
        self._row_of = {identifier: row for row, identifier in enumerate(query_ids)}
        self._clock = clock

    def score_blocks(
        self, queries: Sequence[Query], *, progress: bool = False
    ) -> Iterator[NDArray[np.float32]]:
        """Blocks [q, P] with the float32 scores of every passage by row."""
        rows = np.array([self._row_of[query.id] for query in queries], dtype=np.int64)
        blocks = score_blocks(self._queries_QD[rows], self._passages_PD)
        with tqdm(
            total=len(rows), unit="query", disable=None if progress else True, delay=1
        ) as bar:
            began = self._clock()
            for block_QP in blocks:
                self.search_s += self._clock() - began
                yield block_QP
                bar.update(len(block_QP))
                began = self._clock()


def benchmark_xquad_r(
    data: Path,
    encoder: TextEncoder,
    *,
    progress: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Figures:
    """The protocol's report as a JSON object, for a folder of `LANG.json[.gz]`.

    Exact search, full rankings. Raises what `read_lareqa` raises.
    """
    lareqa = read_lareqa(data)
    began = clock()
    ranker = _encoded(lareqa, encoder, progress=progress)
    encoded = clock()
    ranked = rank_query_set(lareqa.query_set(), ranker, progress=progress)
    figures: Figures = {
        "protocol": PROTOCOL,
        "mode": "dense",
        "encoder": {"path": encoder.path, "fingerprint": encoder.fingerprint},
        "counts": lareqa.counts,
        "published_counts": is_xquad_r(lareqa),
        **protocol_figures(ranked),
    }
    figures["seconds"] = {
        "encode": encoded - began,
        "search": ranker.search_s,
        "measure": clock() - encoded - ranker.search_s,
    }
    return figures


def protocol_figures(ranked: RankedSet) -> Figures:
    """`monolingual`, `cross_lingual` and `multilingual` of a ranked query set.

    Every mean is a macro mean: over languages, over ordered pairs of different languages, and over
    question languages.
    """
    pairs = ranked.means_by_pair(RESTRICTED)
    same = {query: entry for (query, passage), entry in pairs.items() if query == passage}
    different = {
        f"{query}->{passage}": entry
        for (query, passage), entry in pairs.items()
        if query != passage
    }
    by_language = _pooled(ranked)
    return {
        "monolingual": {**_macro(same, RESTRICTED), "by_language": same},
        "cross_lingual": {**_macro(different, RESTRICTED), "by_pair": different},
        "multilingual": {
            **_macro(by_language, (*POOLED, "rank_distance")),
            "by_language": by_language,
        },
    }


def _encoded(lareqa: LareqaSet, encoder: TextEncoder, *, progress: bool) -> VectorRanker:
    passages, queries = lareqa.passages, lareqa.query_set().queries
    return VectorRanker(
        passage_ids=[passage.id for passage in passages],
        passage_languages=[passage.lang for passage in passages],
        passages_PD=encoder.encode_passages([p.to_encode for p in passages], progress=progress),
        query_ids=[query.id for query in queries],
        queries_QD=encoder.encode_queries([query.text for query in queries], progress=progress),
    )


def _pooled(ranked: RankedSet) -> dict[str, dict[str, float | int]]:
    columns = {name: ranked.values(measure) for name, measure in POOLED.items()}
    columns["rank_distance"] = ranked.rank_distance_Q
    by_name = {name: ranked.means_by_language(value_Q) for name, value_Q in columns.items()}
    return {
        lang: {"n": len(index), **{name: means[lang] for name, means in by_name.items()}}
        for lang, index in ranked.queries_of.items()
    }


def _macro(
    table: Mapping[str, Mapping[str, float | int]], names: Sequence[str] | Mapping[str, Measure]
) -> dict[str, float | None]:
    """Mean of each column over the rows; None where there are none (one language, no pairs)."""
    if not table:
        return dict.fromkeys(names)
    return {name: float(np.mean([row[name] for row in table.values()])) for name in names}
