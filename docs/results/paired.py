"""Paired comparison of encoders on XQuAD-R, by question: is one strategy better than another?

    python docs/results/paired.py DATA BASELINE=DIR[,DIR...] OTHER=DIR[,DIR...] ...

Several encoders under one name are seeds: a question's value is their mean. Each other system is
compared with the baseline on mAP in the pool of all languages (Mul.), within and across languages
(Mo., Cr.: the mean over the pairs of a question). The 11 translations of a question are one
cluster; p-values are corrected by Holm over all comparisons printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.benchmark import VectorRanker
from retrieval.encoder import Encoder
from retrieval.evaluation import rank_query_set
from retrieval.formats.lareqa import LareqaSet, read_lareqa
from retrieval.metrics.comparison import Comparison, compare, corrected
from retrieval.metrics.measure import Measure
from retrieval.metrics.ranked import RankedSet
from retrieval.metrics.ranking import measure_values

MAP = Measure.parse("mAP")
PROTOCOLS = ("Mo.", "Cr.", "Mul.")
SEED = 1


def ranked(data: LareqaSet, folder: str) -> RankedSet:
    """The questions of XQuAD-R ranked by the encoder in `folder`."""
    encoder, queries = Encoder.load(folder), data.query_set()
    ranker = VectorRanker(
        passage_ids=[p.id for p in data.passages],
        passage_languages=[p.lang for p in data.passages],
        passages_PD=encoder.encode_passages([p.to_encode for p in data.passages]),
        query_ids=[q.id for q in queries.queries],
        queries_QD=encoder.encode_queries([q.text for q in queries.queries]),
    )
    return rank_query_set(queries, ranker)


def values(found: RankedSet) -> NDArray[np.float64]:
    """[3, Q] average precision of every question: Mo., Cr. and Mul."""
    within_QL = measure_values(found.by_language, MAP).reshape(-1, len(found.languages))
    column_of = {lang: column for column, lang in enumerate(found.languages)}
    own_Q = np.array([column_of[query.lang] for query in found.queries])
    mono_Q = within_QL[np.arange(len(own_Q)), own_Q]
    cross_Q = (within_QL.sum(axis=1) - mono_Q) / (len(found.languages) - 1)
    return np.stack([mono_Q, cross_Q, found.values(MAP)])


def main() -> None:
    """Print the table."""
    data = read_lareqa(Path(sys.argv[1]))
    systems: dict[str, NDArray[np.float64]] = {}
    clusters: list[str] = []
    for argument in sys.argv[2:]:
        name, _, folders = argument.partition("=")
        runs = [ranked(data, folder) for folder in folders.split(",")]
        clusters = [query.cluster for query in runs[0].queries]
        systems[name] = np.mean([values(run) for run in runs], axis=0)
    baseline, *others = systems
    family: dict[str, Comparison] = {
        f"{protocol} | {baseline} - {other}": compare(
            systems[baseline][row], systems[other][row], clusters, seed=SEED
        )
        for row, protocol in enumerate(PROTOCOLS)
        for other in others
    }
    lines = ["| mAP | first - second | difference | 95% interval | p (Holm) | wins/ties/losses |"]
    lines.append("|---" * 6 + "|")
    for name, found in corrected(family).items():
        low, high = found.ci95
        wins = f"{found.wins}/{found.ties}/{found.losses}"
        interval = f"[{low:+.4f}, {high:+.4f}]"
        figures = f"{found.difference:+.4f} | {interval} | {found.p_holm:.4f} | {wins}"
        lines.append(f"| {name} | {figures} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
