"""Errors of the domain as HTTP answers: one table, problem+json (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.schemas import Problem
from retrieval import errors

STATUS: Mapping[type[errors.SynglotError], HTTPStatus] = {
    errors.SynglotError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.BadInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MalformedFile: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DuplicateId: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownLanguage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownMeasure: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DanglingId: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadConfig: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadEncoder: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.UnknownCorpus: HTTPStatus.NOT_FOUND,
    errors.UnknownVersion: HTTPStatus.NOT_FOUND,
    errors.EncoderMismatch: HTTPStatus.CONFLICT,
    errors.CorruptVersion: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.MachineFailure: HTTPStatus.INSUFFICIENT_STORAGE,
}

_PROBLEM = "urn:synglot:problem:"
_MEDIA_TYPE = "application/problem+json"
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


class TooLarge(HTTPException):
    """A request over one of the limits in the settings."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


class Overloaded(HTTPException):
    """More work than the service admits at once."""

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(
            HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(retry_after_s)}
        )


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(errors.SynglotError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    *,
    places: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer for one error; `name` ends its type."""
    body = Problem(
        type=_PROBLEM + name,
        title=_phrase(status),
        status=status,
        detail=detail,
        request_id=str(getattr(request.state, "request_id", "")),
        errors=places or [],
    )
    return JSONResponse(
        body.model_dump(), status_code=status, media_type=_MEDIA_TYPE, headers=dict(headers or {})
    )


def _phrase(status: int) -> str:
    # RFC 9110's name; Python 3.11 and 3.12 still have the older one.
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


async def _domain_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.SynglotError)  # noqa: S101 - registered for it alone
    name = _WORDS.sub("-", type(error).__name__).lower()
    detail = f"{error.what}. {error.fix}" if error.fix else error.what
    places = []
    if error.path is not None and isinstance(error, errors.BadInput):
        # The caller knows the name it uploaded, not where we put it.
        places = [{"file": Path(error.path).name, "line": error.line, "message": error.what}]
    return problem(request, STATUS[type(error)], name, detail, places=places)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    places = [
        {"field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]}
        for e in error.errors()
    ]
    broken = any(e["type"] == "json_invalid" for e in error.errors())
    status = HTTPStatus.BAD_REQUEST if broken else HTTPStatus.UNPROCESSABLE_ENTITY
    detail = "; ".join(f"{p['field']}: {p['message']}" for p in places)
    name = "broken-json" if broken else "invalid-request"
    return problem(request, status, name, detail, places=places)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    name = _phrase(error.status_code).lower().replace(" ", "-")
    return problem(request, error.status_code, name, str(error.detail), headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    detail = "An error of the service's own; its log has the details under this request id."
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)
