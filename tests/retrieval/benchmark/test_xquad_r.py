from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.benchmark import VectorRanker, benchmark_xquad_r
from retrieval.evaluation import rank_query_set, rankings
from retrieval.formats.lareqa import read_lareqa
from retrieval.metrics.measure import Measure
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode
from retrieval.types import QuerySet
from tests.retrieval.metrics.oracle import mid_rank, total_order, trec_eval

DIM = 64
SENTENCES = {
    "de": ["Der Bus fährt.", "Das Bad ist offen.", "Papier kommt dienstags."],
    "en": ["The bus runs.", "The pool is open.", "Paper is on Tuesday.", "The bus runs."],
    "th": ["รถเมล์วิ่ง", "สระเปิด", "กระดาษวันอังคาร"],
}
QUESTIONS = {"bus": 0, "pool": 1, "paper": 2}


class TrigramEncoder:
    """Sums of fixed random vectors of the trigrams of a text."""

    path = "trigrams"
    fingerprint = "0123"

    def __init__(self) -> None:
        self._table = np.random.default_rng(0).standard_normal((4096, DIM)).astype(np.float32)

    def encode_queries(
        self,
        texts: Sequence[str],
        *,
        progress: bool = False,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        vectors = np.stack([self._sum(f"  {text.casefold()} ") for text in texts])
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    encode_passages = encode_queries

    @property
    def tokenize(self) -> Callable[[Sequence[str]], list[list[int]]]:
        return lambda texts: [_trigrams(f"  {text.casefold()} ") for text in texts]

    def _sum(self, text: str) -> NDArray[np.float32]:
        total: NDArray[np.float32] = self._table[_trigrams(text)].sum(axis=0)
        return total


def _trigrams(text: str) -> list[int]:
    return [zlib.crc32(text[i : i + 3].encode()) % 4096 for i in range(len(text) - 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three languages; the Thai file has no question about paper."""
    for lang, sentences in SENTENCES.items():
        starts = np.cumsum([0, *(len(sentence) + 1 for sentence in sentences)]).tolist()
        qas = [
            {
                "id": name,
                "question": f"{name}? {sentences[place]}",
                "answers": [{"answer_start": starts[place]}],
            }
            for name, place in QUESTIONS.items()
            if (lang, name) != ("th", "paper")
        ]
        paragraph = {
            "context": " ".join(sentences),
            "sentences": sentences,
            "sentence_breaks": [
                [start, start + len(s)] for start, s in zip(starts, sentences, strict=False)
            ],
            "qas": qas,
        }
        document = {"data": [{"paragraphs": [paragraph]}]}
        (tmp_path / f"{lang}.json").write_text(json.dumps(document), "utf-8")
    return tmp_path


def scores_of(folder: Path) -> dict[str, dict[str, float]]:
    """Query id -> passage id -> score, one inner product at a time."""
    encoder, data = TrigramEncoder(), read_lareqa(folder)
    vectors = {p.id: encoder.encode_passages([p.text])[0] for p in data.passages}
    return {
        query.id: {
            name: float(np.float32(np.dot(vector.astype(np.float64), own.astype(np.float64))))
            for name, vector in vectors.items()
        }
        for query in data.query_set().queries
        for own in encoder.encode_queries([query.text])
    }


def expected_values(folder: Path, source: str, target: str) -> list[dict[str, float]]:
    """trec_eval's values of the questions of one language over the passages of another."""
    qrels, run = {}, {}
    for query, judged in read_lareqa(folder).query_set().qrels.items():
        relevant = {name: rel for name, rel in judged.items() if name.startswith(target)}
        if query.startswith(source) and relevant:
            qrels[query] = relevant
            scores = scores_of(folder)[query]
            run[query] = {name: s for name, s in scores.items() if name.startswith(target)}
    return list(trec_eval(qrels, run, ["map", "recall_1", "recall_10", "recip_rank"]).values())


def mean(values: list[dict[str, float]], name: str) -> float:
    return fmean(value[name] for value in values)


def test_monolingual_and_cross_lingual_figures_are_those_of_trec_eval(folder: Path) -> None:
    figures = benchmark_xquad_r(folder, TrigramEncoder()).figures
    assert isinstance(figures["monolingual"], dict)
    assert isinstance(figures["cross_lingual"], dict)
    same, pairs = figures["monolingual"], figures["cross_lingual"]
    assert len(pairs["by_pair"]) == 6
    assert pairs["by_pair"]["de->th"]["n"] == 2
    assert pairs["by_pair"]["th->de"]["n"] == 2
    names = {"mAP": "map", "R@1": "recall_1", "MRR@10": "recip_rank"}
    for name, trec_name in names.items():
        own = {lang: mean(expected_values(folder, lang, lang), trec_name) for lang in SENTENCES}
        assert {k: v[name] for k, v in same["by_language"].items()} == pytest.approx(own)
        assert same[name] == pytest.approx(fmean(own.values()))
        other = {
            f"{source}->{target}": mean(expected_values(folder, source, target), trec_name)
            for source in SENTENCES
            for target in SENTENCES
            if source != target
        }
        assert {k: v[name] for k, v in pairs["by_pair"].items()} == pytest.approx(other)
        assert pairs[name] == pytest.approx(fmean(other.values()))


def test_multilingual_figures_are_those_of_trec_eval_over_the_pool(folder: Path) -> None:
    pooled = benchmark_xquad_r(folder, TrigramEncoder()).figures["multilingual"]
    assert isinstance(pooled, dict)
    for name, trec_name in {"mAP": "map", "R@10": "recall_10", "MRR@10": "recip_rank"}.items():
        own = {lang: mean(expected_values(folder, lang, ""), trec_name) for lang in SENTENCES}
        assert {k: v[name] for k, v in pooled["by_language"].items()} == pytest.approx(own)
        assert pooled[name] == pytest.approx(fmean(own.values()))


def test_rank_distance_is_the_macro_mean_of_the_spread_of_mid_ranks(folder: Path) -> None:
    pooled = benchmark_xquad_r(folder, TrigramEncoder()).figures["multilingual"]
    assert isinstance(pooled, dict)
    spreads: dict[str, list[float]] = {lang: [] for lang in SENTENCES}
    all_scores = scores_of(folder)
    for query, judged in read_lareqa(folder).query_set().qrels.items():
        ranks = [mid_rank(all_scores[query], name) for name in judged]
        spreads[query[:2]].append(max(ranks) - min(ranks))
    expected = {lang: fmean(values) for lang, values in spreads.items()}
    found = {lang: entry["rank_distance"] for lang, entry in pooled["by_language"].items()}
    assert found == pytest.approx(expected)
    assert pooled["rank_distance"] == pytest.approx(fmean(expected.values()))


def test_the_report_has_the_fields_that_scripts_rely_on(folder: Path) -> None:
    figures = benchmark_xquad_r(folder, TrigramEncoder()).figures
    assert list(figures) == [
        "protocol",
        "mode",
        "balance",
        "encoder",
        "counts",
        "published_counts",
        "monolingual",
        "cross_lingual",
        "multilingual",
        "seconds",
    ]
    assert figures["published_counts"] is False
    assert figures["encoder"] == {"path": "trigrams", "fingerprint": "0123"}
    assert figures["counts"]["th"] == {"questions": 2, "candidates": 3}
    assert set(figures["seconds"]) == {"encode", "search", "measure"}
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("balance", Balance)
def test_every_mode_and_balance_is_measured_in_the_order_it_serves(
    folder: Path, mode: Mode, balance: Balance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("lexical")
    done = benchmark_xquad_r(folder, TrigramEncoder(), mode=mode, balance=balance, scratch=scratch)
    assert (done.figures["mode"], done.figures["balance"]) == (mode.value, balance.value)
    assert done.figures["monolingual"]["mAP"] > 0.5
    dense = benchmark_xquad_r(folder, TrigramEncoder()).figures
    if mode is Mode.HYBRID:  # lexical evidence stays in its language
        assert done.figures["cross_lingual"] == dense["cross_lingual"]
    (first, ranking), *_ = rankings(done.query_set.queries, done.ranker)
    assert first == done.query_set.queries[0].id
    if balance is Balance.ROUND_ROBIN and mode is Mode.DENSE:
        languages = {passage.id: passage.lang for passage in done.passages}
        assert {languages[scored.id] for scored in ranking[:3]} == set(SENTENCES)


def test_one_language_alone_has_no_pairs(folder: Path) -> None:
    for lang in ("de", "th"):
        (folder / f"{lang}.json").unlink()
    figures = benchmark_xquad_r(folder, TrigramEncoder()).figures
    assert figures["cross_lingual"] == {"mAP": None, "R@1": None, "MRR@10": None, "by_pair": {}}


def test_a_sample_of_the_published_questions_agrees_with_trec_eval(test_data: Path) -> None:
    data, encoder = read_lareqa(test_data / "lareqa" / "xquad-r"), TrigramEncoder()
    full = data.query_set()
    queries = full.queries[::440]
    sample = QuerySet(queries=queries, qrels={query.id: full.qrels[query.id] for query in queries})
    ids = [passage.id for passage in data.passages]
    passages_PD = encoder.encode_passages([passage.text for passage in data.passages])
    queries_QD = encoder.encode_queries([query.text for query in queries])
    ranker = VectorRanker(
        passage_ids=ids,
        passage_languages=[passage.lang for passage in data.passages],
        passages_PD=passages_PD,
        query_ids=[query.id for query in queries],
        queries_QD=queries_QD,
    )
    ranked = rank_query_set(sample, ranker)
    run = {}
    for query, vector in zip(queries, queries_QD, strict=True):
        products = passages_PD.astype(np.float64) @ vector.astype(np.float64)
        run[query.id] = dict(zip(ids, products.astype(np.float32).tolist(), strict=True))
    names = {"mAP": "map", "nDCG@10": "ndcg_cut_10", "Recall@100": "recall_100"}
    expected = trec_eval(sample.qrels, run, names.values())
    for name, trec_name in names.items():
        values = [expected[query.id][trec_name] for query in queries]
        np.testing.assert_allclose(ranked.values(Measure.parse(name)), values, atol=1e-6)
    order = total_order(run[queries[0].id])
    first = [order.index(name) + 1 for name in full.qrels[queries[0].id]]
    assert sorted(first) == ranked.pool.rank_N[ranked.pool.query_N == 0].tolist()
