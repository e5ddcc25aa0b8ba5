"""Where sentences begin, in any script, in time proportional to the text.

The library is sentencex (MIT, from Wikimedia); why, and what it gets wrong, is in
docs/decisions/0010. It sees a window of a paragraph at a time, because a few kinds of text take it
quadratic time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate

import sentencex

Span = tuple[int, int]
"""Begin and end of a piece of text, in characters."""

# 160,000 characters of nothing but quotation marks and initials took 3.3 s in one piece.
_WINDOW = 4096
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
            if reach < stop:  # the last sentence of a window may go on
                ends = ends[:-1] or [safe_cut(text, start, reach)]
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
    sentences = sentencex.segment(lang, text)
    if "".join(sentences) == text:
        return list(accumulate(map(len, sentences)))
    ends, place = [], 0
    for sentence in sentences:  # it drops some empty lines
        found = text.find(sentence, place)
        if found >= 0:
            place = found + len(sentence)
            ends.append(place)
    return sorted({*ends, len(text)})


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for found in _PARAGRAPH_END.finditer(text):
        yield start, found.end()
        start = found.end()
    if start < len(text):
        yield start, len(text)
