"""Where sentences begin, in any script, in time proportional to the text.

The library is sentencex (MIT, from Wikimedia); why, and what it gets wrong, is in
docs/decisions/0010. It sees a window of a paragraph at a time, because a few kinds of text take it
quadratic time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import sentencex

Span = tuple[int, int]
"""Begin and end of a piece of text, in characters."""

# 160,000 characters of nothing but quotation marks and initials took 3.3 s in one piece.
_WINDOW = 4096
_UNSURE = 64
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_SPACE = re.compile(r"\s+")
_MARKS_TO_KEEP = 64
_JOINER = "\u200d"


def sentence_spans(text: str, lang: str) -> Iterator[Span]:
    """Consecutive spans that cover `text`, of at most 4,096 characters: sentences, mostly.

    A span ends after a sentence with the white space that follows it, at the end of a paragraph, or
    in the midst of a sentence that is longer. lang: whose abbreviations are known; any code.
    """
    base = lang.partition("-")[0]
    for start, stop in _paragraphs(text):
        while start < stop:
            reach = min(start + _WINDOW, stop)
            ends = [start + end for end in _sentence_ends(text[start:reach], base)]
            if reach < stop:  # what comes after a window may join its last sentences
                ends = [end for end in ends if end <= reach - _UNSURE]
                ends = ends or [safe_cut(text, start, reach)]
            for end in ends:
                yield start, end
                start = end


def safe_cut(text: str, start: int, stop: int) -> int:
    """A place in (start, stop] to cut a text: after white space in the later half, else before a
    letter with all of its marks, else `stop`.
    """
    spaces = [found.end() for found in _SPACE.finditer(text, (start + stop) // 2, stop)]
    if spaces:
        return spaces[-1]
    for cut in range(stop, max(start, stop - _MARKS_TO_KEEP), -1):
        if cut == len(text) or not (_extends(text[cut]) or text[cut - 1] == _JOINER):
            return cut
    return stop


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it: marks, joiners, variation selectors."""
    return character == _JOINER or unicodedata.category(character).startswith("M")


def _sentence_ends(text: str, lang: str) -> list[int]:
    """Where each sentence of a short text ends, the last at its end."""
    ends: list[int] = []
    place = 0
    for sentence in sentencex.segment(lang, text):
        place = text.find(sentence, place) + len(sentence)  # it drops some empty lines
        if ends and sentence.isspace():
            ends.pop()
        ends.append(place)
    if ends and not text[ends[-1] :].strip():
        ends.pop()
    return [*ends, len(text)]


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for found in _PARAGRAPH_END.finditer(text):
        yield start, found.end()
        start = found.end()
    if start < len(text):
        yield start, len(text)
