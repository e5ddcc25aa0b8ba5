"""POST /evaluate: an uploaded query set, measured on the index that serves."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile

from app.evaluations import (
    check_decompressed,
    keep_upload,
    parse_layout,
    parse_measures,
    parse_search,
    run_evaluation,
)
from app.state import ServiceDep
from retrieval.errors import BadInput
from retrieval.evaluation import Evaluation

router = APIRouter(tags=["evaluation"])

Uploads = list[UploadFile]

_REPEATABLE = frozenset({"queries", "qrels"})
_FIELDS = _REPEATABLE | {"corpus", "version", "measures", "search", "format", "groups", "domains"}


async def _known_fields(request: Request) -> None:
    """Refuse a field that nothing reads, or one given twice: a misspelt name must not pass."""
    names = [name for name, _ in (await request.form()).multi_items()]
    unknown = sorted(set(names) - _FIELDS)
    if unknown:
        raise BadInput(
            f"unknown form fields: {', '.join(unknown)}",
            fix=f"Known: {', '.join(sorted(_FIELDS))}.",
        )
    twice = sorted({name for name in names if names.count(name) > 1} - _REPEATABLE)
    if twice:
        raise BadInput(f"form fields given more than once: {', '.join(twice)}")


@router.post("/evaluate", dependencies=[Depends(_known_fields)])
async def evaluate(
    service: ServiceDep,
    corpus: Annotated[str, Form(description="Corpus to measure on.")],
    queries: Annotated[Uploads, File(description="Query files; repeatable.")],
    qrels: Annotated[Uploads | None, File(description="Judgement files; repeatable.")] = None,
    version: Annotated[str | None, Form(description="Default: the active version.")] = None,
    measures: Annotated[str, Form(description="Names separated by spaces.")] = "",
    search: Annotated[str, Form(description="JSON object of /search options.")] = "{}",
    format: Annotated[  # noqa: A002 - the name of the field on the wire
        str | None, Form(description="beir, trec, miracl, lareqa or json; told by the files.")
    ] = None,
    groups: Annotated[
        UploadFile | None, File(description="TSV: query id, item its translations share.")
    ] = None,
    domains: Annotated[UploadFile | None, File(description="TSV: query id, domain.")] = None,
) -> dict[str, Any]:
    """Measure a query set: MRR and its kin, by language pair, with intervals and language bias."""
    options, layout = parse_search(search), parse_layout(format)
    chosen = parse_measures(measures)

    def work(folder: Path) -> Evaluation:
        query_files = _keep(queries, folder / "queries")
        qrels_files = _keep(qrels or [], folder / "qrels")
        tags = _keep([f for f in (groups, domains) if f is not None], folder / "tags")
        check_decompressed([*query_files, *qrels_files, *tags], service.settings.max_upload_bytes)
        return run_evaluation(
            service.corpora.searcher(corpus, version),
            query_files,
            qrels_files,
            layout=layout,
            measures=chosen,
            search=options,
            groups=tags[0] if groups is not None else None,
            domains=tags[-1] if domains is not None else None,
        )

    with tempfile.TemporaryDirectory(prefix="synglot-evaluate-") as name:
        done = await service.workers.evaluate(lambda: work(Path(name)))
    service.metrics.evaluations.labels(corpus).inc()
    return done.value.report


def _keep(uploads: Sequence[UploadFile], folder: Path) -> list[Path]:
    paths = []
    for number, upload in enumerate(uploads):
        own = folder / str(number)
        own.mkdir(parents=True)
        paths.append(keep_upload(upload.filename or "upload", upload.file, own))
    return paths
