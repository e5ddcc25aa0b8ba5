"""The service: settings in, ASGI application out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from app import errors, schemas
from app.corpora import Corpora
from app.limits import LimitBody
from app.routes import corpora, evaluate, operations, search
from app.settings import Settings
from app.state import Service
from app.telemetry import Metrics, Telemetry
from app.workers import Workers

_LOG = logging.getLogger("synglot")

DESCRIPTION = """Multilingual search that is measured on the index that serves.

Errors are `application/problem+json` (RFC 9457)."""


def create_app(settings: Settings) -> FastAPI:
    """The application over the corpora in `settings.root`.

    Loads the bundled encoder and opens every active corpus; one that cannot be opened keeps
    /readyz at 503 and leaves the others searchable. Raises BadEncoder, BadConfig.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = Service(
            settings=settings,
            corpora=Corpora(settings),
            workers=Workers(settings),
            metrics=metrics,
        )
        for reason in service.corpora.troubles():
            _LOG.error("a corpus cannot be searched", extra={"facts": {"reason": reason}})
        app.state.service = service
        yield
        service.workers.close()

    app = FastAPI(
        title="Synglot",
        version=version("synglot"),
        description=DESCRIPTION,
        lifespan=lifespan,
        responses={"default": {"model": schemas.Problem, "description": "A problem"}},
    )
    errors.install(app)
    for router in (search.router, evaluate.router, corpora.router, operations.router):
        app.include_router(router)
    app.add_middleware(LimitBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(Telemetry, metrics=metrics)
    return app
