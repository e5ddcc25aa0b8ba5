from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInput, DuplicateId, MalformedFile, SynglotError, UnknownLanguage
from retrieval.formats.lareqa import XQUAD_R_CANDIDATES, read_lareqa, read_lareqa_file


def paragraph(sentences: list[str], questions: dict[str, int]) -> dict[str, Any]:
    """A paragraph of the sentences, with questions id -> offset of the answer."""
    context = " ".join(sentences)
    breaks, start = [], 0
    for sentence in sentences:
        breaks.append([start, start + len(sentence)])
        start += len(sentence) + 1
    qas = [
        {"id": name, "question": f"{name}?", "answers": [{"answer_start": offset, "text": "x"}]}
        for name, offset in questions.items()
    ]
    return {
        "context": context,
        "sentences": sentences,
        "sentence_breaks": breaks,
        "qas": qas,
    }


def document(*articles: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": "1", "data": [{"title": "t", "paragraphs": list(a)} for a in articles]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    german = document(
        [paragraph(["Eins.", "Zwei."], {"q1": 7})], [paragraph(["Drei.", "Drei."], {"q2": 0})]
    )
    thai = document([paragraph(["หนึ่ง", "สอง"], {"q1": 0})])
    (tmp_path / "de.json").write_text(json.dumps(german), "utf-8")
    (tmp_path / "th.json.gz").write_bytes(gzip.compress(json.dumps(thai).encode()))
    (tmp_path / "LICENSE").write_text("x")
    return tmp_path


def test_candidates_are_numbered_by_paragraph_and_sentence_over_the_file(folder: Path) -> None:
    data = read_lareqa(folder)
    assert [passage.id for passage in data.passages] == [
        "de-0-0",
        "de-0-1",
        "de-1-0",
        "de-1-1",
        "th-0-0",
        "th-0-1",
    ]
    assert data.passages[4].text == "หนึ่ง"
    assert data.counts == {
        "de": {"questions": 2, "candidates": 4},
        "th": {"questions": 1, "candidates": 2},
    }


def test_the_correct_sentences_of_every_language_are_relevant(folder: Path) -> None:
    query_set = read_lareqa(folder).query_set()
    assert [(q.id, q.lang, q.group) for q in query_set.queries] == [
        ("de:q1", "de", "q1"),
        ("de:q2", "de", "q2"),
        ("th:q1", "th", "q1"),
    ]
    both = {"de-0-1": 1, "th-0-0": 1}
    assert query_set.qrels == {"de:q1": both, "de:q2": {"de-1-0": 1}, "th:q1": both}


def test_files_may_be_named_one_by_one(folder: Path) -> None:
    assert read_lareqa([folder / "th.json.gz"]).languages == ("th",)
    assert read_lareqa(folder / "th.json.gz").languages == ("th",)


def test_the_published_counts_of_xquad_r_are_found(test_data: Path) -> None:
    data = read_lareqa(test_data / "lareqa" / "xquad-r")
    assert {lang: c["candidates"] for lang, c in data.counts.items()} == XQUAD_R_CANDIDATES
    assert {c["questions"] for c in data.counts.values()} == {1190}
    assert len(data.passages) == 13014
    query_set = data.query_set()
    assert len(query_set.queries) == 13090
    assert {len(judged) for judged in query_set.qrels.values()} == {11}


