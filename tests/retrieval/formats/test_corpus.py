from __future__ import annotations

import csv
import gzip
from datetime import date
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput, DuplicateId, MalformedFile, SynglotError, UnknownLanguage
from retrieval.formats.corpus import ENDINGS, read_corpus, write_corpus
from retrieval.types import Passage

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(*paths: Path, default_lang: str = "und") -> list[Passage]:
    return list(read_corpus(paths, default_lang=default_lang))


PASSAGE = Passage(
    id="p1", text="Öffnungszeiten", title="Bad", lang="de", url="https://x.org", metadata={"n": 1}
)
LINE = (
    '{"id":"p1","text":"Öffnungszeiten","title":"Bad","lang":"de","url":"https://x.org",'
    '"metadata":{"n":1}}\n'
)


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_jsonl_is_read_plain_and_compressed(tmp_path: Path, ending: str) -> None:
    pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}
    content = pack.get(ending.rpartition(".")[2], bytes)(LINE.encode())
    assert read(write(tmp_path / f"c{ending}", content)) == [PASSAGE]
    assert ending in ENDINGS


def test_beir_and_miracl_records_are_read(tmp_path: Path) -> None:
    beir = write(tmp_path / "corpus.jsonl", '{"_id":"1","title":"T","text":"a","metadata":{}}\n')
    miracl = write(tmp_path / "docs-0.jsonl", '{"docid":"12#0","title":"T","text":"b"}\n')
    assert [p.id for p in read(beir, miracl)] == ["1", "12#0"]
    assert read(miracl)[0].to_encode == "T b"


def test_an_undeclared_language_is_the_default_one(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.jsonl",
        '{"id":"1","text":"a"}\n{"id":"2","text":"b","lang":"th"}\n{"id":"3","text":"c","lang":null}\n',
    )
    assert [p.lang for p in read(path, default_lang="de")] == ["de", "th", "de"]
    assert [p.lang for p in read(path)] == ["und", "th", "und"]


def test_other_fields_are_kept_as_metadata(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"id":"1","text":"a","year":2020,"metadata":{"x":[1]}}')
    assert read(path)[0].metadata == {"year": 2020, "x": [1]}


def test_csv_is_read_with_quotes_and_line_ends_inside_cells(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "text", "title", "lang", "url", "topic"])
        rows.writerow(["1", 'He said "no",\n\nthen left', "", "en", "", "law"])
        rows.writerow(["2", "x" * 200_000, "T", "", "https://x.org", ""])
    first, second = read(path, default_lang="de")
    assert first == Passage(
        id="1", text='He said "no",\n\nthen left', lang="en", metadata={"topic": "law"}
    )
    assert (second.title, second.lang, second.url) == ("T", "de", "https://x.org")


def test_tsv_is_read_without_quoting(tmp_path: Path) -> None:
    path = write(tmp_path / "c.tsv", 'id\ttext\tmetadata\n1\t"Halt!" rief er\t{"n": 2}\n')
    assert read(path) == [Passage(id="1", text='"Halt!" rief er', metadata={"n": 2})]


def test_parquet_is_read_and_its_other_types_become_text(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    table = pa.table(
        {
            "id": ["1", "2"],
            "text": ["a", "b"],
            "lang": ["de", None],
            "day": [date(2024, 5, 1), None],
        }
    )
    pq.write_table(table, path)
    assert read(path) == [
        Passage(id="1", text="a", lang="de", metadata={"day": "2024-05-01"}),
        Passage(id="2", text="b"),
    ]


def test_lareqa_sentences_are_passages(tmp_path: Path) -> None:
    path = write(
        tmp_path / "de.json",
        '{"data":[{"paragraphs":[{"context":"A. B.","sentences":["A.","B."],'
        '"sentence_breaks":[[0,2],[3,5]],"qas":[]}]}]}',
    )
    assert read(path) == [
        Passage(id="de-0-0", text="A.", lang="de"),
        Passage(id="de-0-1", text="B.", lang="de"),
    ]


def test_the_published_candidates_are_read_from_the_shared_data(test_data: Path) -> None:
    paths = sorted((test_data / "lareqa" / "xquad-r").glob("*.json.gz"))
    assert len({passage.id for passage in read_corpus(paths)}) == 13014


passages = st.builds(
    Passage,
    id=text,
    text=text,
    title=text | st.just(""),
    lang=st.sampled_from(["und", "de", "zh-Hant", "yor"]),
    url=text | st.just(""),
    metadata=st.dictionaries(text, st.none() | st.integers(-(2**53), 2**53) | st.text("aé漢")),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(passages, unique_by=lambda passage: passage.id, max_size=5))
def test_any_passage_survives_writing_and_reading(tmp_path: Path, passages: list[Passage]) -> None:
    path = tmp_path / "c.jsonl"
    write_corpus(passages, path)
    assert read(path) == passages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(text, text), unique_by=lambda row: row[0], min_size=1, max_size=5))
