"""A search over HTTP against its parts called directly."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.server import running
from app.settings import Settings
from indexer.build import build_corpus
from retrieval.encoder import Encoder
from retrieval.formats.lareqa import read_lareqa
from retrieval.search import Searcher
from retrieval.store import Store
from tests.benchmarks.conftest import Record, seconds

pytestmark = pytest.mark.benchmark

QUERIES = 200


def test_latency_of_one_client(record: Record, test_data: Path, tmp_path: Path) -> None:
    lareqa = read_lareqa(test_data / "lareqa" / "xquad-r")
    encoder = Encoder.load()
    store = Store(tmp_path)
    build_corpus("pool", lareqa.passages, store=store, encoder=encoder)
    texts = [query.text for query in lareqa.query_set().queries[::65]][:QUERIES]
    searcher = Searcher(store.open("pool", threads=1), encoder)

    def directly() -> None:
        for text in texts:
            searcher.version.index.search(
                encoder.encode_queries([text]), 10, ids_of=searcher.version.passages.ids_at
            )

    with (
        running(Settings(root=tmp_path, port=0)) as url,
        closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection,
    ):

        def over_http() -> None:
            for text in texts:
                body = json.dumps({"corpus": "pool", "query": text})
                headers = {"content-type": "application/json"}
                connection.request("POST", "/search", body, headers)
                assert len(json.loads(connection.getresponse().read())["results"]) == 1

        floor_ms = 1e3 * seconds(directly, repeats=3) / len(texts)
        ours_ms = 1e3 * seconds(over_http, repeats=3) / len(texts)
    record(
        "search, one client, compact, 13,014 passages",
        floor=floor_ms,
        ours=ours_ms,
        unit="ms a query",
        budget="<= floor + 3 ms",
    )


def test_index_build_against_the_encoder_alone(
    record: Record, test_data: Path, tmp_path: Path
) -> None:
    passages = read_lareqa(test_data / "lareqa" / "xquad-r").passages
    encoder = Encoder.load()
    texts = sorted((passage.to_encode for passage in passages), key=len)
    encode_s = seconds(lambda: encoder.encode_passages(texts, batch_size=256), repeats=3)
    store = Store(tmp_path)
    build_s = seconds(
        lambda: build_corpus("pool", passages, store=store, encoder=encoder), repeats=3
    )
    record(
        "index build, compact, 13,014 passages, synced to disk",
        floor=len(passages) / encode_s,
        ours=len(passages) / build_s,
        unit="passages/s",
        budget=">= .9 x at 200,000",
    )
