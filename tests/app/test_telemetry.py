"""Logs are JSON lines, with ids and without the words of the callers."""

from __future__ import annotations

import json
import logging
import sys
import time

import httpx
import pytest

from app.telemetry import JsonLines


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("synglot.test").makeRecord(
        "synglot.test", logging.INFO, "file", 1, message, (), None, extra=extra
    )


def test_a_record_is_one_json_object_with_its_facts() -> None:
    entry = json.loads(JsonLines().format(record("request", facts={"route": "/search", "ms": 1.5})))
    assert entry["message"] == "request"
    assert entry["level"] == "info"
    assert (entry["route"], entry["ms"]) == ("/search", 1.5)


def test_an_exception_keeps_its_trace_on_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        found = record("failed")
        found.exc_info = sys.exc_info()
    line = JsonLines().format(found)
    assert "\n" not in line
    assert "ValueError" in json.loads(line)["trace"]


def test_requests_are_logged_without_query_text(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="synglot.access"):
        client.get("/search", params={"corpus": "demo", "q": "verysecretwords"})
        client.post("/search", json={"corpus": "demo", "query": "verysecretwords"})
        # The line is written once the answer is out: the caller may be ahead of it.
        deadline = time.monotonic() + 5
        while len(caplog.records) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = [JsonLines().format(found) for found in caplog.records]
    logged = [json.loads(line) for line in lines if "/search" in line]
    assert [entry["method"] for entry in logged] == ["GET", "POST"]
    assert all(entry["status"] == 200 and entry["request_id"] for entry in logged)
    assert not any("verysecretwords" in line for line in lines)
