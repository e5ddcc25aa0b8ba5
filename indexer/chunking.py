"""Long documents to chunks that the encoder reads whole, cut between sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from indexer.sentences import Span, safe_cut, sentence_spans
from retrieval.detection import Detector
from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.formats.documents import is_document
from retrieval.types import UNDECLARED, Passage

DOCUMENT_TOKENS = 256
"""Tokens of a chunk of a text or Markdown file, unless the encoder reads fewer."""

LEAST_TOKENS = 16
"""Fewer tokens than these are no chunk: a title and a word would fill it."""

# No token of a known tokenizer is longer; what is, such as a run of spaces, must end somewhere.
_CHARACTERS_A_TOKEN = 32
_BATCH = 256
_WORD = re.compile(r"\s*\S+\s*|\s+")

Count = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOptions:
    """How long passages may be.

    max_tokens: of a chunk, title, prompt and special tokens included; longer passages are cut.
    0: none is cut. None: records are cut where the encoder would not read all of them, text and
    Markdown files beyond DOCUMENT_TOKENS.
    overlap: a chunk begins with the last sentences of the one before, up to so many tokens.
    Raises BadInput.
    """

    max_tokens: int | None = None
    overlap: int = 0

    def __post_init__(self) -> None:
        limit = self.max_tokens
        if limit is not None and limit != 0 and limit < LEAST_TOKENS:
            raise BadInput(
                f"chunks of {limit} tokens at most, expected at least {LEAST_TOKENS}",
                fix="Give --max-tokens 0 to leave every document whole.",
            )
        if self.overlap < 0 or (limit and self.overlap > limit // 2):
            raise BadInput(
                f"an overlap of {self.overlap} tokens, expected 0 to half of a chunk",
            )


DEFAULT_CHUNKS = ChunkOptions()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a part of one that is too long: a span and its tokens."""

    start: int
    end: int
    tokens: int


