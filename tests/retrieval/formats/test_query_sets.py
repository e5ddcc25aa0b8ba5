from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from retrieval.errors import BadInput, DanglingId, DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.query_sets import Layout, read_query_set, tell_layout
from retrieval.types import Query

BEIR = '{"_id":"q1","text":"wo?","lang":"de"}\n{"_id":"q2","text":"was?"}\n'
BEIR_QRELS = "query-id\tcorpus-id\tscore\nq1\tp1\t1\nq2\tp2\t0\n"
TREC = "q1\two?\nq2\twas?\n"
TREC_QRELS = "q1 0 p1 1\nq2 0 p2 0\n"
QRELS = {"q1": {"p1": 1}, "q2": {"p2": 0}}
JSON = {
    "queries": [{"id": "q1", "text": "wo?", "lang": "de", "domain": "law", "group": "g"}],
    "qrels": {"q1": {"p1": 1}},
}
LAREQA = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": "Eins. Zwei.",
                    "sentences": ["Eins.", "Zwei."],
                    "sentence_breaks": [[0, 5], [6, 11]],
                    "qas": [{"id": "q", "question": "?", "answers": [{"answer_start": 6}]}],
                }
            ]
        }
    ]
}


def write(path: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8", newline="\n")
    return path


@pytest.mark.parametrize("qrels", [BEIR_QRELS, TREC_QRELS])
@pytest.mark.parametrize(
    ("name", "queries", "first"),
    [
        ("queries.jsonl", BEIR, "de"),
        ("queries.jsonl.gz", BEIR, "de"),
        ("upload", BEIR, "de"),
        ("topics.tsv", TREC, "th"),
        ("upload", TREC, "th"),
    ],
)
def test_queries_and_judgements_of_any_layouts_go_together(
    tmp_path: Path, name: str, queries: str, first: str, qrels: str
) -> None:
    query_set = read_query_set(
        [write(tmp_path / name, queries)],
        [write(tmp_path / "qrels", qrels)],
        default_lang="th",
    )
    assert query_set.queries == (
        Query(id="q1", text="wo?", lang=first),
        Query(id="q2", text="was?", lang="th"),
    )
    assert query_set.qrels == QRELS


@pytest.mark.parametrize("indent", [None, 2])
def test_one_json_object_holds_both(tmp_path: Path, indent: int | None) -> None:
    path = write(tmp_path / "set.json", json.dumps(JSON, indent=indent))
    query_set = read_query_set([path])
    assert query_set.queries == (Query(id="q1", text="wo?", lang="de", domain="law", group="g"),)
    assert query_set.qrels == {"q1": {"p1": 1}}


def test_json_queries_may_have_their_judgements_in_another_file(tmp_path: Path) -> None:
    path = write(tmp_path / "set.json", {"queries": JSON["queries"]})
    qrels = write(tmp_path / "qrels.txt", "q1 0 p1 1\n")
    assert read_query_set([path], [qrels]).qrels == {"q1": {"p1": 1}}


def test_lareqa_files_answer_each_other_over_the_pool(tmp_path: Path) -> None:
    paths = [write(tmp_path / "de.json.gz", LAREQA), write(tmp_path / "th.json", LAREQA)]
    query_set = read_query_set(paths)
    both = {"de-0-1": 1, "th-0-1": 1}
    assert query_set.qrels == {"de:q": both, "th:q": both}
    assert {query.group for query in query_set.queries} == {"q"}


def test_the_judged_topics_of_miracl_are_read(test_data: Path) -> None:
    folder = test_data / "miracl"
    query_set = read_query_set(
        [folder / "topics.miracl-v1.0-yo-dev.tsv"], [folder / "qrels.miracl-v1.0-yo-dev.tsv"]
    )
    assert len(query_set.queries) == len(query_set.qrels) == 119
    assert {query.lang for query in query_set.queries} == {"yo"}


def test_several_files_of_several_layouts_make_one_set(tmp_path: Path) -> None:
    query_set = read_query_set(
        [
            write(tmp_path / "q.jsonl", BEIR),
            write(tmp_path / "t.tsv", "q3\twer?\n"),
            write(tmp_path / "de.json", LAREQA),
        ],
        [write(tmp_path / "a", BEIR_QRELS), write(tmp_path / "b", "q3 0 p1 1\n")],
    )
    assert set(query_set.qrels) == {"q1", "q2", "q3", "de:q"}


def test_domains_and_groups_come_from_files_of_their_own(tmp_path: Path) -> None:
    query_set = read_query_set(
        [write(tmp_path / "t.tsv", TREC)],
        [write(tmp_path / "qrels", TREC_QRELS)],
        domains=write(tmp_path / "domains.tsv", "q1\tlaw\n"),
        groups=write(tmp_path / "groups.tsv", "q2\tg\n"),
    )
    assert [(q.domain, q.group) for q in query_set.queries] == [("law", ""), ("", "g")]


def test_a_named_layout_is_taken_at_its_word(tmp_path: Path) -> None:
    queries, qrels = write(tmp_path / "t.jsonl", TREC), write(tmp_path / "q", TREC_QRELS)
    assert read_query_set([queries], [qrels], layout=Layout.MIRACL).qrels == QRELS
    with pytest.raises(MalformedFile, match=r"t.jsonl:1: broken JSON"):
        read_query_set([queries], [qrels])
    with pytest.raises(MalformedFile, match=r"q:1: 1 columns"):
        read_query_set([write(tmp_path / "b.jsonl", BEIR)], [qrels], layout=Layout.BEIR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("what?\n", "cannot tell the layout by the first line 'what\\?'"),
        ('{"a": 1}', r"a JSON object with the fields \['a'\] begins no query set"),
        ('{"queries": [', "broken JSON"),
    ],
)
def test_a_file_of_no_layout_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(MalformedFile, match=message):
        tell_layout(write(tmp_path / "upload", content))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"queries": {}}, "queries is dict, expected a list"),
        ({"queries": [{"id": "q1"}]}, r"queries\[0\] has no field 'text'"),
        ({"queries": [{"id": 1, "text": "a"}]}, r"queries\[0\].id is int"),
        ({**JSON, "qrels": []}, "qrels is list, expected an object"),
        ({**JSON, "qrels": {"q1": {"p1": 1.5}}}, "qrels.q1.p1 is float, expected an integer"),
        ({**JSON, "qrels": {"q1": ["p1"]}}, "qrels.q1 is list, expected an object"),
    ],
)
def test_a_broken_json_set_is_answered_with_the_place_in_it(
    tmp_path: Path, value: object, message: str
) -> None:
    with pytest.raises(MalformedFile, match=rf"set.json: {message}"):
        read_query_set([write(tmp_path / "set.json", value)])


def test_an_unknown_language_in_json_is_answered_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "s.json", {"queries": [{"id": "1", "text": "a", "lang": "xx"}]})
    with pytest.raises(UnknownLanguage, match=r"s.json: queries\[0\]: unknown language code 'xx'"):
        read_query_set([path])


def test_judgements_of_an_unknown_query_are_answered_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DanglingId, match=r"qrels:3: .*the query set does not hold: 'q9'"):
        read_query_set(
            [write(tmp_path / "t.tsv", TREC)],
            [write(tmp_path / "qrels", TREC_QRELS + "q9 0 p1 1\n")],
        )


def test_a_query_id_in_two_files_is_a_duplicate(tmp_path: Path) -> None:
    with pytest.raises(DuplicateId, match=r"t.tsv:1: query id 'q1' occurs twice"):
        read_query_set([write(tmp_path / "q.jsonl", BEIR), write(tmp_path / "t.tsv", TREC)])


def test_a_set_without_judgements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no judgements"):
        read_query_set([write(tmp_path / "t.tsv", TREC)])
