"""The manifest of a version: what it holds, what made it, and the checksum of every file."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import CorruptVersion
from retrieval.store.durable import sync_path
from retrieval.store.layout import INDEX, MANIFEST, PASSAGES, VECTORS, check_name
from retrieval.vectors import IndexKind, IndexReport

SCHEMA_VERSION: Final = 1
REQUIRED_FILES = (PASSAGES, VECTORS, INDEX)

# One name, or one in a subfolder; no part may begin with a dot, so none can climb.
_FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)?$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """What a file of the version must be."""

    sha256: _Sha256
    size: _Count


class EncoderRecord(_Record):
    """The encoder that made the vectors; `path` is where its builder found it."""

    fingerprint: str
    path: str
    prompts: dict[str, str]


class LanguageRecallRecord(_Record):
    """Recall of the held-out passages of one language."""

    recall: _Share
    queries: _Count


class RecallRecord(_Record):
    """Recall@k of the index against exact search, with held-out passages as queries."""

    k: _Count
    queries: _Count
    target: _Share
    overall: _Share
    by_language: dict[str, LanguageRecallRecord] = {}

    @property
    def worst(self) -> tuple[str, LanguageRecallRecord] | None:
        """The language with the lowest recall, None where none was measured."""
        return min(self.by_language.items(), key=lambda item: item[1].recall, default=None)


class SpeedRecord(_Record):
    """One query at a time on one core, as measured by the build; exact_ms: a scan."""

    ms: float
    exact_ms: float
    queries_per_second: float
    ratio: float


class IndexRecord(_Record):
    """How candidates are found, why so, and how well; None is what older releases left out."""

    kind: IndexKind
    parameters: dict[str, str] = {}
    reason: str = ""
    recall: RecallRecord | None = None
    speed: SpeedRecord | None = None

    @classmethod
    def of(cls, report: IndexReport) -> IndexRecord:
        """What a build reports, as it is kept."""
        speed = report.speed
        return cls(
            kind=report.kind,
            parameters=report.parameters,
            reason=report.reason,
            recall=RecallRecord.model_validate(asdict(report.recall)),
            speed=None
            if speed is None
            else SpeedRecord(
                ms=round(speed.ms, 4),
                exact_ms=round(speed.exact_ms, 4),
                queries_per_second=round(speed.queries_per_second, 1),
                ratio=round(speed.ratio, 2),
            ),
        )


class Counts(_Record):
    """Passages, in total and by language."""

    total: _Count
    languages: dict[str, _Count]


class Manifest(_Record):
    """One version of one corpus. `lexical`: the parameters of its lexical index, empty if none."""

    schema_version: Literal[1] = SCHEMA_VERSION
    corpus: str
    version: str
    created: AwareDatetime
    synglot: str
    encoder: EncoderRecord
    dim: Annotated[int, Field(ge=1)]
    metric: Literal["inner_product"] = "inner_product"
    index: IndexRecord
    lexical: dict[str, str] = {}
    counts: Counts
    files: dict[_FileName, FileRecord]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(record.size for record in self.files.values())


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write it into `folder`, sealed by its own checksum, and sync it."""
    content = manifest.model_dump(mode="json")
    path = folder / MANIFEST
    path.write_bytes(
        orjson.dumps(content | {"seal": _seal(content)}, option=orjson.OPT_INDENT_2) + b"\n"
    )
    sync_path(path)


def read_manifest(folder: Path, *, corpus: str) -> Manifest:
    """The manifest of the version in `folder`. Raises CorruptVersion.

    It must be whole, unchanged since it was written, of a known schema, and that of this version
    of this corpus.
    """
    check_name(corpus)
    version, path = folder.name, folder / MANIFEST
    content = _content(path, fix=how_to_recover(corpus, version))
    found = content.get("schema_version")
    if found != SCHEMA_VERSION:
        raise CorruptVersion(
            f"expected schema version {SCHEMA_VERSION}, found {found!r}",
            path=path,
            fix="Use the release of Synglot that wrote it, or build the corpus again.",
        )
    seal, expected = content.pop("seal", None), _seal(content)
    if seal != expected:
        raise CorruptVersion(
            f"it was changed after it was written: expected the seal {expected}, found {seal!r}",
            path=path,
            fix=how_to_recover(corpus, version),
        )
    return _validated(content, path=path, corpus=corpus, version=version)


def _content(path: Path, *, fix: str) -> dict[str, object]:
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CorruptVersion(
            f"cannot read the manifest ({error.strerror})", path=path, fix=fix
        ) from error
    except orjson.JSONDecodeError as error:
        raise CorruptVersion(
            f"the manifest is broken JSON ({error})", path=path, fix=fix
        ) from error
    if not isinstance(content, dict):
        raise CorruptVersion(
            f"expected a JSON object, found {type(content).__name__}", path=path, fix=fix
        )
    return content


def _validated(content: dict[str, object], *, path: Path, corpus: str, version: str) -> Manifest:
    fix = how_to_recover(corpus, version)
    try:
        manifest = Manifest.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CorruptVersion(f"field {place!r}: {first['msg']}", path=path, fix=fix) from error
    if (manifest.corpus, manifest.version) != (corpus, version):
        raise CorruptVersion(
            f"expected {corpus} {version}, found {manifest.corpus} {manifest.version}",
            path=path,
            fix=fix,
        )
    absent = [name for name in REQUIRED_FILES if name not in manifest.files]
    if absent:
        raise CorruptVersion(f"it names no {', '.join(absent)}", path=path, fix=fix)
    return manifest


def _seal(content: dict[str, object]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def file_record(path: Path) -> FileRecord:
    """Size and checksum of a file as it is now."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(sha256=digest, size=path.stat().st_size)


def how_to_recover(corpus: str, version: str) -> str:
    """What to do about a damaged version."""
    return (
        f"Run `synglot index verify {corpus} --version {version}` for a full check; restore the "
        f"version from a copy, build the corpus again, or go back with "
        f"`synglot index rollback {corpus}`."
    )
