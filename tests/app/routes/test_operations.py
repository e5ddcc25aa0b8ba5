"""Identity, health and metrics of a running service."""

from __future__ import annotations

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families

from app.main import create_app
from app.settings import Settings
from retrieval.encoder import Encoder
from tests.golden import check_golden


def test_a_service_with_its_corpora_open_is_live_and_ready(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert client.get(path).json() == {"status": "ok", "reasons": []}


def test_info_names_encoder_corpora_and_limits(client: httpx.Client, bundled: Encoder) -> None:
    info = client.get("/info").json()
    assert info["default_encoder"]["fingerprint"] == bundled.fingerprint
    assert info["default_encoder"]["dim"] == bundled.dim
    assert [corpus["name"] for corpus in info["corpora"]] == ["demo"]
    assert info["limits"]["max_queries"] == 8


def test_metrics_count_queries_by_corpus_and_requests_by_route(client: httpx.Client) -> None:
    def value(name: str, **labels: str) -> float:
        text = client.get("/metrics").text
        samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
        return sum(
            s.value for s in samples if s.name == name and labels.items() <= s.labels.items()
        )

    queries = value("synglot_queries_total", corpus="demo")
    missed = value("synglot_requests_total", route="/corpora/{name}", status="404")
    client.post("/search", json={"corpus": "demo", "queries": ["a", "b"]}).raise_for_status()
    client.get("/corpora/some-name")
    assert value("synglot_queries_total", corpus="demo") == queries + 2
    assert value("synglot_requests_total", route="/corpora/{name}", status="404") == missed + 1


def test_unknown_paths_are_problems_too(client: httpx.Client) -> None:
    response = client.get("/nope")
    assert (response.status_code, response.json()["type"]) == (404, "urn:synglot:problem:not-found")
    assert client.put("/search").status_code == 405


def test_the_openapi_schema_is_the_golden_one() -> None:
    schema = create_app(Settings()).openapi()
    check_golden("openapi.json", orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode() + "\n")
