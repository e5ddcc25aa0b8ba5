from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retrieval.errors import DanglingId, DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.queries import (
    collect_queries,
    read_beir_queries,
    read_tags,
    read_trec_queries,
    with_tags,
    write_queries,
)
from retrieval.types import Query

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def write(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8", newline="\n")
    return path


def test_beir_queries_are_read_with_their_optional_fields(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        '{"_id":"1","text":"wo?"}\n'
        '{"_id":"2","text":"ที่ไหน","lang":"th","domain":"law","group":"g","metadata":{}}\n',
    )
    assert list(read_beir_queries(path, default_lang="de")) == [
        (1, Query(id="1", text="wo?", lang="de")),
        (2, Query(id="2", text="ที่ไหน", lang="th", domain="law", group="g")),
    ]


def test_trec_topics_are_split_at_their_first_tab(tmp_path: Path) -> None:
    path = write(tmp_path / "topics.tsv", "81674#0\tWo ist\tdas?\n\n2\tWas?\n")
    assert list(read_trec_queries(path, default_lang="de")) == [
        (1, Query(id="81674#0", text="Wo ist\tdas?", lang="de")),
        (3, Query(id="2", text="Was?", lang="de")),
    ]


def test_the_name_of_a_miracl_file_gives_its_language(test_data: Path) -> None:
    path = test_data / "miracl" / "topics.miracl-v1.0-th-dev.tsv"
    queries = [query for _, query in read_trec_queries(path)]
    assert len(queries) == 733
    assert {query.lang for query in queries} == {"th"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Query,
            id=text,
            text=text,
            lang=st.sampled_from(["und", "de", "th"]),
            domain=text | st.just(""),
            group=text | st.just(""),
        ),
        max_size=5,
    )
)
@example([Query(id="q", text="A group of that name?", group="und", domain="und")])
def test_any_query_survives_writing_and_reading(tmp_path: Path, queries: list[Query]) -> None:
    path = tmp_path / "q.jsonl"
    write_queries(queries, path)
    assert [query for _, query in read_beir_queries(path)] == queries


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "broken JSON"),
        ('{"text":"a"}', "no field '_id' or 'id'"),
        ('{"_id":"1"}', "no field 'text'"),
        ('{"_id":"1","text":""}', "field 'text' is empty"),
        ('{"_id":1,"text":"a"}', "field '_id' is int"),
        ('{"_id":"1","text":"a","group":3}', "field 'group' is int"),
    ],
)
def test_a_broken_beir_query_is_answered_with_its_line(
    tmp_path: Path, line: str, message: str
) -> None:
    path = write(tmp_path / "q.jsonl", f'{{"_id":"0","text":"a"}}\n{line}\n')
    with pytest.raises(MalformedFile, match=rf"q.jsonl:2: {message}"):
        list(read_beir_queries(path))


def test_an_unknown_language_is_answered_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", '{"_id":"1","text":"a","lang":"xx"}')
    with pytest.raises(UnknownLanguage, match=r"q.jsonl:1: unknown language code 'xx'"):
        list(read_beir_queries(path))


@pytest.mark.parametrize("line", ["no tab", "\ttext", "id\t", "id\t  "])
def test_a_broken_topic_is_answered_with_its_line(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "t.tsv", f"1\ta\n{line}\n")
    with pytest.raises(MalformedFile, match=r"t.tsv:2: expected a query id, a tab"):
        list(read_trec_queries(path))


def test_two_queries_of_one_id_are_refused_with_the_second_place() -> None:
    query = Query(id="1", text="a")
    with pytest.raises(DuplicateId, match=r"b.tsv:7: query id '1' occurs twice"):
        collect_queries([(Path("a.tsv"), 1, query), (Path("b.tsv"), 7, query)])


def test_tags_are_put_on_the_queries_they_name(tmp_path: Path) -> None:
    domains = read_tags(write(tmp_path / "d.tsv", "1\tlaw\n1\tlaw\n"))
    queries = [Query(id="1", text="a"), Query(id="2", text="b", domain="news")]
    tagged = with_tags(queries, domains=domains, groups={"2": "g"})
    assert [(q.domain, q.group) for q in tagged] == [("law", ""), ("news", "g")]


def test_a_tag_of_an_unknown_query_is_refused() -> None:
    with pytest.raises(DanglingId, match=r"1 tag\(s\) .* '9'"):
        with_tags([Query(id="1", text="a")], domains={"9": "law"})


@pytest.mark.parametrize(
    ("line", "error"), [("1", MalformedFile), ("1\t", MalformedFile), ("0\tnews", DuplicateId)]
)
def test_a_broken_tag_is_answered_with_its_line(
    tmp_path: Path, line: str, error: type[Exception]
) -> None:
    path = write(tmp_path / "d.tsv", f"0\tlaw\n{line}\n")
    with pytest.raises(error, match=r"d.tsv:2: "):
        read_tags(path)