def test_xquad_r_with_a_question_or_a_candidate_less_is_refused(
    test_data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "xquad-r"
    folder.mkdir()
    for path in (test_data / "lareqa" / "xquad-r").glob("*.json.gz"):
        shutil.copyfile(path, folder / path.name)
    german = json.loads(gzip.decompress((folder / "de.json.gz").read_bytes()))
    (folder / "de.json.gz").unlink()
    german["data"][0]["paragraphs"][0]["qas"].pop()
    (folder / "de.json").write_text(json.dumps(german), "utf-8")
    with pytest.raises(MalformedFile, match=r"de.json: XQuAD-R has 1190 questions .* found 1189"):
        read_lareqa(folder)


def test_a_language_in_two_files_is_a_duplicate(folder: Path) -> None:
    shutil.copyfile(folder / "de.json", folder / "other.json")
    (folder / "sub").mkdir()
    shutil.copyfile(folder / "de.json", folder / "sub" / "de.json")
    with pytest.raises(DuplicateId, match="language 'de' occurs twice"):
        read_lareqa([folder / "de.json", folder / "sub" / "de.json"])


def test_a_folder_without_such_files_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no LANG.json or LANG.json.gz"):
        read_lareqa(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        read_lareqa(tmp_path / "missing")


@pytest.mark.parametrize("name", ["german.json", ".json", "und.json"])
def test_a_file_name_without_a_language_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"data":[]}')
    with pytest.raises(UnknownLanguage, match=r"LANG\.json"):
        read_lareqa_file(tmp_path / name)


def broken(change: str) -> dict[str, Any]:
    """A document of one paragraph with one thing wrong."""
    value = document([paragraph(["Eins.", "Zwei."], {"q1": 7})])
    first = value["data"][0]["paragraphs"][0]
    question = first["qas"][0]
    changes: dict[str, Callable[[], object]] = {
        "no data": lambda: value.pop("data"),
        "data is an object": lambda: value.update(data={}),
        "no sentences": lambda: first.pop("sentences"),
        "empty sentence": lambda: first["sentences"].__setitem__(1, " "),
        "breaks missing": lambda: first["sentence_breaks"].pop(),
        "break of three": lambda: first["sentence_breaks"][0].append(4),
        "break is text": lambda: first["sentence_breaks"].__setitem__(0, ["0", "5"]),
        "answer outside": lambda: question["answers"][0].update(answer_start=99),
        "answer between": lambda: question["answers"][0].update(answer_start=5),
        "overlap": lambda: first.update(sentence_breaks=[[0, 11], [6, 11]]),
        "no answers": lambda: question.update(answers=[]),
        "start is text": lambda: question["answers"][0].update(answer_start="7"),
        "id is a number": lambda: question.update(id=7),
        "empty question": lambda: question.update(question=""),
        "id twice": lambda: first["qas"].append(dict(question)),
    }
    changes[change]()
    return value


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("no data", MalformedFile, "the document has no field 'data'"),
        ("data is an object", MalformedFile, "data is dict, expected a list"),
        ("no sentences", MalformedFile, "data[0].paragraphs[0] has no field 'sentences'"),
        ("empty sentence", MalformedFile, "data[0].paragraphs[0].sentences[1] is empty"),
        ("breaks missing", MalformedFile, "sentence_breaks has 1 entries for 2 sentences"),
        ("break of three", MalformedFile, "sentence_breaks[0] has 3 numbers"),
        ("break is text", MalformedFile, "sentence_breaks[0][0] is str, expected an integer"),
        ("answer outside", MalformedFile, "answers[0].answer_start (99) lies in 0 sentences"),
        ("answer between", MalformedFile, "answers[0].answer_start (5) lies in 0 sentences"),
        ("overlap", MalformedFile, "answers[0].answer_start (7) lies in 2 sentences"),
        ("no answers", MalformedFile, "qas[0].answers is empty"),
        ("start is text", MalformedFile, "answer_start is str, expected an integer"),
        ("id is a number", MalformedFile, "qas[0].id is int, expected a string"),
        ("empty question", MalformedFile, "qas[0].question is empty"),
        ("id twice", DuplicateId, "qas[1]: question id 'q1' twice"),
    ],
)
def test_a_broken_document_is_answered_with_the_place_in_it(
    tmp_path: Path, change: str, error: type[SynglotError], message: str
) -> None:
    path = tmp_path / "de.json"
    path.write_text(json.dumps(broken(change)))
    with pytest.raises(error) as raised:
        read_lareqa_file(path)
    assert message in str(raised.value)
    assert raised.value.path == str(path)
