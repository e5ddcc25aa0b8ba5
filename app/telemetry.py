"""Prometheus metrics, request ids and one structured log line a request."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("synglot.access")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADER = b"x-request-id"


class Metrics:
    """The service's own registry: two services in one process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "synglot_requests", "Requests.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "synglot_request_seconds", "Time to answer.", ["route"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "synglot_search_stage_seconds",
            "Time of a search in the queue, encoding and searching.",
            ["stage"],
            registry=self.registry,
        )
        self.queries = Counter(
            "synglot_queries", "Queries searched.", ["corpus"], registry=self.registry
        )
        self.hits = Counter(
            "synglot_hits", "Hits returned.", ["corpus", "lang"], registry=self.registry
        )
        self.evaluations = Counter(
            "synglot_evaluations", "Evaluations done.", ["corpus"], registry=self.registry
        )


class Telemetry:
    """ASGI middleware: gives each request an id, counts it, logs it without its content."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and account for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._account(scope, request_id, status, time.perf_counter() - began)

    def _account(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        # The route's pattern, not the path: a path would make a time series of every id asked for.
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        _LOG.info(
            "request",
            extra={
                "facts": {
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(1e3 * seconds, 2),
                }
            },
        )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == _HEADER and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)


class JsonLines(logging.Formatter):
    """One JSON object a log record."""

    def format(self, record: logging.LogRecord) -> str:
        """`{"time", "level", "logger", "message", ...facts}`, the exception's trace if any."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= getattr(record, "facts", {})
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging() -> None:
    """Log JSON lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