def test_any_text_survives_a_csv_file(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "c.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("id", "text"), *rows])
    assert [(p.id, p.text) for p in read(path)] == rows


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("c.jsonl", '{"id":"1","text":"a"}\n{"id":', MalformedFile, "c.jsonl:2: broken JSON"),
        ("c.jsonl", '["1"]', MalformedFile, "c.jsonl:1: expected a JSON object, found list"),
        ("c.jsonl", '{"text":"a"}', MalformedFile, "c.jsonl:1: no field 'id' or '_id' or 'docid'"),
        ("c.jsonl", '{"id":"1"}', MalformedFile, "c.jsonl:1: no field 'text'"),
        ("c.jsonl", '{"id":1,"text":"a"}', MalformedFile, "field 'id' is int, expected a string"),
        ("c.jsonl", '{"id":"1","text":" "}', MalformedFile, "c.jsonl:1: field 'text' is empty"),
        ("c.jsonl", '{"id":"1","text":"a","title":3}', MalformedFile, "field 'title' is int"),
        ("c.jsonl", '{"id":"1","text":"a","metadata":3}', MalformedFile, "'metadata' is int"),
        ("c.jsonl", '{"id":"1","text":"a","lang":"german"}', UnknownLanguage, "c.jsonl:1: unknown"),
        ("c.jsonl", '{"id":"1","text":"a","lang":7}', UnknownLanguage, "c.jsonl:1: unknown"),
        ("c.jsonl", '{"id":"1","text":"a"}\n' * 2, DuplicateId, "c.jsonl:2: passage id '1' occurs"),
        ("c.jsonl", b'{"id":"1","text":"\xe4"}', MalformedFile, "c.jsonl:1: not UTF-8"),
        ("c.jsonl.gz", "plain", MalformedFile, "broken compression"),
        ("c.csv", "id,text\n1\n", MalformedFile, "c.csv:2: 1 cells, expected 2"),
        ("c.csv", 'id,text\n1,"a\nb"\n2,"c" d\n', MalformedFile, "c.csv:4: broken CSV"),
        ("c.csv", 'id,text\n1,"a\nb"\n2,\n', MalformedFile, "c.csv:4: no field 'text'"),
        ("c.csv", b"id,text\n1,\xff\n", MalformedFile, "c.csv:2: not UTF-8"),
        ("c.csv.gz", "plain", MalformedFile, "broken compression"),
        ("c.csv", "id,id\n", MalformedFile, "c.csv:1: the header has an empty or repeated column"),
        ("c.tsv", "id\ttext\n1\ta\tb\n", MalformedFile, "c.tsv:2: 3 cells, expected 2"),
        ("c.tsv", "id\ttext\tmetadata\n1\ta\tb\n", MalformedFile, "c.tsv:2: broken JSON"),
        ("c.parquet", "plain", MalformedFile, "not a Parquet file"),
        ("c.xml", "plain", BadInput, "cannot tell the layout by the file's ending"),
        ("german.json", '{"data":[]}', UnknownLanguage, "german.json: unknown language code"),
    ],
)
def test_bad_input_is_answered_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, error: type[SynglotError], message: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(error) as raised:
        read(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_an_id_that_another_file_has_is_a_duplicate(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", '{"id":"1","text":"a"}')
    second = write(tmp_path / "b.csv", "id,text\n1,b\n")
    with pytest.raises(DuplicateId, match=r"b.csv:2: passage id '1'"):
        read(first, second)


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.tsv", "c.parquet", "de.json"])
def test_a_file_that_does_not_exist_is_bad_input(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=name):
        read(tmp_path / name)


def test_an_unknown_default_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguage, match="german"):
        read(write(tmp_path / "c.jsonl", LINE), default_lang="german")


def test_passages_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", '{"id":"1","text":"a"}\nbroken\n')
    passages = read_corpus([path])
    assert next(passages).id == "1"
    with pytest.raises(MalformedFile):
        next(passages)


@pytest.mark.slow
def test_a_million_copies_of_a_text_are_read_and_the_first_repeated_id_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "copies.jsonl"
    with path.open("w") as stream:
        stream.writelines(f'{{"id":"p{n}","text":"The same text."}}\n' for n in range(1_000_000))
        stream.write('{"id":"p5","text":"The same text."}\n')
    passages = read_corpus([path])
    assert sum(1 for _ in islice(passages, 1_000_000)) == 1_000_000
    with pytest.raises(DuplicateId, match="'p5' occurs twice") as raised:
        next(passages)
    assert raised.value.where == f"{path}:1000001"
