"""Bombs, endless lines, wrong layouts: refused with their place, in bounded memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import zstandard

from retrieval.errors import BadInput, DanglingId, DuplicateId, MalformedFile
from retrieval.evaluation import CONTRACT
from retrieval.evaluation.per_query import PerQuery, View
from retrieval.evaluation.saved import SavedEvaluation
from retrieval.formats import packing
from retrieval.formats.files import MAX_JSON_BYTES, MAX_LINE_BYTES, read_lines, write_json
from retrieval.formats.packing import MAX_RATIO, RATIO_FREE_BYTES
from retrieval.formats.qrels import MAX_REPEATED
from retrieval.formats.query_sets import Layout, read_query_set
from retrieval.formats.runs import read_run

MAX_MB = 700
"""Peak of memory of a reader that is given a bomb, the interpreter and its libraries included."""

BLOCK = 8 * 2**20
BLOCKS = 136  # over a GiB in all

Reader = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """Reads files in a process of their own; gives what it raised and how much memory it took."""
    command = [sys.executable, "-m", "tests.retrieval.formats.bounded"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked
        assert answers

        def ask(kind: str, *files: Path) -> dict[str, Any]:
            asked.write(json.dumps([kind, *map(str, files)]) + "\n")
            asked.flush()
            return dict(json.loads(answers.readline()))

        yield ask
        asked.close()


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes, bytes], Path]:
    """Small files that unpack to `head` and then more than a GiB of `unit`."""
    folder = tmp_path_factory.mktemp("bombs")

    def bomb(name: str, head: bytes, unit: bytes) -> Path:
        path = folder / name
        pack = zstandard.compress if name.endswith(".zst") else gzip.compress
        block = pack(unit * (BLOCK // len(unit)))  # a file of many members is one file
        path.write_bytes(pack(head) + BLOCKS * block if head else BLOCKS * block)
        assert path.stat().st_size < 4e6
        return path

    return bomb


GOOD_QUERIES = b'{"_id": "q", "text": "where?"}\n'
BLANKS = b" " * 2**20 + b"\n"


@pytest.mark.parametrize(
    ("kind", "name", "head", "unit"),
    [
        ("queries", "zeros.jsonl.gz", b"", b"\0"),
        ("queries", "zeros.jsonl.zst", b"", b"\0"),
        ("queries", "zeros.tsv.gz", b"", b"\0"),
        ("queries", "zeros.json.gz", b"", b"\0"),
        ("queries", "line.jsonl.gz", GOOD_QUERIES + b'{"_id": "', b"a"),
        ("queries", "line.json.gz", b'{"queries": [', b'{"id": "a"},'),
        ("queries", "lines.json.gz", b'{"queries": [\n', b"0,\n"),
        ("queries", "equal.jsonl.gz", b"", GOOD_QUERIES),
        ("queries", "blank.jsonl.gz", GOOD_QUERIES, BLANKS),
        ("run", "zeros.run.gz", b"", b"\0"),
        ("run", "line.run.gz", b"q Q0 p 1 0.5 x\nq Q0 ", b"a"),
        ("run", "equal.run.gz", b"", b"q Q0 p 1 0.5 x\n"),
        ("run", "blank.run.zst", b"q Q0 p 1 0.5 x\n", BLANKS),
        ("lareqa", "de.json.gz", b'{"data": [', b"[],"),
        ("saved", "saved.json.gz", b'{"per_query": [', b"0,"),
        ("corpus", "cells.csv.gz", b'id,text\na,"', b"a"),
    ],
)
def test_a_bomb_is_refused_with_its_place_in_bounded_memory(
    reader: Reader,
    bombs: Callable[[str, bytes, bytes], Path],
    kind: str,
    name: str,
    head: bytes,
    unit: bytes,
) -> None:
    path = bombs(name, head, unit)
    answer = reader(kind, path)
    assert answer["error"] in ("MalformedFile", "DuplicateId")
    assert answer["path"] == str(path)
    if kind in ("run", "corpus") or "jsonl" in name:  # what is read line by line
        assert answer["line"] is not None
    assert answer["mb"] < MAX_MB


@pytest.mark.parametrize(
    ("unit", "says"), [(b"\0", "unpacks to far more"), (b"\nq\t0\tp\t1", "more than once")]
)
def test_judgements_without_end_are_refused_in_bounded_memory(
    reader: Reader,
    bombs: Callable[[str, bytes, bytes], Path],
    tmp_path: Path,
    unit: bytes,
    says: str,
) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_bytes(GOOD_QUERIES)
    path = bombs(f"judgements{len(unit)}.tsv.gz", b"q\t0\tp\t1", unit)
    answer = reader("queries", queries, path)
    assert answer["error"] in ("MalformedFile", "DuplicateId")
    assert answer["path"] == str(path)
    assert says in answer["message"]
    assert answer["line"] == (1 if unit == b"\0" else MAX_REPEATED + 2)
    assert answer["mb"] < MAX_MB


@pytest.mark.parametrize(
    ("kind", "name", "head"),
    [
        ("queries", "q.jsonl", GOOD_QUERIES),
        ("queries", "q.tsv", b"q\twhere?\n"),
        ("run", "r.trec", b"q Q0 p 1 0.5 x\n"),
    ],
)
def test_a_line_of_100_mb_is_refused_with_its_number(
    reader: Reader, tmp_path: Path, kind: str, name: str, head: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(head + b"a" * 100_000_000)
    answer = reader(kind, path)
    assert answer["message"] == f"{path}:2: line longer than {MAX_LINE_BYTES} bytes"
    assert answer["mb"] < MAX_MB


def test_a_document_that_memory_may_not_hold_is_refused(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    with path.open("wb") as stream:
        stream.truncate(2**33)  # 8 GiB of zeros that take no room
    answer = reader("saved", path)
    assert answer["message"].startswith(
        f"{path}: one JSON document of more than {MAX_JSON_BYTES} bytes. Write it in lines"
    )
    assert answer["mb"] < MAX_MB


def test_an_honest_file_may_unpack_to_as_much_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limits themselves, on a small scale: 1,000 bytes are free, then the ratio counts.
    monkeypatch.setattr(packing, "RATIO_FREE_BYTES", 1000)
    text = b"".join(b"%d\tline\n" % number for number in range(100_000))
    for name, pack in (("a.tsv.gz", gzip.compress), ("a.tsv.zst", zstandard.compress)):
        path = tmp_path / name
        path.write_bytes(pack(text))
        assert sum(1 for _ in read_lines(path)) == 100_000
        path.write_bytes(pack(b"x" * 990 + b"\n"))
        assert sum(1 for _ in read_lines(path)) == 1
        path.write_bytes(pack((b"x" * 99 + b"\n") * 100_000))
        with pytest.raises(MalformedFile, match=r":\d+: unpacks to far more .*\d+ bytes unpack"):
            list(read_lines(path))


def test_the_public_data_is_far_from_the_limits(test_data: Path) -> None:
    for path in sorted(test_data.rglob("*.json.gz")):
        content = gzip.decompress(path.read_bytes())
        assert len(content) < min(RATIO_FREE_BYTES, MAX_JSON_BYTES / 50)
        assert 10 * len(content) < MAX_RATIO[".gz"] * path.stat().st_size


@pytest.mark.slow
def test_an_evaluation_of_100_000_queries_is_read_back(tmp_path: Path) -> None:
    count = 100_000
    values = np.random.default_rng(0).random((3, 4, count))
    names = ("MRR@10", "mAP", "nDCG@10", "Recall@100")
    per_query = PerQuery(
        ids=tuple(f"de:56be4db0acb8001400a5{n:06d}" for n in range(count)),
        languages=("de",) * count,
        clusters=tuple(f"56be4db0acb8001400a5{n:06d}" for n in range(count)),
        domains=("",) * count,
        views={
            view: View(values=dict(zip(names, rows, strict=True)), weight_Q=np.ones(count) / 3)
            for view, rows in zip(("pool", "monolingual", "cross_lingual"), values, strict=True)
        },
    )
    path = tmp_path / "saved.json"
    write_json({"contract": CONTRACT, "per_query": per_query.to_json()}, str(path))
    assert path.stat().st_size < MAX_JSON_BYTES / 3
    found = SavedEvaluation.read(path).per_query
    assert found.ids == per_query.ids
    np.testing.assert_array_equal(found.views["pool"].values["mAP"], values[0, 1])


QUERIES = '{"_id": "q1", "text": "where?"}\n{"_id": "q2", "text": "when?"}\n'
BEIR = "query-id\tcorpus-id\tscore\nq1\tp1\t1\nq2\tp2\t1\n"
TREC = "q1 0 p1 1\nq2 0 p2 1\n"


@pytest.mark.parametrize(
    ("layout", "content", "error", "says"),
    [
        (Layout.TREC, BEIR, MalformedFile, r":1: 3 columns, expected 4.*BEIR's judgements have 3"),
        (Layout.BEIR, TREC, MalformedFile, r":1: 1 columns, expected 3.*TREC's 4"),
        (Layout.BEIR, TREC.replace(" ", "\t"), MalformedFile, r":1: 4 columns, expected 3"),
        (None, BEIR.replace("\t", ","), MalformedFile, r":1: 1 columns, expected 3"),
        (None, BEIR.replace("\t", ";"), MalformedFile, r":1: 1 columns, expected 3"),
        (None, "qid\tdocid\trel\nq1\tp1\t1\n", MalformedFile, r":1: relevance 'rel'.*header"),
        (None, "q1\t1\tp1\n", MalformedFile, r":1: relevance 'p1' is not an integer"),
        (None, "p1\tq1\t1\n", DanglingId, r":1: the judgements name 1 query id.*'p1'"),
        (None, "q1 p1 0 1\n", None, ""),  # a passage may well be called 0
        (None, "q1 0 1 p1\n", MalformedFile, r":1: relevance 'p1' is not an integer"),
        (None, BEIR + TREC, MalformedFile, r":4: 1 columns, expected 3"),
        (None, QUERIES, MalformedFile, r":1: "),
        (None, "q1\tp1\tnan\n", MalformedFile, r":1: relevance 'nan' is not an integer"),
        (None, "", BadInput, "no judgements"),
    ],
)
def test_judgements_of_the_wrong_layout_are_refused_with_their_line(
    tmp_path: Path, layout: Layout | None, content: str, error: type[Exception] | None, says: str
) -> None:
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text(QUERIES if layout in (None, Layout.BEIR) else "q1\twhere?\nq2\twhen?\n")
    qrels.write_text(content)
    if error is None:
        assert read_query_set([queries], [qrels], layout=layout).qrels == {"q1": {"0": 1}}
        return
    with pytest.raises(error, match=says):
        read_query_set([queries], [qrels], layout=layout)


def test_judgements_without_a_header_are_read(tmp_path: Path) -> None:
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text(QUERIES)
    qrels.write_text("q1\tp1\t1\nq2\tp2\t1\n")
    assert read_query_set([queries], [qrels]).qrels == {"q1": {"p1": 1}, "q2": {"p2": 1}}


@pytest.mark.parametrize(
    "score", ["nan", "NaN", "inf", "-inf", "1e999", "1e39", "3.4028236e38", "x"]
)
def test_a_score_that_is_no_number_in_single_precision_is_refused(
    tmp_path: Path, score: str
) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 p1 1 0.5 x\nq Q0 p2 2 {score} x\n")
    with pytest.raises(MalformedFile, match=rf"run.trec:2: score '{score}' is not a finite"):
        read_run(path)


@pytest.mark.parametrize("value", [float(np.finfo(np.float32).max), 1e-45, -1e-320, 0.0])
def test_the_largest_and_smallest_scores_are_read(tmp_path: Path, value: float) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 p1 1 {value:.9g} x\n")
    assert read_run(path)["q"][0].score == float(np.float32(value))


def test_a_passage_twice_in_a_ranking_is_refused_wherever_it_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 p1 1 0.5 x\nr Q0 p1 1 0.5 x\nr Q0 p2 2 0.4 x\nq Q0 p1 9 0.1 x\n")
    with pytest.raises(DuplicateId, match=r"run.trec:4: query 'q' has passage 'p1' twice"):
        read_run(path)


def test_a_passage_that_there_is_not_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 p1 1 0.5 x\nq Q0 p2 2 0.4 x\n")
    assert len(read_run(path, passages={"p1", "p2"})["q"]) == 2
    with pytest.raises(DanglingId, match=r"run.trec:2: the run names the passage 'p2'"):
        read_run(path, passages={"p1"})


def test_a_saved_evaluation_with_numbers_that_json_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    path.write_text('{"contract": "synglot-1", "per_query": {"query": [NaN]}}')
    with pytest.raises(MalformedFile, match="broken JSON"):
        SavedEvaluation.read(path)
    path.write_bytes(orjson.dumps({"a": 1}) + b"x")
    with pytest.raises(MalformedFile, match="broken JSON"):
        SavedEvaluation.read(path)
