"""Which language a text is written in, and whether a declared language can be right.

The library is py3langid (BSD-3-Clause, its model inside the package); why, and what it gets wrong,
is in docs/decisions/0007. Its 139 languages are brought to the codes of `same_written`, those
without an ISO 639-1 code are left out, and languages frequent on the web weigh more than others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from retrieval.languages import same_written
from retrieval.types import UNDECLARED

DETECTABLE = frozenset(
    re.findall(
        r"\w+",
        """
        af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa ff fi fo fr
        fy ga gd gl gn gu ha he hi hr ht hu hy id ig is it ja jv ka ki kk km kn ko ku ky la lb
        lg ln lo lt lv mg mk ml mn mr ms mt my ne nl no oc om or pa pl ps pt qu ro ru rw sa se
        si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu
        """,
    )
)
"""Every language that a text can be detected as."""

FREQUENT = frozenset(
    re.findall(
        r"\w+",
        """
        ar bg ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt nl no pl pt ro ru sk
        sl sr sv th tr uk vi zh
        """,
    )
)
"""Languages of at least 0.1% of the pages of the crawl CC-MAIN-2018-39.

Source: commoncrawl/cc-crawl-statistics, plots/languages.csv at 011ff43f50c8.
"""

SURE = 0.5
"""From this confidence on, a language is likelier than all others together."""

# The library's model weighs all languages alike. Weights of 1/2 to 1/10 for languages outside
# FREQUENT all help; the smaller they are, the more Swahili (1/3: 0.4 points) and Yoruba (4) lose.
_WEIGHT_OF_OTHERS = 1 / 3

# Below this confidence, more than two guesses of three about texts of 20 characters are wrong.
_TELLING = 0.2

# Of 2,524 passages of 300 to 1,200 characters in 17 languages, 17 are wrong after 100 characters,
# 5 after 200 or 300, none after 500 or 1,000. A megabyte takes no longer than a paragraph.
_READ_CHARACTERS = 500

_CONTRADICTION = 0.6
_CONTRADICTION_LETTERS = 6

# Fewer letters than these, all Chinese characters, may be a Japanese heading; a sentence has kana.
_SENTENCE_LETTERS = 16
_KANA = re.compile("[\u3040-\u30ff\uff66-\uff9f]")

# The library's label of numbers, markup and identifiers: a rival of the languages, but none itself.
_NO_LANGUAGE = "zxx"

_LETTER = re.compile(r"[^\W\d_]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_LOOK_ALIKE = (frozenset({"id", "ms"}), frozenset({"bs", "hr", "sr"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """A language of DETECTABLE, and its share of the probability of all of them, in (0, 1].

    `und` with confidence 0.0 where the text holds no letters or too little to tell.
    """

    lang: str
    confidence: float


UNDETERMINED = Detected(lang=UNDECLARED, confidence=0.0)
"""What a text is that tells nothing of its language."""


class Detector:
    """Detects languages; the same text always gives the same answer.

    Its model of 80 MB is read once a process, from the package: nothing is ever downloaded.
    Nothing changes after construction: threads may share one.
    """

    def __init__(self) -> None:
        self._model = _model()
        self._codes = {
            label: code
            for label in self._model.labels
            if (code := same_written(label)) in DETECTABLE or code == _NO_LANGUAGE
        }

    def detect(self, texts: Sequence[str]) -> list[Detected]:
        """The language of each text, in their order.

        Any string will do: lone surrogates and control characters count as white space, and the
        first 500 characters from the first letter on decide.
        """
        return [self._detect(_readable(text)) for text in texts]

    def _detect(self, text: str) -> Detected:
        if not text:
            return UNDETERMINED
        weights = dict.fromkeys(self._codes.values(), 0.0)
        for label, probability in self._model.rank(text):
            code = self._codes.get(label)
            if code is not None:
                weights[code] += probability * (1.0 if code in FREQUENT else _WEIGHT_OF_OTHERS)
        lang = max(weights, key=lambda code: (weights[code], code))
        confidence = weights[lang] / sum(weights.values())
        if lang == _NO_LANGUAGE or confidence < _TELLING:
            return UNDETERMINED
        return Detected(lang=lang, confidence=confidence)


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def agrees(declared: str, detected: str) -> bool:
    """Whether a text may be declared as the one language and detected as the other.

    Codes are compared by `same_written`: script and region do not matter (`zh-Hant`, `pt-BR`), nor
    do three letters for two (`deu`), nor `nb` and `nn` for `no`. `und` agrees with everything, and
    so does a declared language that cannot be detected (`haw`, `yi`).
    """
    ours, found = same_written(declared), same_written(detected)
    return ours == found or UNDECLARED in (ours, found) or ours not in DETECTABLE


def contradicts(text: str, declared: str, detected: Detected) -> bool:
    """Whether `text`, detected as `detected`, is nearly certainly not in the language `declared`.

    Needs a confidence of 0.6 and 6 letters, no pair of languages that are written nearly alike
    (Indonesian and Malay; Bosnian, Croatian and Serbian), and, between Chinese and Japanese, kana
    or 16 letters. False alarms and power are in docs/decisions/0007.
    """
    if agrees(declared, detected.lang) or detected.confidence < _CONTRADICTION:
        return False
    pair = {same_written(declared), detected.lang}
    if any(pair <= alike for alike in _LOOK_ALIKE):
        return False
    readable = _readable(text)
    letters = len(_LETTER.findall(readable))
    heading = pair == {"ja", "zh"} and not _KANA.search(readable)
    return letters >= (_SENTENCE_LETTERS if heading else _CONTRADICTION_LETTERS)


def _readable(text: str) -> str:
    """What is read of a text: its first characters from the first letter on; empty without one."""
    letter = _LETTER.search(text)
    if letter is None:
        return ""
    start = letter.start()
    return _NO_TEXT.sub(" ", text[start : start + _READ_CHARACTERS])
