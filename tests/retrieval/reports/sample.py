"""Reports of real evaluations of small parallel corpora, for the tests of pages and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from retrieval.evaluation import Evaluation, VectorRanker, evaluate, rankings
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.gate import GateRule
from retrieval.evaluation.index_loss import measure_index_loss
from retrieval.evaluation.worst import worst_queries
from retrieval.metrics.measure import Measure, parse_measures
from retrieval.types import Passage, Query, QuerySet, Run

MIRACL = "ar bn de en es fa fi fr hi id ja ko ru sw te th yo zh".split()  # noqa: SIM905
TEXTS = {
    "ar": "ما هي عاصمة فرنسا؟",
    "he": "מהי בירת צרפת?",
    "th": "เมืองหลวงของฝรั่งเศสคือเมืองอะไร",
    "zh": "法国的首都是哪里？",
    "en": 'What is the capital of <i>France</i> & "where"?',
}
MEASURES = parse_measures("mAP nDCG@10 MRR@10 Recall@10")
INJECTION = "<script>alert(1)</script>"


class Collection:
    """`items` questions, each with an answer, in every language; vectors with noise and a bias."""

    def __init__(self, languages: Sequence[str], items: int, *, tag: str = "") -> None:
        names = [(lang, item) for item in range(items) for lang in languages]
        self.passages = [
            Passage(id=f"{lang}-{item}{tag}", text=f"{_text(lang)} {item}{tag}", lang=lang)
            for lang, item in names
        ]
        self.queries = [
            Query(
                id=f"{lang}:{item}{tag}",
                text=f"{_text(lang)}{tag}",
                lang=lang,
                group=str(item),
                domain=("law", "news" + tag, "")[item % 3],
            )
            for lang, item in names
        ]
        self._names = names
        self._languages = list(languages)
        qrels = {
            query.id: {
                **{passage.id: 1 for passage in self._answers(item)},
                self.passages[(len(languages) * (item + 1)) % len(names)].id: int(items == 1),
            }
            for query, (_, item) in zip(self.queries, names, strict=True)
        }
        self.query_set = QuerySet(queries=tuple(self.queries), qrels=qrels)

    def ranker(self, seed: int, *, noise: float = 1.2) -> VectorRanker:
        """An encoder's: worse with more noise, and biased towards the query's language."""
        rng = np.random.default_rng(seed)
        return VectorRanker(
            passage_ids=[passage.id for passage in self.passages],
            passage_languages=[passage.lang for passage in self.passages],
            passages_PD=self._vectors(rng, noise),
            query_ids=[query.id for query in self.queries],
            queries_QD=self._vectors(rng, noise),
        )

    def _vectors(self, rng: np.random.Generator, noise: float) -> NDArray[np.float32]:
        of_items = np.random.default_rng(1).standard_normal((10_000, 16))
        of_languages = np.random.default_rng(2).standard_normal((len(self._languages), 16))
        rows = [
            of_items[item] + 0.6 * of_languages[self._languages.index(lang)]
            for lang, item in self._names
        ]
        vectors = np.array(rows) + noise * rng.standard_normal((len(rows), 16))
        units: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units.astype(np.float32)

    def _answers(self, item: int) -> list[Passage]:
        return [
            p for p, (_, other) in zip(self.passages, self._names, strict=True) if other == item
        ]


def sample_report(
    languages: Sequence[str] = ("ar", "en", "th", "zh"),
    *,
    items: int = 12,
    compare: bool = True,
    tag: str = "",
    measures: Sequence[Measure] = MEASURES,
) -> dict[str, Any]:
    """What `--json` writes, less the values of every query, with everything that can be in it.

    tag: goes into ids, texts, domains and names. compare: against a noisier encoder, with gates.
    """
    collection = Collection(languages, items, tag=tag)
    ranker = collection.ranker(3)
    evaluation = _evaluated(collection, ranker, "runs/this" + tag, measures)
    report: dict[str, Any] = {
        **evaluation.report,
        "worst": {
            "measure": str(measures[0]),
            "queries": worst_queries(
                evaluation.ranked,
                evaluation.per_query,
                ranker,
                collection.query_set.qrels,
                measure=str(measures[0]),
                passage_at=collection.passages.__getitem__,
                count=5,
            ),
        },
        "index_loss": _index_loss(collection, ranker),
        "provenance": {
            "created": "2026-01-02T03:04:05Z",
            "command": f"synglot evaluate c --queries 'q{tag}.jsonl' --report r.html",
            "index": {"kind": "ivf", "probes": 8},
            "files": [{"file": f"q{tag}.jsonl", "sha256": "ab" * 32, "bytes": 4321}],
        },
    }
    if compare:
        other = _evaluated(
            collection, collection.ranker(4, noise=1.8), "runs/other" + tag, measures
        )
        report |= _compared(evaluation, other, tag)
    plain: dict[str, Any] = orjson.loads(orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY))
    return plain


def _evaluated(
    collection: Collection, ranker: VectorRanker, encoder: str, measures: Sequence[Measure]
) -> Evaluation:
    return evaluate(
        collection.query_set,
        ranker,
        corpus="c",
        version="v1",
        encoder={"path": encoder, "fingerprint": "0123456789abcdef"},
        measures=measures,
    )


def _compared(this: Evaluation, other: Evaluation, tag: str) -> dict[str, Any]:
    comparison = compare_per_query(this.per_query, other.per_query)
    rules = ("mAP drop<=0.01 per language", "mAP drop<=0.5 overall")
    # The other way round the noisier one is measured: some of its languages drop.
    worse = compare_per_query(other.per_query, this.per_query)
    return {
        "comparison": {
            "baseline": {
                **{key: other.report[key] for key in ("corpus", "encoder", "data", "measures")},
                "protocols": other.report["protocols"],
                "file": f"other{tag}.json",
            },
            **comparison.to_json(),
        },
        "gates": [
            GateRule.parse(rules[0]).check(worse).to_json(),
            GateRule.parse(rules[1]).check(comparison).to_json(),
        ],
    }


def _index_loss(collection: Collection, ranker: VectorRanker) -> dict[str, object]:
    exact: Run = dict(rankings(collection.queries, ranker, depth=20))
    half: Run = {query: ranking[::2] for query, ranking in exact.items()}
    measures = parse_measures("mAP MRR@10")
    return measure_index_loss(
        collection.query_set, ranker, exact=exact, index=half, depth=20, measures=measures
    ).to_json()


def _text(lang: str) -> str:
    return TEXTS.get(lang, f"A question in {lang}?")
