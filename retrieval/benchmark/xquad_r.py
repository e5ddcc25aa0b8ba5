"""The XQuAD-R protocol over any folder of LAReQA's layout.

Monolingual (Mo.), cross-lingual (Cr.) and multilingual (Mul.) retrieval, as in arXiv 2408.10536.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.benchmark.pools import PassagePool, TokenizingEncoder
from retrieval.encoder import shown_path
from retrieval.evaluation import Evaluation, VectorRanker, evaluate
from retrieval.formats.lareqa import is_xquad_r, read_lareqa
from retrieval.metrics.measure import Measure
from retrieval.metrics.ranked import RankedSet
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode
from retrieval.search.scoring import PoolRanker
from retrieval.types import Passage, QuerySet

PROTOCOL = "xquad-r"

RESTRICTED = {name: Measure.parse(name) for name in ("mAP", "R@1", "MRR@10")}
"""Measures where the corpus is one language (Mo. and Cr.), by the names of the paper."""

POOLED = {name: Measure.parse(name) for name in ("mAP", "R@10", "MRR@10")}
"""Measures over the pool of all languages (Mul.)."""

Figures = dict[str, Any]
"""A JSON object of the benchmark's report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarked:
    """A protocol's figures, and the evaluation they come from.

    figures: the protocol's JSON object. evaluation: of the pool of all languages.
    ranker, passages, query_set: what was ranked, for runs and for the hits of a report.
    files: the data.
    """

    figures: Figures
    evaluation: Evaluation
    ranker: VectorRanker | PoolRanker
    passages: Sequence[Passage]
    query_set: QuerySet
    files: Sequence[Path]

    def to_json(self) -> Figures:
        """The protocol's figures, then the report with the value of every query."""
        return {**self.evaluation.to_json(), **self.figures}


def benchmark_xquad_r(
    data: Path,
    encoder: TokenizingEncoder,
    *,
    mode: Mode = Mode.DENSE,
    balance: Balance = Balance.NONE,
    scratch: Path | None = None,
    measures: Sequence[Measure] = (),
    seed: int = 0,
    progress: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Benchmarked:
    """The protocol for a folder of `LANG.json[.gz]`: exact search, full rankings.

    mode, balance: as in search; anything but dense without balance needs `scratch`, an empty folder
    that takes the lexical index and must outlive the ranker.
    measures: of the report, beside those of the protocol. Raises what `read_lareqa` raises.
    """
    lareqa = read_lareqa(data)
    query_set = lareqa.query_set()
    began = clock()
    pool = PassagePool(query_set=query_set, passages=lareqa.passages)
    ranker = _ranker(pool, encoder, mode, balance, scratch, progress=progress)
    encoded = clock()
    evaluation = evaluate(
        query_set,
        ranker,
        corpus=data.name,
        version="",
        encoder=encoder.fingerprint,
        measures=(*POOLED.values(), *RESTRICTED.values(), *measures),
        seed=seed,
        progress=progress,
    )
    figures: Figures = {
        "protocol": PROTOCOL,
        "mode": mode.value,
        "balance": balance.value,
        "encoder": {"path": shown_path(encoder.path), "fingerprint": encoder.fingerprint},
        "counts": lareqa.counts,
        "published_counts": is_xquad_r(lareqa),
        **protocol_figures(evaluation.ranked),
    }
    figures["seconds"] = {
        "encode": encoded - began,
        "search": ranker.search_s,
        "measure": clock() - encoded - ranker.search_s,
    }
    return Benchmarked(
        figures=figures,
        evaluation=evaluation,
        ranker=ranker,
        passages=lareqa.passages,
        query_set=query_set,
        files=[file.path for file in lareqa.files],
    )


def _ranker(
    pool: PassagePool,
    encoder: TokenizingEncoder,
    mode: Mode,
    balance: Balance,
    scratch: Path | None,
    *,
    progress: bool,
) -> VectorRanker | PoolRanker:
    if (mode, balance) == (Mode.DENSE, Balance.NONE):
        return pool.ranker(encoder, progress=progress)
    if scratch is None:
        raise ValueError("a folder for the lexical index is needed")
    return pool.searched(encoder, scratch, mode=mode, balance=balance, progress=progress)


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


def _pooled(ranked: RankedSet) -> dict[str, dict[str, float | int | None]]:
    """Means of the questions of each language; the rank distance of those with several answers."""
    by_name = {n: ranked.means_by_language(ranked.values(m)) for n, m in POOLED.items()}
    distances = ranked.means_by_language(ranked.rank_distance_Q, ranked.several_Q)
    return {
        lang: {
            "n": len(index),
            **{name: means[lang] for name, means in by_name.items()},
            "rank_distance": distances.get(lang),
        }
        for lang, index in ranked.queries_of.items()
    }


def _macro(
    table: Mapping[str, Mapping[str, float | int | None]] | Mapping[str, Mapping[str, float | int]],
    names: Sequence[str] | Mapping[str, Measure],
) -> dict[str, float | None]:
    """Mean of each column over the rows that have it; None where none has."""
    columns = {name: [row[name] for row in table.values()] for name in names}
    there = {
        name: [value for value in column if value is not None] for name, column in columns.items()
    }
    return {name: float(np.mean(values)) if values else None for name, values in there.items()}
