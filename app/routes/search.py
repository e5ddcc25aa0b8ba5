"""POST and GET /search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app import schemas
from app.errors import TooLarge
from app.settings import Settings
from app.state import Service, ServiceDep
from retrieval.search import SearchOptions
from retrieval.search.balance import Balance
from retrieval.search.filters import filter_object, parse_filter
from retrieval.search.grouping import GroupBy
from retrieval.search.pool import Mode
from retrieval.types import Hit

router = APIRouter(tags=["search"])


@router.post("/search")
async def search(request: schemas.SearchRequest, service: ServiceDep) -> schemas.SearchResponse:
    """Search one corpus with one query or several."""
    return await _answer(request, service)


@router.get("/search")
async def search_by_url(
    service: ServiceDep,
    corpus: Annotated[str, Query(description="Name of the corpus.")],
    q: Annotated[str, Query(min_length=1, description="The query.")],
    top_k: Annotated[int, Query(ge=1)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
    languages: Annotated[list[str] | None, Query(description="Repeatable, or de,th.")] = None,
    query_language: str | None = None,
    version: str | None = None,
    mode: Mode = Mode.DENSE,
    balance: Balance = Balance.NONE,
    min_score: float | None = None,
    filter: Annotated[str | None, Query(description="JSON, as that of the POST.")] = None,  # noqa: A002
    group_by: GroupBy | None = None,
    exact: bool = False,
    with_text: bool = True,
) -> schemas.SearchResponse:
    """Search from a browser or curl; the options are those of the POST."""
    request = schemas.SearchRequest(
        corpus=corpus,
        query=q,
        top_k=top_k,
        offset=offset,
        languages=[code for given in languages or [] for code in given.split(",") if code],
        query_language=query_language,
        version=version,
        mode=mode,
        balance=balance,
        min_score=min_score,
        filter=None if filter is None else filter_object(filter),
        group_by=group_by,
        exact=exact,
        with_text=with_text,
    )
    return await _answer(request, service)


async def _answer(request: schemas.SearchRequest, service: Service) -> schemas.SearchResponse:
    _check_limits(request, service.settings)
    options = SearchOptions(
        top_k=request.top_k,
        offset=request.offset,
        languages=tuple(request.languages),
        min_score=request.min_score,
        exact=request.exact,
        filter=None if request.filter is None else parse_filter(request.filter),
        group_by=request.group_by,
        mode=request.mode,
        balance=request.balance,
        quota=request.quota,
        query_language=request.query_language,
    )
    workers, texts = service.workers, request.texts
    opened = await workers.search(lambda: service.corpora.searcher(request.corpus, request.version))
    searcher = opened.value
    encoded = await workers.encode(lambda: searcher.encode(texts))
    found = await workers.search(
        lambda: searcher.search_vectors(encoded.value, options, texts=texts)
    )
    took = schemas.Took(
        queue=round(opened.waited_ms + encoded.waited_ms + found.waited_ms, 3),
        encode=round(encoded.ran_ms, 3),
        search=round(found.ran_ms, 3),
    )
    _count(service, request.corpus, found.value, took)
    return schemas.SearchResponse(
        corpus=request.corpus,
        version=searcher.version.id,
        encoder=searcher.encoder.fingerprint,
        took_ms=took,
        results=[
            schemas.Result(
                query=text, hits=[to_hit(hit, with_text=request.with_text) for hit in hits]
            )
            for text, hits in zip(texts, found.value, strict=True)
        ],
    )


def _check_limits(request: schemas.SearchRequest, settings: Settings) -> None:
    if len(request.texts) > settings.max_queries:
        raise TooLarge(f"{len(request.texts)} queries, at most {settings.max_queries} a request")
    if request.top_k + request.offset > settings.max_top_k:
        raise TooLarge(f"top_k plus offset is over {settings.max_top_k}")
    longest = max(map(len, request.texts))
    if longest > settings.max_query_characters:
        raise TooLarge(
            f"a query has {longest} characters, at most {settings.max_query_characters} are taken"
        )


def _count(service: Service, corpus: str, found: list[tuple[Hit, ...]], took: schemas.Took) -> None:
    metrics = service.metrics
    metrics.queries.labels(corpus).inc(len(found))
    for hits in found:
        for hit in hits:
            metrics.hits.labels(corpus, hit.passage.lang).inc()
    for stage, ms in took.model_dump().items():
        metrics.stage_seconds.labels(stage).observe(ms / 1e3)


def to_hit(hit: Hit, *, with_text: bool = True) -> schemas.Hit:
    """A hit as it goes over the wire."""
    passage = hit.passage
    return schemas.Hit(
        id=passage.id,
        score=hit.score,
        lang=passage.lang,
        title=passage.title if with_text else None,
        text=passage.text if with_text else None,
        url=passage.url or None,
        metadata=dict(passage.metadata),
        document=passage.whole,
        start=passage.start,
    )
