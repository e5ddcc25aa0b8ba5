from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput, DanglingId, DuplicateId, MalformedFile
from retrieval.formats.qrels import (
    check_passages,
    check_queries,
    collect_qrels,
    read_beir_qrels,
    read_qrels,
    read_trec_qrels,
    write_qrels,
)

HEADER = "query-id\tcorpus-id\tscore\n"
identifier = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip() and not set(name) & set("\t\n\r")
)


def write(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8", newline="\n")
    return path


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "q 1\tp 1\t2\nq 1\tp2\t0\n",
        "Query-ID\tcorpus-id\tscore\r\nq 1\tp 1\t2\r\nq 1\tp2\t0\r\n",
        "q 1\tp 1\t2\nq 1\tp2\t0\n",
        "q 1\tQ0\tp 1\t2\nq 1\tQ0\tp2\t0\n",
    ],
    ids=["beir", "beir with other line ends", "beir without header", "trec by tabs"],
)
def test_the_layout_of_judgements_is_told_by_the_first_line(tmp_path: Path, content: str) -> None:
    qrels = collect_qrels(read_qrels(write(tmp_path / "qrels.tsv", content)))
    assert qrels == {"q 1": {"p 1": 2, "p2": 0}}


def test_trec_columns_may_be_separated_by_spaces(tmp_path: Path) -> None:
    path = write(tmp_path / "qrels.txt", "q1 0  p1 1\nq1 0\tp2 -1 \n")
    assert collect_qrels(read_qrels(path)) == {"q1": {"p1": 1, "p2": -1}}
    assert [judgement.line for judgement in read_trec_qrels(path)] == [1, 2]


def test_the_judgements_of_miracl_are_read(test_data: Path) -> None:
    qrels = collect_qrels(read_qrels(test_data / "miracl" / "qrels.miracl-v1.0-de-dev.tsv"))
    assert len(qrels) == 305
    assert sum(len(judged) for judged in qrels.values()) == 3144
    assert sum(relevance > 0 for judged in qrels.values() for relevance in judged.values()) == 811


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        identifier, st.dictionaries(identifier, st.integers(-2, 9), min_size=1), min_size=1
    )
)
def test_any_judgements_survive_writing_and_reading(
    tmp_path: Path, qrels: dict[str, dict[str, int]]
) -> None:
    path = tmp_path / "qrels.tsv"
    write_qrels(qrels, path)
    assert collect_qrels(read_qrels(path)) == qrels
    assert collect_qrels(read_beir_qrels(path)) == qrels


@pytest.mark.parametrize("name", ["", " ", "a\tb", "a\nb", "a\r"])
def test_an_id_that_a_column_cannot_hold_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot stand in a column"):
        write_qrels({"q": {name: 1}}, tmp_path / "qrels.tsv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "q1\tp1\t1.0\n", r"qrels.tsv:2: relevance '1.0' is not an integer"),
        (HEADER + "q1\tp1\t\n", r"qrels.tsv:2: relevance '' is not an integer"),
        ("query\tpassage\trel\nq1\tp1\t1\n", r"qrels.tsv:1: relevance 'rel' .*header"),
        (HEADER + "q1\tp1\n", r"qrels.tsv:2: 2 columns, expected 3"),
        (HEADER + "q1\t \t1\n", r"qrels.tsv:2: an id is empty"),
        ("q1 0 p1 1\nq1 0 p1\n", r"qrels.tsv:2: 3 columns"),
        ("q1 0 p1 yes\n", r"qrels.tsv:1: relevance 'yes'"),
        ("q1\n", r"qrels.tsv:1: 1 columns"),
        ("a b c d e\n", r"qrels.tsv:1: 1 columns"),
    ],
)
def test_broken_judgements_are_answered_with_their_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(MalformedFile, match=message):
        list(read_qrels(write(tmp_path / "qrels.tsv", content)))


def test_judgements_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "qrels.tsv", HEADER + "q1\tp1\t1\nq1\tp1\t1\nq1\tp1\t0\n")
    with pytest.raises(DuplicateId, match=r"qrels.tsv:4: passage 'p1' is judged 1 and 0"):
        collect_qrels(read_qrels(path))


def test_unknown_ids_are_answered_with_the_first_place_and_some_examples(tmp_path: Path) -> None:
    rows = "".join(f"q{n % 2}\tp{n}\t1\n" for n in range(9))
    qrels = collect_qrels(read_qrels(write(tmp_path / "qrels.tsv", HEADER + rows)))
    with pytest.raises(DanglingId) as raised:
        check_passages(qrels, {"p0", "p1", "p2"}, corpus="docs")
    assert "qrels.tsv:5: the judgements name 6 passage id(s)" in str(raised.value)
    assert "the corpus 'docs' does not hold: 'p3', 'p4', 'p5' and 3 more." in str(raised.value)
    with pytest.raises(DanglingId, match=r"qrels.tsv:3: .* 1 query id\(s\) .*: 'q1'\."):
        check_queries(qrels, {"q0"})


def test_judgements_of_no_file_are_checked_as_well() -> None:
    check_passages({"q": {"p": 1}}, {"p"})
    with pytest.raises(DanglingId, match=r"^the judgements name 1 passage"):
        check_passages({"q": {"p": 0}}, set())
