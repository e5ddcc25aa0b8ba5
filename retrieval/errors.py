"""Every error Synglot raises on purpose.

SynglotError
├── BadInput                  what the caller gave cannot be used
│   ├── MalformedFile         a file breaks its format (says path:line)
│   ├── DuplicateId           an id that must be unique occurs twice
│   ├── UnknownLanguage       not a language code
│   ├── UnknownMeasure        not a measure name
│   ├── DanglingId            a judgement or run names an id that does not exist
│   ├── BadConfig             a configuration or setting breaks its schema
│   └── BadEncoder            a folder or name that is no loadable encoder
├── NotFound                  a name that nothing answers to
│   ├── UnknownCorpus
│   └── UnknownVersion
├── EncoderMismatch           an index was built with another encoder
├── CorruptVersion            a version on disk is not what was published
└── MachineFailure            disk, memory or permission failed us

Each carries facts (what, where, what to do); none knows of HTTP or exit codes.
"""

from __future__ import annotations

from pathlib import Path


class SynglotError(Exception):
    """Base of all deliberate errors.

    what: what was found and what was expected, one sentence without a final period.
    path, line: where, if the error lies in a file; `line` is 1-based.
    fix: what the reader should do, one sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        fix: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.path = None if path is None else str(path)
        self.line = line
        self.fix = fix

    @property
    def where(self) -> str:
        """`path:line`, `path`, or an empty string."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.fix}" if self.fix else head


class BadInput(SynglotError):
    """What the caller gave cannot be used."""


class MalformedFile(BadInput):
    """A file breaks its format."""


class DuplicateId(BadInput):
    """An id that must be unique occurs twice."""


class UnknownLanguage(BadInput):
    """Not a language code Synglot accepts."""


class UnknownMeasure(BadInput):
    """Not a measure name."""


class DanglingId(BadInput):
    """A judgement or a run names an id that does not exist."""


class BadConfig(BadInput):
    """A configuration or setting breaks its schema."""


class BadEncoder(BadInput):
    """A folder or a name that is no loadable encoder."""


class NotFound(SynglotError):
    """A name that nothing answers to."""


class UnknownCorpus(NotFound):
    """No corpus of that name."""


class UnknownVersion(NotFound):
    """The corpus has no such version."""


class EncoderMismatch(SynglotError):
    """An index was built with another encoder than the one at hand."""


class CorruptVersion(SynglotError):
    """A version on disk is not what was published."""


class MachineFailure(SynglotError):
    """Disk, memory or permission failed us; the input was fine."""