class Chunker:
    """Cuts passages as they stream by, and counts them.

    Chunks are exact slices of their document's text: `start` says where. Every character is in
    some chunk, except white space between chunks. Their ids are DOC#1, DOC#2 and so on.
    """

    def __init__(self, encoder: Encoder, options: ChunkOptions = DEFAULT_CHUNKS) -> None:
        """Raises BadInput where chunks would be longer than what the encoder reads."""
        most = encoder.max_tokens
        if most is not None and options.max_tokens and options.max_tokens > most:
            raise BadInput(
                f"chunks of {options.max_tokens} tokens, but the encoder reads {most}",
                fix=f"Give --max-tokens {most} or fewer.",
            )
        self._encoder = encoder
        self._overlap = options.overlap
        asked = options.max_tokens
        self._record_tokens = most if asked is None else asked
        self._file_tokens = (
            min(DOCUMENT_TOKENS, most or DOCUMENT_TOKENS) if asked is None else asked
        )
        self._detector: Detector | None = None
        self.documents = 0
        self.chunks = 0

    def split(self, passage: Passage, path: Path) -> Iterator[Passage]:
        """A passage read from `path` as its chunks, or as it is where it is short enough."""
        limit = self._file_tokens if is_document(path) else self._record_tokens
        if not limit or self._fits(passage.to_encode, limit):
            yield passage
            return
        self.documents += 1
        title = self._short_title(passage.title, limit)
        spans = self._spans(passage, title, limit)
        for number, (start, end) in enumerate(spans, start=1):
            self.chunks += 1
            yield replace(
                passage,
                id=f"{passage.id}#{number}",
                title=title,
                text=passage.text[start:end],
                document=passage.whole,
                start=passage.start + start,
            )

    def to_json(self) -> dict[str, object]:
        """`{"chunked": {"documents", "chunks"}}`, so far."""
        return {"chunked": {"documents": self.documents, "chunks": self.chunks}}

    def lines(self) -> list[str]:
        """The same for a reader; none where nothing was cut."""
        if not self.documents:
            return []
        return [f"chunked: {self.documents:,} long documents into {self.chunks:,} passages"]

    def _fits(self, text: str, limit: int) -> bool:
        if len(text) > limit * _CHARACTERS_A_TOKEN:
            return False
        return self._encoder.passage_tokens([text])[0] <= limit

    def _short_title(self, title: str, limit: int) -> str:
        """A title that takes a quarter of a chunk at most."""
        units = list(islice(_parts(title, (0, len(title)), limit // 4, self._count), 2))
        return title if len(units) < 2 else title[: units[0].end].rstrip()

    def _spans(self, passage: Passage, title: str, limit: int) -> Iterator[Span]:
        text = passage.text
        head = f"{title} " if title else ""
        budget = max(1, limit - self._encoder.passage_tokens([head])[0])
        done = 0
        for units in _packed(self._units(passage, budget), budget, self._overlap):
            for start, end in self._within(units, text, head, limit):
                start, end = _trimmed(text, start, end)
                if end > max(start, done):
                    yield start, end
                    done = end

    def _units(self, passage: Passage, budget: int) -> Iterator[_Unit]:
        text = passage.text
        spans = sentence_spans(text, self._language(passage))
        while batch := list(islice(spans, _BATCH)):
            counts = self._count([text[start:end] for start, end in batch])
            for (start, end), tokens in zip(batch, counts, strict=True):
                if tokens <= budget and end - start <= budget * _CHARACTERS_A_TOKEN:
                    yield _Unit(start, end, tokens)
                else:
                    yield from _parts(text, (start, end), budget, self._count)

    def _within(self, units: Sequence[_Unit], text: str, head: str, limit: int) -> Iterator[Span]:
        """Their span, or several: side by side, sentences can have a token more than apart."""
        start, end = units[0].start, units[-1].end
        if self._fits(head + text[slice(*_trimmed(text, start, end))], limit):
            yield start, end
        elif len(units) > 1:
            middle = len(units) // 2
            yield from self._within(units[:middle], text, head, limit)
            yield from self._within(units[middle:], text, head, limit)
        elif end - start > 1:
            middle = safe_cut(text, start, (start + end + 1) // 2)
            yield from self._within([_Unit(start, middle, 0)], text, head, limit)
            yield from self._within([_Unit(middle, end, 0)], text, head, limit)
        else:
            yield start, end

    def _count(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count_tokens(texts)

    def _language(self, passage: Passage) -> str:
        if passage.lang != UNDECLARED:
            return passage.lang
        if self._detector is None:
            self._detector = Detector()
        return self._detector.detect([passage.text])[0].lang


def _parts(text: str, span: Span, budget: int, count: Count) -> Iterator[_Unit]:
    """A long sentence as parts of whole words, and of pieces of words that are too long."""
    start = end = span[0]
    tokens = 0
    for word in _words(text, span, budget, count):
        full = tokens + word.tokens > budget or word.end - start > budget * _CHARACTERS_A_TOKEN
        if full and end > start:
            yield _Unit(start, end, tokens)
            start, tokens = end, 0
        end, tokens = word.end, tokens + word.tokens
    if end > start:
        yield _Unit(start, end, tokens)


def _words(text: str, span: Span, budget: int, count: Count) -> Iterator[_Unit]:
    found = (match.span() for match in _WORD.finditer(text, *span))
    longest = budget * _CHARACTERS_A_TOKEN
    while batch := list(islice(found, _BATCH)):
        counts = count([text[start:end][:longest] for start, end in batch])
        for (start, end), tokens in zip(batch, counts, strict=True):
            if tokens <= budget and end - start <= longest:
                yield _Unit(start, end, tokens)
            else:
                yield from _pieces(text, (start, end), budget, count)


def _pieces(text: str, span: Span, budget: int, count: Count) -> Iterator[_Unit]:
    """A word without white space, such as a page of Thai, as pieces within the budget."""
    start, stop = span
    size = 4 * budget
    while start < stop:
        end = safe_cut(text, start, min(stop, start + size))
        tokens = count([text[start:end]])[0]
        if tokens > budget and end - start > 1:
            size = max(1, (end - start) // 2)
            continue
        yield _Unit(start, end, tokens)
        start, size = end, max(size, (end - start) * 3 // 2)


def _packed(units: Iterable[_Unit], budget: int, overlap: int) -> Iterator[list[_Unit]]:
    """Consecutive units to chunks, as many to each as go in."""
    chunk: list[_Unit] = []
    tokens = 0
    for unit in units:
        length = unit.end - chunk[0].start if chunk else 0
        if chunk and (tokens + unit.tokens > budget or length > budget * _CHARACTERS_A_TOKEN):
            yield chunk
            chunk = _tail(chunk[1:], unit, tokens=min(overlap, budget - unit.tokens))
            tokens = sum(kept.tokens for kept in chunk)
        chunk.append(unit)
        tokens += unit.tokens
    if chunk:
        yield chunk


def _tail(units: Sequence[_Unit], then: _Unit, *, tokens: int) -> list[_Unit]:
    """The last units that together have at most so many tokens, and few characters."""
    first = len(units)
    while first and tokens >= units[first - 1].tokens > 0:
        if then.start - units[first - 1].start > tokens * _CHARACTERS_A_TOKEN:
            break
        tokens -= units[first - 1].tokens
        first -= 1
    return list(units[first:])


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
