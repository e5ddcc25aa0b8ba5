"""What a request handler needs, built once a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.corpora import Corpora
from app.settings import Settings
from app.telemetry import Metrics
from app.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a running service."""

    settings: Settings
    corpora: Corpora
    workers: Workers
    metrics: Metrics


def service_of(request: Request) -> Service:
    """The service that a request reached."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]
