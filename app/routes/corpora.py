"""GET /corpora and /corpora/{name}."""

from __future__ import annotations

from fastapi import APIRouter

from app import schemas
from app.state import ServiceDep
from retrieval.errors import CorruptVersion, UnknownCorpus
from retrieval.store import Store

router = APIRouter(tags=["corpora"])


@router.get("/corpora")
async def list_corpora(service: ServiceDep) -> schemas.CorpusList:
    """Every corpus with its versions."""
    listed = await service.workers.search(lambda: summaries(service.corpora.store))
    return schemas.CorpusList(corpora=listed.value)


@router.get("/corpora/{name}")
async def describe_corpus(name: str, service: ServiceDep) -> schemas.CorpusSummary:
    """One corpus with its versions."""
    return (await service.workers.search(lambda: _summary(service.corpora.store, name))).value


def summaries(store: Store) -> list[schemas.CorpusSummary]:
    """Every corpus of a store; one that is damaged says so and hides no other."""
    found = []
    for name in store.corpora():
        try:
            found.append(_summary(store, name))
        except UnknownCorpus:  # deleted meanwhile
            continue
        except CorruptVersion as error:
            versions = store.versions(name)
            found.append(schemas.CorpusSummary(name=name, versions=versions, trouble=str(error)))
    return found


def _summary(store: Store, name: str) -> schemas.CorpusSummary:
    versions, active = store.versions(name), store.active(name)
    manifest = store.manifest(name) if active in versions else None
    return schemas.CorpusSummary(
        name=name,
        active=active,
        versions=versions,
        passages=manifest.counts.total if manifest else 0,
        languages=manifest.counts.languages if manifest else {},
        encoder=manifest.encoder.fingerprint if manifest else None,
        dim=manifest.dim if manifest else 0,
        kind=manifest.index.kind if manifest else None,
        bytes=manifest.size if manifest else 0,
    )
