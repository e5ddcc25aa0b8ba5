from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput, DuplicateId, MalformedFile
from retrieval.formats.runs import in_total_order, read_run, write_run
from retrieval.types import Scored

identifier = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip() and not set(name) & set(" \t\n\v\f\r")
)
score = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(identifier, st.dictionaries(identifier, score, min_size=1, max_size=8)))
def test_any_run_survives_writing_and_reading_to_the_last_bit(
    tmp_path: Path, scores: dict[str, dict[str, float]]
) -> None:
    path = tmp_path / "run.trec"
    run = {query: in_total_order(ranking.items()) for query, ranking in scores.items()}
    write_run(run.items(), path)
    assert read_run(path) == run


def test_a_run_is_read_in_the_total_order_whatever_its_ranks(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text(
        "q1 Q0 p9 1 0.5 x\nq1 Q0 p10 2 0.5 x\nq1\tQ0\tp1\t3\t0.500000001\tx\nq1 Q0 p2 9 1e-1 x\n"
    )
    half = float(np.float32(0.5))
    assert read_run(path) == {
        "q1": [
            Scored("p9", half),
            Scored("p10", half),
            Scored("p1", half),
            Scored("p2", float(np.float32(0.1))),
        ]
    }


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("q Q0 p 1 0.5", MalformedFile, "5 columns, expected 6"),
        ("q Q0 p 1 high x", MalformedFile, "score 'high' is not a finite number"),
        ("q Q0 p 1 nan x", MalformedFile, "score 'nan' is not a finite number"),
        ("q Q0 p 1 inf x", MalformedFile, "score 'inf' is not a finite number"),
        ("q Q0 p0 2 0.1 x", DuplicateId, "query 'q' has passage 'p0' twice"),
    ],
)
def test_a_broken_run_is_answered_with_its_line(
    tmp_path: Path, line: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 p0 1 0.5 x\n{line}\n")
    with pytest.raises(error, match=rf"run.trec:2: {message}"):
        read_run(path)


@pytest.mark.parametrize(
    ("query", "ranking", "error", "message"),
    [
        ("q", [Scored("p", 1.0), Scored("p", 0.5)], DuplicateId, "has a passage twice"),
        ("q 1", [], BadInput, "id 'q 1' is empty or has white space"),
        ("q", [Scored("p\n", 1.0)], BadInput, "has white space"),
        ("q", [Scored("", 1.0)], BadInput, "id '' is empty"),
        ("q", [Scored("p", float("nan"))], BadInput, "not finite"),
    ],
)
def test_what_a_run_cannot_hold_is_not_written(
    tmp_path: Path, query: str, ranking: list[Scored], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write_run([(query, ranking)], tmp_path / "run.trec")


def test_two_rankings_of_one_query_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DuplicateId, match="query 'q' has two rankings"):
        write_run([("q", []), ("q", [])], tmp_path / "run.trec")


def test_a_run_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.trec"
    path.write_text("old\n")
    with pytest.raises(BadInput):
        write_run([("q 1", [Scored("p", 1.0)])], path)
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["r.trec"]
