"""A corpus with two versions by two encoders, and a query set on it, as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.store import Store
from retrieval.types import Passage
from tests.retrieval.benchmark.shift import LANGUAGES, text
from tests.tiny import save_tiny_encoder

ITEMS = 40
ASKED = 15


@pytest.fixture(scope="session")
def other_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder with other vectors."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "other", seed=1)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, other_encoder: Path) -> Path:
    """The root of a store with the corpus `city`: v000001 is active, v000002 by another encoder."""
    store = Store(tmp_path_factory.mktemp("city"))
    passages = [
        Passage(id=f"{lang}-{n}", text=text(lang, n, 6), lang=lang)
        for n in range(ITEMS)
        for lang in LANGUAGES
    ]
    for place, encoder in enumerate((tiny_encoder, other_encoder)):
        build_corpus(
            "city", passages, store=store, encoder=Encoder.load(encoder), activate=not place
        )
    return store.root


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Path, Path]:
    """queries.jsonl and qrels.tsv: 15 items in three languages, each with three answers.

    A judged query has no relevant passage, and the last one no judgement.
    """
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    rows = ["query-id\tcorpus-id\tscore"]
    lines = []
    for n in range(ASKED):
        for lang in LANGUAGES:
            query = {"_id": f"{lang}:q{n}", "text": text(lang, n, 3), "lang": lang}
            lines.append(query | {"group": f"q{n}"})
            rows += [f"{lang}:q{n}\t{other}-{n}\t{1 + (n % 2)}" for other in LANGUAGES]
            rows.append(f"{lang}:q{n}\t{lang}-{n + 1}\t0")
    lines += [{"_id": f"en:{name}", "text": name, "lang": "en"} for name in ("nothing", "new")]
    rows.append("en:nothing\ten-0\t0")
    dumped = [json.dumps(line, ensure_ascii=False) for line in lines]
    queries.write_text("\n".join(dumped) + "\n", "utf-8")
    qrels.write_text("\n".join(rows) + "\n", "utf-8")
    return queries, qrels
