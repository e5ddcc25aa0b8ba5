"""The languages of passages that declare none, detected as they stream by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from retrieval.detection import SURE, UNDETERMINED, Detector
from retrieval.types import UNDECLARED, Passage

CONFIDENCE = "lang_confidence"
"""Metadata key of a detected language's confidence; declared languages have none."""


class Languages:
    """Detects the languages of undeclared passages and counts what it found.

    A language is kept from a confidence of SURE on, below that the passage stays `und`. The text
    decides, and the title after it where the text is short; a chunk that does not tell, such as a
    table, is in the language of the chunk before it. Declared languages are never doubted, and the
    detector is loaded only where it is needed.

    detect: if false, undeclared passages stay as they are and are only counted.
    """

    def __init__(self, *, detect: bool) -> None:
        self._detect = detect
        self._detector: Detector | None = None
        self._detected: Counter[str] = Counter()
        self._undetermined = 0
        self._document = ""
        self._found = UNDETERMINED

    def of(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """The passages in their order, one at a time, with their languages where they are told."""
        for passage in passages:
            yield self._told(passage) if passage.lang == UNDECLARED else passage

    def to_json(self) -> dict[str, object]:
        """`{"detected": {language: passages}, "undetermined": passages}`, so far."""
        return {"detected": dict(self._most_first()), "undetermined": self._undetermined}

    def lines(self) -> list[str]:
        """The same for a reader; none where every passage declared its language."""
        if not self._detected and not self._undetermined:
            return []
        counts = [f"{lang} {count:,}" for lang, count in self._most_first()]
        return [f"detected: {', '.join(counts) or 'none'}; undetermined {self._undetermined:,}"]

    def _told(self, passage: Passage) -> Passage:
        if not self._detect:
            self._undetermined += 1
            return passage
        if self._detector is None:
            self._detector = Detector()
        [found] = self._detector.detect([f"{passage.text} {passage.title}"])
        if found.confidence < SURE:
            if not passage.document or passage.document != self._document:
                self._undetermined += 1
                return passage
            found = self._found
        self._document, self._found = passage.document, found
        self._detected[found.lang] += 1
        metadata = {**passage.metadata, CONFIDENCE: round(found.confidence, 4)}
        return replace(passage, lang=found.lang, metadata=metadata)

    def _most_first(self) -> list[tuple[str, int]]:
        return sorted(self._detected.items(), key=lambda item: (-item[1], item[0]))
