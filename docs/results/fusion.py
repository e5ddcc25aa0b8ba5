"""The XQuAD-R protocol for every mode and balance, as rows of a Markdown table.

    python docs/results/fusion.py DATA [--encoder DIR] [--mode M]... [--balance B]... [--undeclared]

DATA: a folder of LAReQA's layout. With --undeclared the query's language is told from its text.
Own share: share of the question's own language among the first ten passages, .0909 is fair.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from retrieval.benchmark.xquad_r import protocol_figures
from retrieval.encoder import COMPACT, Encoder
from retrieval.evaluation import rank_query_set
from retrieval.formats.lareqa import read_lareqa
from retrieval.search.balance import Balance
from retrieval.search.pool import EncodedQueries, Mode, Pool
from retrieval.search.scoring import PoolRanker, PoolScorer
from retrieval.types import UNDECLARED, QuerySet

HEADS = ("mode", "balance", "Mo. mAP", "Cr. mAP", "Mul. mAP", "Mul. R@10", "rank distance", "own")


def measured(
    query_set: QuerySet, pool: Pool, encoded: EncodedQueries, mode: Mode, balance: Balance
) -> str:
    """One row of the table."""
    scorer = PoolScorer(pool, mode=mode, balance=balance)
    ids = [query.id for query in query_set.queries]
    ranked = rank_query_set(
        query_set, PoolRanker(scorer, pool, query_ids=ids, queries=encoded), progress=True
    )
    figures: Any = protocol_figures(ranked)
    mul = figures["multilingual"]
    own, _ = ranked.own_language(ranked.ranks.share_QL, ranked.relevant_share_QL)
    cells = [figures["monolingual"]["mAP"], figures["cross_lingual"]["mAP"]]
    cells += [mul["mAP"], mul["R@10"]]
    shown = [f"{value:.4f}" for value in cells] + [f"{mul['rank_distance']:.0f}", f"{own:.3f}"]
    return "| " + " | ".join([mode, balance, *shown]) + " |\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", default=COMPACT)
    parser.add_argument("--mode", type=Mode, action="append")
    parser.add_argument("--balance", type=Balance, action="append")
    parser.add_argument("--undeclared", action="store_true")
    arguments = parser.parse_args()
    encoder, lareqa = Encoder.load(arguments.encoder), read_lareqa(arguments.data)
    query_set = lareqa.query_set()
    texts = [passage.to_encode for passage in lareqa.passages]
    questions = [query.text for query in query_set.queries]
    encoded = EncodedQueries(
        vectors_QD=encoder.encode_queries(questions),
        tokens_Q=encoder.tokenize(questions),
        languages_Q=[query.lang for query in query_set.queries],
    )
    if arguments.undeclared:
        encoded = replace(encoded, languages_Q=[UNDECLARED] * len(questions))
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool.built(
            Path(folder),
            passage_ids=[passage.id for passage in lareqa.passages],
            passage_languages=[passage.lang for passage in lareqa.passages],
            vectors_PD=encoder.encode_passages(texts),
            tokens=encoder.tokenize(texts),
        )
        sys.stdout.write("| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|\n")
        for mode in arguments.mode or Mode:
            for balance in arguments.balance or Balance:
                sys.stdout.write(measured(query_set, pool, encoded, mode, balance))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
