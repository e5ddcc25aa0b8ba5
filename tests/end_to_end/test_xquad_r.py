"""XQuAD-R from its files to the answer of POST /evaluate, with the bundled encoder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from app.cli import app
from app.server import running
from app.settings import Settings
from retrieval.encoder import Encoder
from retrieval.evaluation import Report
from retrieval.formats.lareqa import read_lareqa

pytestmark = pytest.mark.slow

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


def synglot(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(test_data: Path) -> Path:
    return test_data / "lareqa" / "xquad-r"


@pytest.fixture(scope="module")
def figures(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `synglot benchmark xquad-r` reports."""
    path = tmp_path_factory.mktemp("figures") / "f.json"
    synglot("benchmark", "xquad-r", "--data", folder, "--json", path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def root(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the pooled candidates."""
    root = tmp_path_factory.mktemp("store")
    synglot("index", "build", "xquad-r", "--input", folder, "--root", root)
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[httpx.Client]:
    with running(Settings(root=root, port=0)) as url, httpx.Client(base_url=url, timeout=300) as c:
        yield c


@pytest.fixture(scope="module")
def report(client: httpx.Client, folder: Path) -> Report:
    """The answer to all 13,090 questions, uploaded as they come."""
    with ExitStack() as stack:
        files = [
            ("queries", (path.name, stack.enter_context(path.open("rb"))))
            for path in sorted(folder.glob("*.json.gz"))
        ]
        data = {"corpus": "xquad-r", "measures": "MRR@10 mAP Recall@10"}
        response = client.post("/evaluate", data=data, files=files)
    found: Report = response.raise_for_status().json()
    return found


def mean(values: list[float]) -> float:
    return float(np.mean(values))


def test_the_pool_has_the_published_counts(client: httpx.Client, figures: dict[str, Any]) -> None:
    corpus = client.get("/corpora/xquad-r").json()
    assert corpus["passages"] == 13_014
    assert figures["published_counts"] is True
    counts = figures["counts"]
    assert corpus["languages"] == {lang: counts[lang]["candidates"] for lang in LANGUAGES}
    assert {counts[lang]["questions"] for lang in LANGUAGES} == {1190}


def test_the_service_measures_what_the_benchmark_measures(
    report: dict[str, Any], figures: dict[str, Any]
) -> None:
    assert report["queries"] == {"judged": 13_090, "without_positives": 0, "missing": 0}
    pairs = report["by_language_pair"]
    assert set(pairs) == {f"{q}->{p}" for q in LANGUAGES for p in LANGUAGES}
    for name in ("mAP", "MRR@10"):
        same = [pairs[f"{lang}->{lang}"][name] for lang in LANGUAGES]
        other = [entry[name] for pair, entry in pairs.items() if pair[:2] != pair[-2:]]
        assert mean(same) == pytest.approx(figures["monolingual"][name], abs=1e-12)
        assert mean(other) == pytest.approx(figures["cross_lingual"][name], abs=1e-12)
        # 1,190 questions in each language: the mean over questions is the macro mean.
        assert report["measures"][name]["mean"] == pytest.approx(
            figures["multilingual"][name], abs=1e-12
        )
    assert report["measures"]["Recall@10"]["mean"] == pytest.approx(
        figures["multilingual"]["R@10"], abs=1e-12
    )
    assert report["language_bias"]["rank_distance"] == pytest.approx(
        figures["multilingual"]["rank_distance"], abs=1e-9
    )


def test_the_command_line_measures_what_the_service_measures(
    report: dict[str, Any], folder: Path, root: Path
) -> None:
    printed = synglot(
        *("evaluate", "xquad-r", "--queries", folder, "--root", root),
        *("--measures", "MRR@10 mAP Recall@10", "--json", "-"),
    )
    found = json.loads(printed)
    assert {name: found[name] for name in report} == report
    assert len(found["per_query"]["query"]) == 13_090


@pytest.fixture(scope="module")
def slow(folder: Path) -> dict[str, float]:
    """The protocol by sorting: every ranking whole, one question at a time."""
    data, encoder = read_lareqa(folder), Encoder.load()
    ids = np.array([passage.id for passage in data.passages])
    lang_P = np.array([passage.lang for passage in data.passages])
    passages_PD = encoder.encode_passages([p.to_encode for p in data.passages]).astype(np.float64)
    query_set = data.query_set()
    queries_QD = encoder.encode_queries([query.text for query in query_set.queries])
    by_id = np.argsort(np.argsort(ids))
    values: dict[str, list[float]] = defaultdict(list)
    for query, vector in zip(query_set.queries, queries_QD.astype(np.float64), strict=True):
        scores_P = (passages_PD @ vector).astype(np.float32)
        order = np.lexsort((by_id, scores_P))[::-1]
        relevant_P = np.isin(ids[order], list(query_set.qrels[query.id]))
        add_values(values, "pool", relevant_P)
        places = np.flatnonzero(relevant_P)
        values["distance"].append(float(places[-1] - places[0]))
        for lang in LANGUAGES:
            view = "own" if lang == query.lang else "other"
            add_values(values, view, relevant_P[lang_P[order] == lang])
    return {name: mean(found) for name, found in values.items()}


def add_values(values: dict[str, list[float]], view: str, relevant_P: NDArray[np.bool_]) -> None:
    """AP, R@1, R@10 and RR@10 of one ranking."""
    ranks = np.flatnonzero(relevant_P) + 1
    values[f"{view} mAP"].append(mean([(n + 1) / rank for n, rank in enumerate(ranks)]))
    values[f"{view} R@1"].append(float(np.sum(ranks <= 1) / len(ranks)))
    values[f"{view} R@10"].append(float(np.sum(ranks <= 10) / len(ranks)))
    values[f"{view} MRR@10"].append(float(1 / ranks[0]) if ranks[0] <= 10 else 0.0)


def test_every_figure_is_that_of_an_independent_slow_version(
    figures: dict[str, Any], slow: dict[str, float]
) -> None:
    for section, view, names in (
        ("monolingual", "own", ("mAP", "R@1", "MRR@10")),
        ("cross_lingual", "other", ("mAP", "R@1", "MRR@10")),
        ("multilingual", "pool", ("mAP", "R@10", "MRR@10")),
    ):
        for name in names:
            assert figures[section][name] == pytest.approx(slow[f"{view} {name}"], abs=1e-6)
    # Ties: a mid-rank is at most half the number of copies of a sentence away.
    assert figures["multilingual"]["rank_distance"] == pytest.approx(slow["distance"], abs=0.5)


def test_the_bundled_encoder_is_as_good_as_the_readme_says(figures: dict[str, Any]) -> None:
    assert figures["monolingual"]["mAP"] >= 0.55
    assert figures["cross_lingual"]["mAP"] >= 0.22
    assert figures["multilingual"]["mAP"] >= 0.16
    assert figures["multilingual"]["rank_distance"] <= 4500
