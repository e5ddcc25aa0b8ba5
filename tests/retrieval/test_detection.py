"""Languages are detected, and wrong declarations found without false alarms."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.detection import (
    DETECTABLE,
    FREQUENT,
    SURE,
    UNDETERMINED,
    Detected,
    Detector,
    agrees,
    contradicts,
)
from retrieval.formats.lareqa import read_lareqa
from retrieval.formats.queries import read_trec_queries
from retrieval.languages import ISO_639_1, is_language, same_written

SAMPLES = {
    "ar": "تسير الحافلة كل عشر دقائق في أيام العمل.",
    "bn": "বাস প্রতি দশ মিনিটে চলে এবং রাতে থামে না।",
    "cs": "Autobus jezdí každých deset minut a v noci staví u nádraží.",
    "de": "Der Bus fährt alle zehn Minuten und hält nachts am Bahnhof.",
    "el": "Το λεωφορείο περνά κάθε δέκα λεπτά.",
    "en": "The bus runs every ten minutes and stops at the station at night.",
    "es": "El autobús pasa cada diez minutos y por la noche para en la estación.",
    "fa": "اتوبوس هر ده دقیقه یک بار حرکت می‌کند و شب‌ها در ایستگاه می‌ایستد.",
    "fi": "Bussi kulkee kymmenen minuutin välein ja pysähtyy yöllä asemalla.",
    "fr": "Le bus passe toutes les dix minutes et s'arrête la nuit à la gare.",
    "he": "האוטובוס עובר כל עשר דקות ועוצר בלילה בתחנה.",
    "hi": "बस हर दस मिनट में चलती है और रात में स्टेशन पर रुकती है।",
    "id": "Bus berangkat setiap sepuluh menit dan berhenti di stasiun pada malam hari.",
    "it": "L'autobus passa ogni dieci minuti e di notte si ferma alla stazione.",
    "ja": "バスは十分おきに走り、夜は駅に停まります。",
    "ko": "버스는 십 분마다 운행하며 밤에는 역에 정차합니다.",
    "pl": "Autobus kursuje co dziesięć minut, a w nocy zatrzymuje się przy dworcu.",
    "pt": "O ônibus passa a cada dez minutos e à noite para na estação.",
    "ru": "Автобус ходит каждые десять минут, а ночью останавливается у вокзала.",
    "sw": "Basi hupita kila baada ya dakika kumi na usiku husimama kituoni.",
    "te": "బస్సు ప్రతి పది నిమిషాలకు నడుస్తుంది.",
    "th": "รถประจำทางวิ่งทุกสิบนาที",
    "tr": "Otobüs her on dakikada bir geçer ve geceleri istasyonda durur.",
    "uk": "Автобус ходить кожні десять хвилин, а вночі зупиняється біля вокзалу.",
    "vi": "Xe buýt chạy mười phút một chuyến và ban đêm dừng ở nhà ga.",
    "yo": "Ọkọ̀ akérò máa ń lọ ní ìṣẹ́jú mẹ́wàá mẹ́wàá.",
    "zh": "公共汽车每十分钟一班，夜间停靠火车站。",
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@dataclass(frozen=True)
class Judged:
    """A text with its true language, another one, and what was detected."""

    lang: str
    other: str
    text: str
    detected: Detected


def judge(detector: Detector, texts: list[tuple[str, str]]) -> list[Judged]:
    languages = sorted({lang for lang, _ in texts})
    chance = random.Random(0)  # noqa: S311
    return [
        Judged(lang, chance.choice([c for c in languages if c != lang]), text, detected)
        for (lang, text), detected in zip(
            texts, detector.detect([text for _, text in texts]), strict=True
        )
    ]


@pytest.fixture(scope="module")
def questions(detector: Detector, test_data: Path) -> list[Judged]:
    """All of XQuAD-R's questions."""
    files = read_lareqa(test_data / "lareqa" / "xquad-r").files
    return judge(detector, [(q.lang, q.text) for file in files for q in file.queries])


