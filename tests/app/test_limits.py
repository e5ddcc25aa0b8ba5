"""Bodies over the limit are refused, whether they say their size or not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import httpx
import pytest

from app.server import running
from app.settings import Settings


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service without corpora that takes bodies of 1,000 bytes."""
    settings = Settings(root=tmp_path_factory.mktemp("empty"), port=0, max_body_bytes=1000)
    with running(settings) as url, httpx.Client(base_url=url) as client:
        yield client


PART = b'--b\r\nContent-Disposition: form-data; name="queries"; filename="q.jsonl"\r\n\r\n'


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 100):
        yield b"x" * 100


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/search", "application/json"), ("/evaluate", "multipart/form-data; boundary=b")],
)
def test_a_body_over_the_limit_is_refused(small: httpx.Client, path: str, kind: str) -> None:
    headers = {"content-type": kind}
    start = PART if path == "/evaluate" else b""
    declared = small.post(path, content=start + b"x" * 1001, headers=headers)
    undeclared = small.post(path, content=chain([start], chunks(5000)), headers=headers)
    for response in (declared, undeclared):
        assert response.status_code == 413, response.text
        assert response.json()["type"] == "urn:synglot:problem:content-too-large"
        assert "1000 bytes" in response.json()["detail"]


def test_a_body_at_the_limit_is_read(small: httpx.Client) -> None:
    body = b'{"corpus": "none", "query": "x"}'.ljust(1000)
    headers = {"content-type": "application/json"}
    assert small.post("/search", content=body, headers=headers).status_code == 404


def test_an_empty_store_is_served(small: httpx.Client, tmp_path: Path) -> None:
    assert small.get("/readyz").status_code == 200
    assert small.get("/corpora").json() == {"corpora": []}
    assert not list(tmp_path.iterdir())
