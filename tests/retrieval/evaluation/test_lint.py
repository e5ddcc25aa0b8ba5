"""Every rule finds what it is for, says where, and finds nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.errors import BadInput, DanglingId
from retrieval.evaluation.lint import Rule, check_strict, lint, twins
from retrieval.formats.query_sets import read_query_set
from retrieval.types import Query, QuerySet

CLEAN = [
    '{"_id": "q1", "text": "Where can I renew my library card?", "lang": "en"}',
    '{"_id": "q2", "text": "Wo kann ich meinen Ausweis verlängern lassen?", "lang": "de"}',
]
JUDGED = ["query-id\tcorpus-id\tscore", "q1\tp1\t1", "q2\tp2\t1"]


def read(folder: Path, queries: list[str], qrels: list[str]) -> QuerySet:
    (folder / "queries.jsonl").write_text("\n".join(queries) + "\n", "utf-8")
    (folder / "qrels.tsv").write_text("\n".join(qrels) + "\n", "utf-8")
    return read_query_set([folder / "queries.jsonl"], [folder / "qrels.tsv"])


def test_a_clean_set_has_no_finding(tmp_path: Path) -> None:
    assert lint(read(tmp_path, CLEAN, JUDGED), passage_ids=["p1", "p2"]) == []


CASES = [
    (Rule.UNJUDGED_QUERY, ['{"_id": "q3", "text": "And this one?", "lang": "en"}'], [], "'q3'", 3),
    (
        Rule.NO_POSITIVES,
        ['{"_id": "q3", "text": "And this one?", "lang": "en"}'],
        ["q3\tp1\t0"],
        "'q3'",
        3,
    ),
    (Rule.REPEATED_JUDGEMENT, [], ["q1\tp1\t1"], "'q1 p1'", 4),
    (
        Rule.REPEATED_TEXT,
        ['{"_id": "q3", "text": "Where can I renew my library card?", "lang": "en"}'],
        ["q3\tp1\t1"],
        "'q3'",
        3,
    ),
    (
        Rule.UNICODE_TWINS,
        [
            '{"_id": "qu\\u0308", "text": "Is this one new?", "lang": "en"}',
            '{"_id": "q\\u00fc", "text": "Is this one newer?", "lang": "en"}',
        ],
        ["qu\u0308\tp1\t1", "q\u00fc\tp1\t1"],
        "'qü'",
        4,
    ),
    (
        Rule.QUERY_IS_PASSAGE,
        ['{"_id": "p2", "text": "What is it that they argue?", "lang": "en"}'],
        ["p2\tp1\t1"],
        "'p2'",
        3,
    ),
    (
        Rule.UNDECLARED_LANGUAGE,
        ['{"_id": "q3", "text": "And this one?"}'],
        ["q3\tp1\t1"],
        "'q3'",
        3,
    ),
    (
        Rule.OTHER_LANGUAGE,
        ['{"_id": "q3", "text": "Wie lange darf ich ein Buch behalten?", "lang": "th"}'],
        ["q3\tp1\t1"],
        "'q3 (th, reads as de)'",
        3,
    ),
]


@pytest.mark.parametrize(
    ("rule", "queries", "qrels", "example", "line"), CASES, ids=[case[0] for case in CASES]
)
def test_each_rule_finds_its_case_with_file_and_line(
    tmp_path: Path, rule: Rule, queries: list[str], qrels: list[str], example: str, line: int
) -> None:
    query_set = read(tmp_path, CLEAN + queries, JUDGED + qrels)
    (finding,) = lint(query_set, passage_ids=["p1", "p2"])
    assert finding.rule is rule
    assert (finding.count, finding.examples) == (1, (example,))
    assert finding.place is not None
    assert finding.place[1] == line
    assert str(finding).startswith(f"{finding.place[0]}:{line}: 1 ")
    assert f"[{rule}]" in str(finding)
    record = finding.to_json()
    assert (record["rule"], record["severity"], record["line"]) == (rule.value, "warning", line)
    assert record["file"] == finding.place[0].name


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(Rule)


def test_passages_that_differ_by_normalisation_alone_are_found() -> None:
    query_set = QuerySet(queries=(Query(id="q", text="Ja?", lang="de"),), qrels={"q": {"é": 1}})
    (finding,) = lint(query_set, passage_ids=["é", "e\u0301", "f"])
    assert (finding.rule, finding.count, finding.place) == (Rule.UNICODE_TWINS, 1, None)


def test_twins_are_told_by_compatibility_and_blanks() -> None:
    assert list(twins(["a", "ａ", "b", "b ", "c", "C"])) == ["ａ", "b "]


def test_examples_are_the_first_three_of_all() -> None:
    queries = tuple(Query(id=f"q{n}", text=f"Number {n}?") for n in range(7))
    query_set = QuerySet(queries=queries, qrels={query.id: {"p": 1} for query in queries})
    (finding,) = lint(query_set)
    assert (finding.count, finding.examples) == (7, ("'q0'", "'q1'", "'q2'"))
    assert "'q0', 'q1', 'q2' and 4 more" in str(finding)


def test_strict_makes_the_first_finding_an_error_with_its_place(tmp_path: Path) -> None:
    queries = [*CLEAN, '{"_id": "q3", "text": "And this one?"}']
    findings = lint(read(tmp_path, queries, JUDGED))
    with pytest.raises(BadInput, match="1 queries have no judgement") as caught:
        check_strict(findings)
    assert caught.value.where == f"{tmp_path / 'queries.jsonl'}:3"
    check_strict([])


def test_a_judged_id_in_another_normalisation_is_refused_with_that_reason(tmp_path: Path) -> None:
    queries = ['{"_id": "q\\u00fc", "text": "Wo ist das?", "lang": "de"}']
    with pytest.raises(DanglingId, match="another Unicode normalisation") as caught:
        read(tmp_path, queries, ["query-id\tcorpus-id\tscore", "qu\u0308\tp1\t1"])
    assert caught.value.where == f"{tmp_path / 'qrels.tsv'}:2"
