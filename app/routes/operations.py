"""/info, /livez, /readyz, /healthz and /metrics."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app import schemas
from app.routes.corpora import summaries
from app.state import Service, ServiceDep

router = APIRouter(tags=["operations"])


@router.get("/info")
async def info(service: ServiceDep) -> schemas.Info:
    """Encoder, corpora and limits."""
    encoder, settings = service.corpora.default_encoder, service.settings
    listed = await service.workers.search(lambda: summaries(service.corpora.store))
    return schemas.Info(
        version=version("synglot"),
        default_encoder=schemas.EncoderInfo(
            fingerprint=encoder.fingerprint,
            path=encoder.path,
            dim=encoder.dim,
            languages=list(encoder.description.get("languages", [])),
            prompts=encoder.prompts,
        ),
        corpora=listed.value,
        limits={
            name: getattr(settings, name)
            for name in type(settings).model_fields
            if name.startswith("max_")
        },
    )


@router.get("/livez")
async def livez() -> schemas.Health:
    """Whether the process answers; never touches the encoder."""
    return schemas.Health(status="ok")


@router.get("/readyz", responses={503: {"model": schemas.Health}})
async def readyz(service: ServiceDep, response: Response) -> schemas.Health:
    """Whether the encoder and every active corpus are open."""
    return await _ready(service, response)


@router.get("/healthz", responses={503: {"model": schemas.Health}})
async def healthz(service: ServiceDep, response: Response) -> schemas.Health:
    """The same as /readyz."""
    return await _ready(service, response)


@router.get("/metrics", response_class=Response)
async def metrics(service: ServiceDep) -> Response:
    """Counts and times for Prometheus."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _ready(service: Service, response: Response) -> schemas.Health:
    reasons = (await service.workers.search(service.corpora.troubles)).value
    if not reasons:
        return schemas.Health(status="ok")
    response.status_code = 503
    return schemas.Health(status="unavailable", reasons=reasons)
