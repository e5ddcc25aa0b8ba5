"""Sentences cover their text, and are found in many scripts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sentences import safe_cut, sentence_spans

SCRIPTS = (
    "Where? Dr. Smith said so. Well! ",
    "Wo? z. B. hier. „Gut.“ ",
    "ฉันไปโรงเรียน วันนี้อากาศดี ",
    "在哪里？电车每十分钟一班。",
    "私は行く。そうだ！",
    "नमस्ते। ठीक है। ",
    "أين؟ نعم. ",
    "👩‍👩‍👧 e\u0301 \u200f\u202b ",
    "\n",
    "\n\n",
    "\r\n",
    " \t ",
    "(«\"'[",
    "x",
)
TEXTS = st.lists(st.sampled_from(SCRIPTS) | st.text(max_size=8), max_size=60).map("".join)


@settings(deadline=None)
@given(text=TEXTS, lang=st.sampled_from(["en", "th", "zh-Hant", "und", "haw", "ar"]))
def test_spans_cover_any_text_in_order(text: str, lang: str) -> None:
    spans = list(sentence_spans(text, lang))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        ("en", ["Dr. Smith came. ", "He left! ", "Why?"]),
        ("de", ["Es gibt z. B. Busse. ", "Und Bahnen."]),
        ("zh", ["在哪里？", "电车每十分钟一班。", "好。"]),
        ("ja", ["私は行く。", "そうだ！", "はい。"]),
        ("hi", ["नमस्ते। ", "ठीक है। ", "हाँ।"]),
        ("ar", ["أين تجديد البطاقة؟ ", "نعم هنا. ", "شكرا."]),
        ("en", ["A heading\n\n", "A text without an end\n \n", "Another"]),
    ],
)
def test_sentences_are_found(lang: str, sentences: list[str]) -> None:
    text = "".join(sentences)
    assert [text[start:end] for start, end in sentence_spans(text, lang)] == sentences


def test_an_undeclared_language_still_has_sentences() -> None:
    text = "在哪里？नमस्ते। ठीक है। Yes. No."
    assert len(list(sentence_spans(text, "und"))) == 5


@pytest.mark.parametrize("unit", ["«a. “b. ", '"', "a", "a\n\n", "。", "\u0301"])
def test_texts_that_take_the_library_quadratic_time_take_linear_time(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    began = time.perf_counter()
    spans = list(sentence_spans(text, "en"))
    assert time.perf_counter() - began < 20
    assert spans[-1][1] == len(text)
    assert max(end - start for start, end in spans) <= 4096


def test_a_cut_is_after_white_space_or_before_a_letter_with_its_marks() -> None:
    assert safe_cut("one two three", 0, 11) == 8
    assert safe_cut("xxxe\u0301\u0302yy", 0, 5) == 3
    assert safe_cut("👩\u200d👩\u200d👧", 0, 2) == 2 or safe_cut("a👩\u200d👩", 0, 3) == 1
    assert safe_cut("\u0301" * 9, 0, 4) == 4
    assert safe_cut("abc", 0, 3) == 3
