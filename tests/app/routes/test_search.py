"""/search against the searcher it stands on, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.server import running
from app.settings import Settings
from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.search import Searcher, SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode
from retrieval.store import Store
from retrieval.types import Passage

QUESTIONS = [
    "How do I register my dog?",
    "Wo kann ich alte Möbel loswerden?",
    "รถเมล์กลางคืน",
]


def hits_of(answer: dict[str, Any], number: int = 0) -> list[tuple[str, float]]:
    return [(hit["id"], hit["score"]) for hit in answer["results"][number]["hits"]]


@pytest.fixture(scope="module")
def searcher(demo_store: Store, bundled: Encoder) -> Searcher:
    return Searcher(demo_store.open("demo"), bundled)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"top_k": 3},
        {"top_k": 5, "offset": 4},
        {"languages": ["de"]},
        {"languages": ["th", "zh"], "top_k": 50},
        {"exact": True},
        {"min_score": 0.1, "top_k": 100},
        {"mode": "lexical", "query_language": "de"},
        {"mode": "hybrid", "top_k": 30},
        {"mode": "hybrid", "balance": "round_robin", "offset": 5},
        {"balance": "quota", "quota": {"de": 2.0, "th": 1.0}},
        {"balance": "calibrated", "languages": ["de", "th"]},
    ],
)
def test_hits_are_the_searchers(
    client: httpx.Client, searcher: Searcher, options: dict[str, Any]
) -> None:
    body = {"corpus": "demo", "queries": QUESTIONS, **options}
    answer = client.post("/search", json=body).raise_for_status().json()
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    for name, kind in (("mode", Mode), ("balance", Balance)):
        given[name] = kind(given.get(name, next(iter(kind))))
    expected = searcher.search(QUESTIONS, SearchOptions(**given))
    assert [result["query"] for result in answer["results"]] == QUESTIONS
    for number, hits in enumerate(expected):
        assert hits_of(answer, number) == [(hit.passage.id, hit.score) for hit in hits]


def test_an_answer_names_its_corpus_version_encoder_and_times(
    client: httpx.Client, bundled: Encoder
) -> None:
    answer = client.post("/search", json={"corpus": "demo", "query": QUESTIONS[0]}).json()
    assert (answer["corpus"], answer["version"]) == ("demo", "v000001")
    assert answer["encoder"] == bundled.fingerprint
    assert set(answer["took_ms"]) == {"queue", "encode", "search"}
    hit = answer["results"][0]["hits"][0]
    assert hit["text"]
    assert hit["title"]
    assert hit["lang"] == hit["id"].split(":")[0]
    assert hit["metadata"]["topic"]


def test_texts_can_be_left_out(client: httpx.Client) -> None:
    body = {"corpus": "demo", "query": QUESTIONS[0], "with_text": False}
    hit = client.post("/search", json=body).json()["results"][0]["hits"][0]
    assert hit["text"] is None
    assert hit["title"] is None


def test_get_finds_what_post_finds(client: httpx.Client) -> None:
    posted = client.post(
        "/search", json={"corpus": "demo", "query": QUESTIONS[1], "languages": ["de", "en"]}
    )
    params = {"corpus": "demo", "q": QUESTIONS[1], "languages": ["de", "en"]}
    got = client.get("/search", params=params)
    assert got.json()["results"] == posted.json()["results"]


def test_concurrent_searches_find_what_single_ones_find(client: httpx.Client) -> None:
    bodies = [{"corpus": "demo", "query": f"{q} {n}"} for n in range(10) for q in QUESTIONS]

    def ask(body: dict[str, Any]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = client.post("/search", json=body).json()["results"]
        return results

    single = [ask(body) for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, bodies)) == single


@pytest.mark.parametrize(
    ("body", "status", "name", "says"),
    [
        ({"corpus": "nope", "query": "x"}, 404, "unknown-corpus", "no corpus 'nope'"),
        ({"corpus": "../etc", "query": "x"}, 422, "bad-input", "../etc"),
        ({"corpus": "demo", "query": "x", "version": "v9"}, 404, "unknown-version", "v000001"),
        ({"corpus": "demo", "query": ""}, 422, "invalid-request", "at least 1 character"),
        ({"corpus": "demo", "query": " \n"}, 422, "bad-input", "query 0 is empty"),
        ({"corpus": "demo", "queries": []}, 422, "invalid-request", "at least 1 item"),
        ({"corpus": "demo"}, 422, "invalid-request", "either `query` or `queries`"),
        ({"query": "x"}, 422, "invalid-request", "body.corpus: Field required"),
        ({"corpus": "demo", "query": 7}, 422, "invalid-request", "body.query"),
        ({"corpus": "demo", "query": "x", "top_k": 0}, 422, "invalid-request", "body.top_k"),
        ({"corpus": "demo", "query": "x", "topk": 5}, 422, "invalid-request", "body.topk"),
        ({"corpus": "demo", "query": "x", "languages": ["qq1"]}, 422, "unknown-language", "qq1"),
        ({"corpus": "demo", "query": "x", "languages": ["fr"]}, 422, "bad-input", "in fr"),
        (
            {"corpus": "demo", "query": "x", "query_language": "Klingon"},
            422,
            "unknown-language",
            "Klingon",
        ),
        ({"corpus": "demo", "query": "x", "top_k": 2000}, 413, "content-too-large", "1000"),
        ({"corpus": "demo", "queries": ["x"] * 9}, 413, "content-too-large", "at most 8"),
        ({"corpus": "demo", "query": "x" * 501}, 413, "content-too-large", "501 characters"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_reason(
    client: httpx.Client, body: dict[str, Any], status: int, name: str, says: str
) -> None:
    response = client.post("/search", json=body)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["type"]) == (status, f"urn:synglot:problem:{name}")
    assert problem["status"] == status
    assert says in problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]


def test_broken_json_is_a_400(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/search", content=b'{"corpus": ', headers=headers)
    assert (response.status_code, response.json()["type"]) == (
        400,
        "urn:synglot:problem:broken-json",
    )


def test_a_callers_request_id_is_kept_if_it_is_harmless(client: httpx.Client) -> None:
    kept = client.get("/livez", headers={"x-request-id": "abc-1.2_3"})
    assert kept.headers["x-request-id"] == "abc-1.2_3"
    replaced = client.get("/livez", headers={"x-request-id": "a b\tc"})
    assert replaced.headers["x-request-id"] != "a b\tc"


def test_the_options_of_a_url_are_those_of_a_body(client: httpx.Client) -> None:
    body = {
        "corpus": "demo",
        "query": QUESTIONS[0],
        "languages": ["de", "th"],
        "min_score": 0.1,
        "exact": True,
        "with_text": False,
    }
    params = {
        "corpus": "demo",
        "q": QUESTIONS[0],
        "languages": "de,th",
        "min_score": "0.1",
        "exact": "true",
        "with_text": "false",
    }
    posted, got = client.post("/search", json=body), client.get("/search", params=params)
    assert got.json()["results"] == posted.json()["results"]
    assert client.get("/search", params=params | {"mode": "fuzzy"}).status_code == 422
    more: dict[str, str | int] = {
        "mode": "hybrid",
        "balance": "round_robin",
        "query_language": "en",
        "min_score": -1,
    }
    posted = client.post("/search", json=body | more)
    assert (
        client.get("/search", params={**params, **more}).json()["results"]
        == posted.json()["results"]
    )


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory, bundled: Encoder) -> Iterator[httpx.Client]:
    """A service over a corpus of chunks with metadata."""
    store = Store(tmp_path_factory.mktemp("handbook"))
    passages = [
        Passage(
            id=f"d{n % 5}#{n}",
            text=f"Bus number {n}",
            lang="en",
            document=f"d{n % 5}",
            start=n,
            metadata={"year": 2000 + n},
        )
        for n in range(20)
    ]
    build_corpus("handbook", passages, store=store, encoder=bundled)
    settings = Settings(root=store.root, port=0)
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_hits_are_grouped_by_document(handbook: httpx.Client) -> None:
    body = {"corpus": "handbook", "query": "Bus 7", "group_by": "document"}
    (result,) = handbook.post("/search", json=body).raise_for_status().json()["results"]
    assert sorted(hit["document"] for hit in result["hits"]) == [f"d{n}" for n in range(5)]
    assert all(hit["id"] == f"{hit['document']}#{hit['start']}" for hit in result["hits"])
    by_url = handbook.get(
        "/search", params={"corpus": "handbook", "q": "Bus 7", "group_by": "document"}
    )
    assert by_url.json()["results"] == [result]


def test_hits_are_filtered_by_metadata(handbook: httpx.Client) -> None:
    body = {"corpus": "handbook", "query": "Bus 7", "filter": {"year": {"gte": 2003, "lt": 2006}}}
    (result,) = handbook.post("/search", json=body).raise_for_status().json()["results"]
    assert sorted(hit["metadata"]["year"] for hit in result["hits"]) == [2003, 2004, 2005]
    params = {"corpus": "handbook", "q": "Bus 7", "filter": json.dumps(body["filter"])}
    assert handbook.get("/search", params=params).json()["results"] == [result]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"filter": {"yaer": 1}}, "There are year."),
        ({"filter": {"year": "2003"}}, "holds whole number"),
        ({"filter": {}}, "at least one field"),
        ({"filter": [1]}, "filter"),
        ({"group_by": "author"}, "group_by"),
    ],
)
def test_filters_and_groups_that_cannot_be_are_refused(
    handbook: httpx.Client, wanted: dict[str, object], message: str
) -> None:
    answer = handbook.post("/search", json={"corpus": "handbook", "query": "Bus", **wanted})
    assert answer.status_code in (400, 422)
    assert message in answer.text


def test_a_filter_in_a_url_that_is_no_json_is_refused(handbook: httpx.Client) -> None:
    answer = handbook.get("/search", params={"corpus": "handbook", "q": "Bus", "filter": "{"})
    assert answer.status_code in (400, 422)
    assert "broken JSON" in answer.text