@pytest.fixture(scope="module")
def topics(detector: Detector, test_data: Path) -> list[Judged]:
    """All of MIRACL's topics."""
    paths = sorted((test_data / "miracl").glob("topics.*.tsv"))
    return judge(detector, [(q.lang, q.text) for path in paths for _, q in read_trec_queries(path)])


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def accuracy(judged: list[Judged], lang: str | None = None) -> float:
    return share([j.detected.lang == j.lang for j in judged if lang in (None, j.lang)])


@pytest.mark.parametrize("lang", SAMPLES)
def test_a_sentence_is_detected_with_confidence(detector: Detector, lang: str) -> None:
    [found] = detector.detect([SAMPLES[lang]])
    assert found.lang == lang
    assert SURE < found.confidence <= 1


@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "😀🎉", "1,234.50 €", "…!?", "\ud800", "\u0301", "\x00", "a", "___", "x" * 10**6],
)
def test_a_text_that_tells_nothing_is_undetermined(detector: Detector, text: str) -> None:
    assert detector.detect([text]) == [UNDETERMINED] == [Detected(lang="und", confidence=0.0)]


def test_markup_is_no_language(detector: Detector) -> None:
    found = detector.detect(['<td class="c3"></td><br/>', "https://example.org/a?b=c", "x=f(y[0])"])
    assert found == [UNDETERMINED] * 3


def test_no_texts_have_no_languages(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_answers_do_not_depend_on_batch_order_thread_or_detector(detector: Detector) -> None:
    texts = [*SAMPLES.values(), "", "東京", "ok"] * 5
    expected = detector.detect(texts)
    assert [detector.detect([text])[0] for text in texts] == expected
    assert detector.detect(texts[::-1])[::-1] == expected
    assert Detector().detect(texts) == expected
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detector.detect, [texts] * 16)) == [expected] * 16


@given(text=st.text(st.characters(), max_size=80))
def test_any_string_has_an_answer(detector: Detector, text: str) -> None:
    [found] = detector.detect([text])
    assert found == UNDETERMINED or (found.lang in DETECTABLE and 0 < found.confidence <= 1)


def test_only_the_first_500_characters_from_the_first_letter_are_read(detector: Detector) -> None:
    german, thai = SAMPLES["de"] * 10, SAMPLES["th"] * 50_000
    assert detector.detect([german + thai]) == detector.detect([german[:500]])
    numbers = "1,234.50 " * 100_000
    assert detector.detect([numbers + german]) == detector.detect([german])


def test_lone_surrogates_and_control_characters_are_white_space(detector: Detector) -> None:
    dirty = "The bus\ud800runs\x00every ten\udfffminutes"
    assert detector.detect([dirty]) == detector.detect(["The bus runs every ten minutes"])


def test_detectable_are_the_two_letter_languages_of_the_library() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    labels = LanguageIdentifier.from_model_file(MODEL_FILE).labels
    assert {same_written(label) for label in labels} & ISO_639_1 == DETECTABLE
    assert FREQUENT < DETECTABLE
    assert {same_written(code) for code in DETECTABLE} == DETECTABLE


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert Detector().detect([SAMPLES["de"]])[0].lang == "de"


def test_the_library_is_loaded_with_the_first_detector_only() -> None:
    code = "import sys, retrieval.detection; sys.exit('py3langid' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("declared", "detected"),
    [
        ("de", "de"), ("deu", "de"), ("ger", "de"), ("de-AT", "de"), ("tha", "th"), ("pt-BR", "pt"),
        ("zh-Hant", "zh"), ("zh-TW", "zh"), ("cmn", "zh"), ("yue", "zh"), ("zho", "zh"),
        ("nb", "no"), ("nn", "no"), ("nob", "no"), ("nor", "no"), ("arz", "ar"), ("fil", "tl"),
        ("und", "de"), ("de", "und"), ("und", "und"), ("haw", "en"), ("yi", "de"), ("qqq", "th"),
    ],
)  # fmt: skip
def test_codes_of_one_written_language_agree(declared: str, detected: str) -> None:
    assert agrees(declared, detected)


