"""`synglot demo`: train, index, serve, search and measure on the bundled knowledge base."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import typer

from app.server import answering, bound, running
from app.settings import Settings, load_settings
from app.shell import pair_table
from indexer.build import build_corpus
from retrieval.demo_data import demo_items, demo_passages, demo_queries
from retrieval.encoder import Encoder
from retrieval.formats.corpus import read_corpus, write_corpus
from retrieval.formats.parallel import write_parallel
from retrieval.formats.qrels import write_qrels
from retrieval.formats.queries import write_queries
from retrieval.store import Store

CORPUS = "demo"
DEFAULT_ROOT = Path("synglot-data")

FLOORS = {"within_language": 0.45, "across_languages": 0.38}
"""MRR@10 of the held-out questions below which the demo's check fails; they stand in README.md."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "th:school-lunch-1": ("de",),
    "en:dog-licence-1": ("zh",),
    "ar:building-permit-0": (),
}
"""Held-out questions shown, and the languages of the passages searched (none means all)."""

_SNIPPET_CHARACTERS = 80

_LIBRARIES = ("synglot", "torch", "sentence-transformers", "transformers", "faiss-cpu", "fastapi")


@dataclass(slots=True)
class _Stages:
    """Seconds of each stage, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 2)


def run_demo(root: Path | None, *, port: int) -> None:
    """Build the demo in `root` and serve it until interrupted, telling what happens."""
    folder, stages = root or DEFAULT_ROOT, _Stages()
    settings = load_settings(root=folder, port=port)
    with bound(settings) as listener:
        _prepare(folder, stages, say=typer.echo)
        with answering(settings, listener) as url:
            with httpx.Client(base_url=url, timeout=60) as client:
                typer.echo(_shown_examples(client))
                typer.echo(_shown_report(_evaluate(client, folder / CORPUS)))
            typer.echo(_farewell(url, folder))
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    typer.echo("stopped")


def check_demo(root: Path | None) -> dict[str, Any]:
    """Build the demo, measure it over REST and stop; the figures of `synglot demo --check`."""
    with tempfile.TemporaryDirectory(prefix="synglot-demo-") as temporary:
        folder, stages = root or Path(temporary), _Stages()
        _prepare(folder, stages, say=None)
        with (
            stages("serve"),
            running(Settings(root=folder, port=0)) as url,
            httpx.Client(base_url=url, timeout=60) as client,
        ):
            with stages("search"):
                found = [_search(client, name) for name in EXAMPLES]
            with stages("evaluate"):
                report = _evaluate(client, folder / CORPUS)
            corpora = client.get("/corpora").raise_for_status().json()["corpora"]
    mrr = _within_and_across(report)
    ok = all(mrr[name] >= floor for name, floor in FLOORS.items()) and all(map(_hits, found))
    return {
        "ok": ok,
        "MRR@10": {name: round(value, 4) for name, value in mrr.items()},
        "floors": FLOORS,
        "queries": report["queries"],
        "corpora": {corpus["name"]: corpus["passages"] for corpus in corpora},
        "seconds": stages.seconds,
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def write_demo_files(folder: Path) -> None:
    """The knowledge base as the files a user would bring."""
    folder.mkdir(parents=True, exist_ok=True)
    queries = demo_queries()
    write_parallel(demo_items(), folder / "train.jsonl")
    write_corpus(demo_passages(), folder / "corpus.jsonl")
    write_queries(queries.queries, folder / "queries.jsonl")
    write_qrels(queries.qrels, folder / "qrels.tsv")


def _prepare(root: Path, stages: _Stages, *, say: Callable[[str], None] | None) -> None:
    say = say or (lambda _: None)
    files, encoder_folder = root / CORPUS, root / CORPUS / "encoder"
    write_demo_files(files)
    say(f"1. The bundled knowledge base, as files to look at: {files}")
    say("2. Fine-tuning the bundled encoder with hybrid batches on half of its passages ...")
    with stages("train"):
        _train(files, encoder_folder)
    say(f"   {stages.seconds['train']:.0f} s: {encoder_folder}")
    with stages("index"):
        built = build_corpus(
            CORPUS,
            read_corpus([files / "corpus.jsonl"]),
            store=Store(root),
            encoder=Encoder.load(encoder_folder),
        )
    counts = built.manifest.counts
    say(f"3. Indexed {counts.total} passages in {len(counts.languages)} languages")


def _train(files: Path, out: Path) -> None:
    from training.config import load_config, shipped_config
    from training.run import train

    data = json.dumps([str(files / "train.jsonl")])  # JSON is YAML, whatever is in the path
    config = load_config(shipped_config("demo"), [f"data.files={data}"])
    train(config, out, overwrite=True)


def _search(client: httpx.Client, name: str) -> dict[str, Any]:
    """The answer of the service to the held-out question of that id."""
    (query,) = (query for query in demo_queries().queries if query.id == name)
    languages = list(EXAMPLES[name])
    body = {"corpus": CORPUS, "query": query.text, "languages": languages, "top_k": 3}
    answer: dict[str, Any] = client.post("/search", json=body).raise_for_status().json()
    return answer


def _evaluate(client: httpx.Client, files: Path) -> dict[str, Any]:
    with (files / "queries.jsonl").open("rb") as queries, (files / "qrels.tsv").open("rb") as qrels:
        response = client.post(
            "/evaluate",
            data={"corpus": CORPUS, "measures": "MRR@10 mAP"},
            files={"queries": queries, "qrels": qrels},
        )
    report: dict[str, Any] = response.raise_for_status().json()
    return report


def _within_and_across(report: Mapping[str, Any]) -> dict[str, float]:
    within: list[float] = []
    across: list[float] = []
    for pair, entry in report["by_language_pair"].items():
        query_lang, passage_lang = pair.split("->")
        (within if query_lang == passage_lang else across).append(entry["MRR@10"])
    return {
        "within_language": sum(within) / len(within),
        "across_languages": sum(across) / len(across),
    }


def _hits(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = answer["results"][0]["hits"]
    return hits


def _shown_examples(client: httpx.Client) -> str:
    qrels = demo_queries().qrels
    lines = [
        "4. Searches with questions whose passages were held out from training",
        "   (an arrow marks a passage that answers the question)",
    ]
    for name, languages in EXAMPLES.items():
        answer = _search(client, name)
        where = f"passages in {', '.join(languages)}" if languages else "all passages"
        lines += ["", f"   {name[:2]}: {answer['results'][0]['query']}   ({where})"]
        for hit in _hits(answer):
            mark = "->" if hit["id"] in qrels[name] else "  "
            snippet = f"{hit['title']}: {hit['text']}"[:_SNIPPET_CHARACTERS]
            lines.append(f"     {mark} {hit['score']:.3f}  {hit['lang']}  {snippet}...")
    return "\n".join(lines)


def _shown_report(report: Mapping[str, Any]) -> str:
    mrr = _within_and_across(report)
    return "\n".join(
        [
            "",
            f"5. Measured on {report['queries']['judged']} held-out questions: "
            f"MRR@10 {mrr['within_language']:.3f} within a language, "
            f"{mrr['across_languages']:.3f} across languages",
            *pair_table(report["by_language_pair"], "MRR@10"),
        ]
    )


def _farewell(url: str, root: Path) -> str:
    return f"""
6. Serving {root} at {url} (Ctrl-C stops). Try:
     curl '{url}/search?corpus={CORPUS}&q=night+bus&languages=de'
     curl -F corpus={CORPUS} -F queries=@{root}/demo/queries.jsonl -F qrels=@{root}/demo/qrels.tsv \
{url}/evaluate
     {url}/docs"""
