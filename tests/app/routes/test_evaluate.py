"""/evaluate against the same evaluation done offline, and its refusals."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.server import running
from app.settings import Settings
from indexer.build import build_corpus
from retrieval.demo_data import demo_queries
from retrieval.encoder import Encoder
from retrieval.evaluation import evaluate
from retrieval.search import Searcher
from retrieval.store import Store
from retrieval.vectors import IndexOptions


def post(
    client: httpx.Client, queries: bytes, qrels: bytes | None, *, name: str = "q.jsonl", **data: str
) -> httpx.Response:
    files = [("queries", (name, queries))]
    if qrels is not None:
        files.append(("qrels", ("qrels.tsv", qrels)))
    return client.post("/evaluate", data={"corpus": "demo", **data}, files=files)


@pytest.fixture(scope="module")
def queries(demo_files: Path) -> bytes:
    return (demo_files / "queries.jsonl").read_bytes()


@pytest.fixture(scope="module")
def qrels(demo_files: Path) -> bytes:
    return (demo_files / "qrels.tsv").read_bytes()


@pytest.fixture(scope="module")
def offline(demo_store: Store, bundled: Encoder) -> dict[str, Any]:
    searcher = Searcher(demo_store.open("demo"), bundled)
    report = evaluate(
        demo_queries(),
        searcher,
        corpus="demo",
        version="v000001",
        encoder=bundled.fingerprint,
    ).report
    report |= {"search": {"mode": "dense", "balance": "none"}, "index_loss": None}
    found: dict[str, Any] = json.loads(json.dumps(report))
    return found


def test_the_report_is_that_of_the_offline_evaluation(
    client: httpx.Client, queries: bytes, qrels: bytes, offline: dict[str, Any]
) -> None:
    report = post(client, queries, qrels).raise_for_status().json()
    assert report == offline
    assert report["queries"] == {
        "judged": len(demo_queries().queries),
        "without_positives": 0,
        "missing": 0,
    }
    assert len(report["by_language_pair"]) == 121


def test_gzip_and_one_json_give_the_same_measures(
    client: httpx.Client, queries: bytes, qrels: bytes, offline: dict[str, Any]
) -> None:
    packed = post(client, gzip.compress(queries), qrels, name="q.jsonl.gz").json()
    assert packed["measures"] == offline["measures"]
    query_set = demo_queries()
    one = {
        "queries": [
            {"id": q.id, "text": q.text, "lang": q.lang, "group": q.group}
            for q in query_set.queries
        ],
        "qrels": query_set.qrels,
    }
    report = post(client, json.dumps(one).encode(), None, name="set.json").json()
    assert report["measures"] == offline["measures"]
    assert report["by_language_pair"] == offline["by_language_pair"]


def test_measures_are_chosen_by_name(client: httpx.Client, queries: bytes, qrels: bytes) -> None:
    report = post(client, queries, qrels, measures="MRR@3 R@1").json()
    assert list(report["measures"]) == ["MRR@3", "Recall@1"]


@pytest.mark.parametrize("search", ['{"mode": "hybrid"}', '{"balance": "round_robin"}'])
def test_an_evaluation_ranks_as_the_search_that_it_names(
    client: httpx.Client, queries: bytes, qrels: bytes, offline: dict[str, Any], search: str
) -> None:
    report = post(client, queries, qrels, search=search).raise_for_status().json()
    assert report["search"] == {"mode": "dense", "balance": "none"} | json.loads(search)
    assert report["measures"] != offline["measures"]
    assert report["queries"] == offline["queries"]


def test_what_an_approximate_index_loses_stands_in_the_report(
    demo_store: Store, bundled: Encoder, queries: bytes, qrels: bytes, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    passages = list(demo_store.open("demo").passages)
    others = [
        replace(first, id=f"{first.id}+{second.id}", text=f"{first.text} {second.text}")
        for first in passages
        for second in passages[::16]
    ]
    options = IndexOptions(kind="IVF32,Flat", target_recall=0.5)
    build_corpus("ivf", [*passages, *others], store=store, encoder=bundled, index=options)
    service = running(Settings(root=tmp_path, port=0))
    with service as url, httpx.Client(base_url=url, timeout=300) as client:
        report = post(client, queries, qrels, corpus="ivf").raise_for_status().json()
    loss = report["index_loss"]
    assert loss["factory"] == "IVF32,Flat"
    assert 0.3 < loss["recall@10"]["mean"] <= 1
    assert list(loss["measures"]) == ["MRR@10", "AP@1000", "nDCG@10", "Recall@100"]
    exact = report["measures"]["nDCG@10"]["mean"]
    assert loss["measures"]["nDCG@10"]["exact"] == pytest.approx(exact)
    assert loss["measures"]["nDCG@10"]["index"] <= exact + 0.05


def test_a_search_restricted_to_languages_ranks_only_their_passages(
    client: httpx.Client, queries: bytes, qrels: bytes, offline: dict[str, Any]
) -> None:
    report = post(client, queries, qrels, search='{"languages": ["de"]}').json()
    found, expected = (r["by_language_pair"]["th->de"] for r in (report, offline))
    assert found["n"] == expected["n"]
    assert found["mAP"] == pytest.approx(expected["mAP"])
    assert report["measures"]["mAP"]["mean"] < offline["measures"]["mAP"]["mean"]


@pytest.mark.parametrize(
    ("changes", "status", "name", "says"),
    [
        ({"corpus": "nope"}, 404, "unknown-corpus", "no corpus 'nope'"),
        ({"version": "v000009"}, 404, "unknown-version", "v000009"),
        ({"measures": "MRR@10 magic"}, 422, "unknown-measure", "magic"),
        ({"search": '{"top_k": 3}'}, 422, "bad-input", "top_k"),
        ({"search": "{"}, 422, "bad-input", "`search`"),
        ({"search": '{"languages": ["fr"]}'}, 422, "bad-input", "no passages in fr"),
        ({"format": "excel"}, 422, "bad-input", "unknown format 'excel'"),
    ],
)
def test_fields_that_cannot_be_used_are_refused(
    client: httpx.Client,
    queries: bytes,
    qrels: bytes,
    changes: dict[str, str],
    status: int,
    name: str,
    says: str,
) -> None:
    response = post(client, queries, qrels, **changes)
    assert response.status_code == status
    assert response.json()["type"] == f"urn:synglot:problem:{name}"
    assert says in response.json()["detail"]


QUERY = b'{"_id": "de:a", "text": "Frage"}\n'
QRELS = b"query-id\tcorpus-id\tscore\n"


@pytest.mark.parametrize(
    ("queries", "qrels", "file", "line", "says"),
    [
        (QUERY + b"{broken\n", QRELS, "q.jsonl", 2, "broken JSON"),
        (QUERY + b'{"_id": "b"}\n', QRELS, "q.jsonl", 2, "text"),
        (QUERY + b'{"_id": "b", "text": " "}\n', QRELS, "q.jsonl", 2, "empty"),
        (QUERY + QUERY, QRELS, "q.jsonl", 2, "twice"),
        (QUERY + b'{"_id": "b", "text": "x", "lang": "123"}\n', QRELS, "q.jsonl", 2, "123"),
        (QUERY + '{"_id": "b", "text": "é"}\n'.encode("latin-1"), QRELS, "q.jsonl", 2, "UTF-8"),
        (QUERY, QRELS + b"de:a\tnope\t1\n", "qrels.tsv", 2, "nope"),
        (QUERY, QRELS + b"de:zzz\tde:library-card\t1\n", "qrels.tsv", 2, "de:zzz"),
        (QUERY, QRELS + b"de:a\tde:library-card\thigh\n", "qrels.tsv", 2, "high"),
    ],
)
def test_broken_uploads_are_told_with_file_and_line(
    client: httpx.Client, queries: bytes, qrels: bytes, file: str, line: int, says: str
) -> None:
    response = post(client, queries, qrels)
    problem = response.json()
    assert response.status_code == 422
    assert [(e["file"], e["line"]) for e in problem["errors"]] == [(file, line)]
    assert says in problem["detail"]


def test_a_form_without_queries_is_refused(client: httpx.Client) -> None:
    response = client.post("/evaluate", data={"corpus": "demo"})
    assert response.status_code == 422
    assert "body.queries" in response.json()["detail"]


def test_an_upload_that_unpacks_to_too_much_is_refused(own: tuple[Store, httpx.Client]) -> None:
    bomb = gzip.compress(QUERY * 10_000)
    response = post(own[1], bomb, QRELS, name="q.jsonl.gz")
    assert response.status_code == 413
    assert "unpack" in response.json()["detail"]


def test_a_name_that_is_a_path_is_made_harmless(
    client: httpx.Client, queries: bytes, qrels: bytes, offline: dict[str, Any]
) -> None:
    report = post(client, queries, qrels, name="../../etc/q.jsonl").json()
    assert report["measures"] == offline["measures"]


def test_broken_compression_is_told_and_hides_no_bomb(own: tuple[Store, httpx.Client]) -> None:
    client = own[1]
    for name in ("q.jsonl.gz", "q.jsonl.zst"):
        response = post(client, b"hello", QRELS, name=name)
        assert response.status_code == 422, response.text
        assert "compression" in response.json()["detail"]
    files = [
        ("queries", ("q.jsonl", QUERY)),
        ("qrels", ("broken.tsv.gz", b"hello")),
        ("qrels", ("bomb.tsv.gz", gzip.compress(b"\n" * 200_000))),
    ]
    response = client.post("/evaluate", data={"corpus": "demo"}, files=files)
    assert response.status_code == 413


def test_a_misspelt_or_repeated_field_is_refused(
    client: httpx.Client, queries: bytes, qrels: bytes
) -> None:
    response = post(client, queries, qrels, measure="MRR@10")
    assert response.status_code == 422
    assert "unknown form fields: measure" in response.json()["detail"]
    twice = client.post(
        "/evaluate",
        data={"corpus": ["demo", "other"]},
        files=[("queries", ("q.jsonl", queries)), ("qrels", ("r.tsv", qrels))],
    )
    assert twice.status_code == 422
    assert "more than once: corpus" in twice.json()["detail"]