@pytest.mark.parametrize(
    ("declared", "detected"),
    [("de", "en"), ("deu", "en"), ("zh-Hant", "ja"), ("id", "ms"), ("nb", "da"), ("pt-BR", "es")],
)
def test_codes_of_different_languages_do_not_agree(declared: str, detected: str) -> None:
    assert not agrees(declared, detected)


@given(
    text=st.text(max_size=40),
    declared=st.sampled_from(sorted(ISO_639_1)),
    lang=st.sampled_from(sorted(DETECTABLE)),
    confidence=st.floats(0, 1),
)
def test_what_agrees_is_never_contradicted(
    text: str, declared: str, lang: str, confidence: float
) -> None:
    assert is_language(declared)
    if agrees(declared, lang):
        assert not contradicts(text, declared, Detected(lang=lang, confidence=confidence))


@pytest.mark.parametrize(
    ("text", "declared", "lang", "confidence", "wrong"),
    [
        ("Der Bus fährt", "en", "de", 0.6, True),
        ("Der Bus fährt", "en", "de", 0.59, False),
        ("Der Bus fährt", "deu", "de", 1.0, False),
        ("Der Bu", "en", "de", 1.0, False),
        ("Der Bus", "en", "de", 1.0, True),
        ("123456 Bus 7890 !!!", "en", "de", 1.0, False),
        ("Bus ke stasiun", "ms", "id", 1.0, False),
        ("Autobus ide", "sr-Latn", "hr", 1.0, False),
        ("Autobus ide", "cs", "hr", 1.0, True),
        ("自動車用充電器", "ja", "zh", 1.0, False),
        ("自動車用充電器", "ko", "zh", 1.0, True),
        ("公共汽车每十分钟一班，夜间停靠火车站。", "ja", "zh", 1.0, True),
        ("バスは十分おき", "zh", "ja", 1.0, True),
    ],
)
def test_only_what_is_nearly_certain_is_contradicted(
    text: str, declared: str, lang: str, confidence: float, wrong: bool
) -> None:
    assert contradicts(text, declared, Detected(lang=lang, confidence=confidence)) is wrong


def test_questions_are_detected_as_measured(questions: list[Judged]) -> None:
    assert len(questions) == 13_090
    assert accuracy(questions) >= 0.995
    for lang in {j.lang for j in questions}:
        assert accuracy(questions, lang) >= 0.98, lang
    kept = [j for j in questions if j.detected.confidence >= SURE]
    assert len(kept) >= 0.985 * len(questions)
    assert accuracy(kept) >= 0.998


def test_topics_are_detected_as_measured(topics: list[Judged]) -> None:
    assert accuracy(topics) >= 0.98
    for lang in {j.lang for j in topics}:
        assert accuracy(topics, lang) >= 0.9, lang
    assert accuracy([j for j in topics if j.detected.confidence >= SURE]) >= 0.996


def test_japanese_is_not_taken_for_chinese(topics: list[Judged]) -> None:
    japanese = [j for j in topics if j.lang == "ja"]
    assert len(japanese) == 860
    assert sum(j.detected.lang == "zh" for j in japanese) <= 3


@pytest.mark.parametrize(("judged", "power"), [("questions", 0.97), ("topics", 0.93)])
def test_wrong_declarations_are_found_and_right_ones_left_alone(
    judged: str, power: float, request: pytest.FixtureRequest
) -> None:
    texts: list[Judged] = request.getfixturevalue(judged)
    assert share([contradicts(j.text, j.lang, j.detected) for j in texts]) <= 0.002
    assert share([contradicts(j.text, j.other, j.detected) for j in texts]) >= power


def test_english_questions_in_the_greek_file_are_found(questions: list[Judged]) -> None:
    found = {
        j.text[:16] for j in questions if j.lang == "el" and contradicts(j.text, "el", j.detected)
    }
    assert found == {"What have studie", "The Kuznets curv", "What needs to be"}
