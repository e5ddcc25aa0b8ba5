"""The bundled knowledge base keeps its promises: complete, natural in script, honestly held out."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import retrieval

PATH = Path(retrieval.__file__).parent / "demo" / "knowledge_base.jsonl"
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
SCRIPTS = {
    "ar": "ARABIC",
    "el": "GREEK",
    "hi": "DEVANAGARI",
    "ru": "CYRILLIC",
    "th": "THAI",
    "zh": "CJK",
}
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in PATH.read_text("utf-8").splitlines()]


def texts_of(record: dict[str, Any], lang: str) -> list[str]:
    questions = [question[lang] for question in record["questions"]]
    return [record["title"][lang], record["passage"][lang], *questions]


def units(text: str, lang: str) -> set[str]:
    """Content words of a text, crudely and strictly.

    With spaces between words: words of four or more letters, told apart by their first five (a
    stemmer that takes more words for equal than a reader would). Without: every two characters of
    Chinese, every four of Thai.
    """
    marks = "".join(
        c if unicodedata.category(c)[0] in "LMN" else " "
        for c in unicodedata.normalize("NFC", text).casefold()
    )
    words = marks.split()
    if lang in ("zh", "th"):
        width = 2 if lang == "zh" else 4
        return {word[i : i + width] for word in words for i in range(len(word) - width + 1)}
    return {word[:5] for word in words if len(word) >= 4}


def test_every_passage_is_written_in_all_eleven_languages() -> None:
    for record in RECORDS:
        assert list(record) == ["id", "topic", "split", "title", "passage", "questions"]
        assert len(record["questions"]) == 2
        for texts in (record["title"], record["passage"], *record["questions"]):
            assert tuple(texts) == LANGUAGES
            assert all(text == text.strip() and text for text in texts.values())


def test_there_are_at_least_twelve_passages_with_names_of_their_own() -> None:
    names = [record["id"] for record in RECORDS]
    assert len(names) == len(set(names)) >= 12
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


def test_half_of_the_passages_are_held_out() -> None:
    splits = Counter(record["split"] for record in RECORDS)
    assert splits["train"] == splits["held-out"] == len(RECORDS) / 2


def test_no_text_appears_twice() -> None:
    texts = Counter(text for r in RECORDS for lang in LANGUAGES for text in texts_of(r, lang)[1:])
    assert texts.most_common(1)[0][1] == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_text_is_mostly_in_the_script_of_its_language(lang: str) -> None:
    for record in RECORDS:
        for text in texts_of(record, lang):
            letters = [unicodedata.name(c, "") for c in text if unicodedata.category(c)[0] == "L"]
            native = [name for name in letters if name.startswith(SCRIPTS.get(lang, "LATIN"))]
            assert len(native) >= 0.8 * len(letters), text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_question_shares_more_than_half_of_its_content_words_with_its_passage(lang: str) -> None:
    for record in RECORDS:
        passage = units(f"{record['title'][lang]} {record['passage'][lang]}", lang)
        for question in record["questions"]:
            asked = units(question[lang], lang)
            assert asked
            assert len(asked & passage) <= len(asked) / 2, question[lang]
