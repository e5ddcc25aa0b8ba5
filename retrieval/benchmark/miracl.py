"""MIRACL's protocol: each language's topics on its own corpus, nDCG@10 and Recall@100.

A folder holds, anywhere below it, `topics.miracl-v1.0-LANG-SPLIT.tsv`,
`qrels.miracl-v1.0-LANG-SPLIT.tsv` and `miracl-corpus-v1.0-LANG/docs-*.jsonl.gz`.
Source: Zhang et al. 2023, TACL 11.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from retrieval.benchmark.pools import TextEncoder
from retrieval.encoder import shown_path
from retrieval.errors import BadInput, MachineFailure
from retrieval.evaluation import CONTRACT, Evaluation, VectorRanker, evaluate, sections
from retrieval.evaluation.evaluation import versions
from retrieval.evaluation.per_query import POOL, PerQuery
from retrieval.evaluation.sections import mean_values
from retrieval.formats.corpus import read_corpus
from retrieval.formats.query_sets import Layout, read_query_set
from retrieval.metrics.measure import Measure
from retrieval.types import Passage

PROTOCOL = "miracl"

MEASURES = tuple(Measure.parse(name) for name in ("nDCG@10", "Recall@100", "MRR@10"))
"""The protocol's two, and ours beside them."""

_TOPICS = re.compile(r"topics\.miracl-v[0-9.]+-(?P<lang>[a-z]{2,3})-(?P<split>[a-z-]+)\.tsv")
_CHUNK = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class MiraclFiles:
    """The files of one language."""

    lang: str
    topics: Path
    qrels: Path
    corpus: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MiraclDone:
    """The report, every query's values over all languages, and the files read."""

    report: Mapping[str, Any]
    per_query: PerQuery
    files: Sequence[Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    evaluation: Evaluation
    counts: Mapping[str, int]


def find_miracl(
    folder: Path, *, split: str = "dev", languages: Sequence[str] = ()
) -> list[MiraclFiles]:
    """The languages of a folder, all of them or those named, in order of their codes.

    Raises BadInput where there is none, or one lacks its judgements or its corpus.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("topics.miracl-*.tsv")):
        match = _TOPICS.fullmatch(path.name)
        if match and match["split"] == split:
            found[match["lang"]] = path
    absent = sorted(set(languages) - set(found))
    if absent or not found:
        raise BadInput(
            f"no topics of MIRACL's {split} split" + (f" in {', '.join(absent)}" if absent else ""),
            path=folder,
            fix=f"Give a folder with topics.miracl-v1.0-LANG-{split}.tsv in it.",
        )
    wanted = sorted(set(languages) or found)
    return [_language_files(folder, lang, found[lang]) for lang in wanted]


def benchmark_miracl(
    languages: Sequence[MiraclFiles],
    encoder: TextEncoder,
    *,
    measures: Sequence[Measure] = (),
    seed: int = 0,
    progress: bool = False,
) -> MiraclDone:
    """Exact search over every corpus; its vectors lie in a temporary folder while they are needed.

    A query's id in the report is `LANG:id`. Raises what the readers raise, DanglingId where a
    judged passage is not in the corpus, MachineFailure where the disk is full.
    """
    done = {
        files.lang: _evaluate(files, encoder, (*MEASURES, *measures), seed, progress=progress)
        for files in languages
    }
    parts = [_prefixed(found.evaluation.per_query, lang) for lang, found in done.items()]
    per_query = PerQuery.joined(parts)
    return MiraclDone(
        report=_figures(done, per_query, encoder, seed=seed),
        per_query=per_query,
        files=[path for files in languages for path in (files.topics, files.qrels, *files.corpus)],
    )


def _language_files(folder: Path, lang: str, topics: Path) -> MiraclFiles:
    qrels = sorted(folder.rglob(topics.name.replace("topics.", "qrels.", 1)))
    corpus = sorted(folder.rglob(f"miracl-corpus-*-{lang}/docs-*.jsonl*"))
    if not qrels:
        raise BadInput("no judgements beside these topics", path=topics)
    if not corpus:
        raise BadInput(
            f"no corpus in {lang!r}: expected miracl-corpus-v1.0-{lang}/docs-*.jsonl.gz below it",
            path=folder,
            fix="Get it (huggingface.co/datasets/miracl/miracl-corpus) or name other languages.",
        )
    return MiraclFiles(lang=lang, topics=topics, qrels=qrels[0], corpus=tuple(corpus))


def _evaluate(
    files: MiraclFiles,
    encoder: TextEncoder,
    measures: Sequence[Measure],
    seed: int,
    *,
    progress: bool,
) -> _Language:
    query_set = read_query_set(
        [files.topics], [files.qrels], layout=Layout.MIRACL, default_lang=files.lang
    )
    queries = query_set.queries
    with tempfile.TemporaryDirectory(prefix="synglot-miracl-") as folder:
        ids, passages_PD = _encoded(files, encoder, Path(folder), progress=progress)
        ranker = VectorRanker(
            passage_ids=ids,
            passage_languages=[files.lang] * len(ids),
            passages_PD=passages_PD,
            query_ids=[query.id for query in queries],
            queries_QD=encoder.encode_queries([query.text for query in queries]),
        )
        evaluation = evaluate(
            query_set,
            ranker,
            corpus=f"miracl-{files.lang}",
            version="",
            encoder=encoder.fingerprint,
            measures=measures,
            seed=seed,
            progress=progress,
        )
    judgements = sum(len(judged) for judged in query_set.qrels.values())
    counts = {"queries": len(queries), "judgements": judgements, "passages": len(ids)}
    return _Language(evaluation=evaluation, counts=counts)


def _encoded(
    files: MiraclFiles, encoder: TextEncoder, folder: Path, *, progress: bool
) -> tuple[list[str], NDArray[np.float32]]:
    """Ids, and vectors mapped from a file: a corpus need not fit in memory."""
    path, ids, width = folder / "vectors", [], 0
    disable = None if progress else True
    bar = tqdm(desc=files.lang, unit="passage", unit_scale=True, disable=disable, delay=1)
    with bar, path.open("wb") as stream:
        for chunk in _chunks(read_corpus(files.corpus, default_lang=files.lang)):
            vectors_PD = encoder.encode_passages([passage.to_encode for passage in chunk])
            width = vectors_PD.shape[1]
            _write(stream.write, vectors_PD, path)
            ids += [passage.id for passage in chunk]
            bar.update(len(chunk))
    if not ids:
        raise BadInput("the corpus holds no passage", path=files.corpus[0])
    return ids, np.memmap(path, dtype=np.float32, mode="r", shape=(len(ids), width))


def _write(write: Callable[[bytes], int], vectors_PD: NDArray[np.float32], path: Path) -> None:
    try:
        write(np.ascontiguousarray(vectors_PD, dtype=np.float32).tobytes())
    except OSError as error:
        raise MachineFailure(
            f"cannot keep the vectors ({error.strerror})",
            path=path,
            fix="Set TMPDIR to a folder with more room.",
        ) from error


def _chunks(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    iterator = iter(passages)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _prefixed(per_query: PerQuery, lang: str) -> PerQuery:
    """Queries with ids that no other language has: topics are numbered in each language."""
    ids = tuple(f"{lang}:{identifier}" for identifier in per_query.ids)
    return replace(per_query, ids=ids, clusters=ids)


def _figures(
    done: Mapping[str, _Language], per_query: PerQuery, encoder: TextEncoder, *, seed: int
) -> dict[str, Any]:
    """A report of the usual shape: every language on its own corpus, macro means in `macro`."""
    reports: list[Any] = [found.evaluation.report for found in done.values()]
    first_rank_Q = np.concatenate([f.evaluation.ranked.first_rank_Q for f in done.values()])
    by_language = sections.by_language(per_query, seed=seed)
    pool = mean_values(per_query.views[POOL], per_query.clusters, seed=seed)
    return {
        "protocol": PROTOCOL,
        "corpus": PROTOCOL,
        "version": "",
        "encoder": {"path": shown_path(encoder.path), "fingerprint": encoder.fingerprint},
        "contract": CONTRACT,
        "counts": {lang: found.counts for lang, found in done.items()},
        "queries": _summed([report["queries"] for report in reports]),
        "macro": {
            name: float(np.mean([entry[name]["mean"] for entry in by_language.values()]))
            for name in pool
        },
        "measures": pool,
        "by_language": by_language,
        "protocols": {},
        "by_language_pair": {
            pair: entry for report in reports for pair, entry in report["by_language_pair"].items()
        },
        "language_bias": {},
        "first_rank": sections.first_rank(first_rank_Q, per_query.languages),
        "domains": {},
        "lint": [finding for report in reports for finding in report["lint"]],
        "seed": seed,
        "data": {"query_set": _digest([report["data"]["query_set"] for report in reports])},
        "versions": versions(),
        "per_query": per_query.to_json(),
    }


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(found[name] for found in counts) for name in counts[0]}


def _digest(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
