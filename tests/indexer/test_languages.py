"""Undeclared passages get the language of their text, declared ones stay as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from indexer.languages import CONFIDENCE, Languages
from retrieval.types import Passage

GERMAN = "Der Bus fährt alle zehn Minuten und hält nachts am Bahnhof."
THAI = "รถรางวิ่งทุกสิบนาที"


def told(*passages: Passage, detect: bool = True) -> tuple[list[Passage], Languages]:
    languages = Languages(detect=detect)
    return list(languages.of(iter(passages))), languages


def test_an_undeclared_language_is_detected_and_its_confidence_kept() -> None:
    [passage], languages = told(
        Passage(id="1", text=GERMAN, title="Bus", url="u", metadata={"page": 3})
    )
    assert (passage.id, passage.text, passage.title, passage.url) == ("1", GERMAN, "Bus", "u")
    assert passage.lang == "de"
    assert passage.metadata["page"] == 3
    confidence = passage.metadata[CONFIDENCE]
    assert isinstance(confidence, float)
    assert 0.9 < confidence <= 1
    assert languages.to_json() == {"detected": {"de": 1}, "undetermined": 0}


@pytest.mark.parametrize("lang", ["de", "th", "deu", "yue"])
def test_a_declared_language_is_never_doubted(lang: str) -> None:
    given = Passage(id="1", text=GERMAN, lang=lang)
    [passage], languages = told(given)
    assert passage is given
    assert languages.to_json() == {"detected": {}, "undetermined": 0}
    assert languages.lines() == []


@pytest.mark.parametrize("text", ["", "12:30", "😀", "ok", "Hello world"])
def test_what_cannot_be_told_stays_undeclared_without_a_confidence(text: str) -> None:
    given = Passage(id="1", text=text)
    [passage], languages = told(given)
    assert passage is given
    assert languages.to_json() == {"detected": {}, "undetermined": 1}


def test_the_title_helps_where_the_text_is_short_and_is_nothing_beside_a_long_one() -> None:
    short = Passage(id="1", text="12:30", title=GERMAN)
    long = Passage(id="2", text=THAI * 30, title=GERMAN)
    passages, _ = told(short, long)
    assert [passage.lang for passage in passages] == ["de", "th"]


def test_passages_keep_their_order_and_are_counted_by_language() -> None:
    texts = [GERMAN, THAI, "12:30", GERMAN]
    given = [Passage(id=str(i), text=text) for i, text in enumerate(texts)]
    declared = Passage(id="4", text=THAI, lang="th")
    passages, languages = told(*given, declared)
    assert [passage.id for passage in passages] == ["0", "1", "2", "3", "4"]
    assert [passage.lang for passage in passages] == ["de", "th", "und", "de", "th"]
    assert languages.to_json() == {"detected": {"de": 2, "th": 1}, "undetermined": 1}
    assert languages.lines() == ["detected: de 2, th 1; undetermined 1"]


def test_passages_stream_one_at_a_time() -> None:
    def endless() -> Iterator[Passage]:
        while True:
            yield Passage(id="1", text=GERMAN)

    stream = Languages(detect=True).of(endless())
    assert [next(stream).lang for _ in range(3)] == ["de", "de", "de"]


def test_without_detection_undeclared_passages_are_only_counted() -> None:
    given = Passage(id="1", text=GERMAN)
    [passage], languages = told(given, detect=False)
    assert passage is given
    assert languages.lines() == ["detected: none; undetermined 1"]


def test_declared_corpora_never_load_the_detector() -> None:
    code = (
        "import sys\n"
        "from indexer.languages import Languages\n"
        "from retrieval.types import Passage\n"
        "passages = [Passage(id='1', text='Bus', lang='de')]\n"
        "assert list(Languages(detect=True).of(passages)) == passages\n"
        "sys.exit('py3langid' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
