"""Where things lie under a store's root, and which names may become paths.

ROOT/corpora/NAME/versions/ID/   a published version, immutable
ROOT/corpora/NAME/versions/.tmp-*/  a version being built
ROOT/corpora/NAME/CURRENT        the id of the active version
ROOT/corpora/NAME/stamps/        which versions were verified on which host
ROOT/corpora/NAME/.lock          held while versions or CURRENT change
ROOT/encoders/FINGERPRINT/       an encoder that a corpus was built with
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import BadInput, CorruptVersion

MANIFEST = "manifest.json"
PASSAGES = "passages.arrow"
VECTORS = "vectors.npy"
INDEX = "index.faiss"

TEMPORARY = ".tmp-"
"""Start of the name of everything that is not published yet."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"v[0-9]{6,}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16,64}")


def is_name(name: str) -> bool:
    """Whether `name` may name a corpus."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """`name` if it may name a corpus. Raises BadInput."""
    if not is_name(name):
        raise BadInput(
            f"{name!r} cannot name a corpus",
            fix="Use 1 to 64 of a-z, 0-9, '_' and '-', beginning with a letter or a digit.",
        )
    return name


def is_version(name: str) -> bool:
    """Whether `name` has the form of a version id, such as v000001."""
    return _VERSION.fullmatch(name) is not None


def is_fingerprint(name: str) -> bool:
    """Whether `name` has the form of an encoder's fingerprint."""
    return _FINGERPRINT.fullmatch(name) is not None


def version_id(number: int) -> str:
    """The id of the `number`-th version of a corpus, counted from 1."""
    return f"v{number:06d}"


def version_number(version: str) -> int:
    """The place of a version in the order of publication."""
    return int(version[1:])


def corpora_folder(root: Path) -> Path:
    """The folder of all corpora."""
    return root / "corpora"


def encoders_folder(root: Path) -> Path:
    """The folder of all encoders."""
    return root / "encoders"


def encoder_folder(root: Path, fingerprint: str) -> Path:
    """Where the encoder of that fingerprint is kept. Raises BadInput for what is no fingerprint."""
    if not is_fingerprint(fingerprint):
        raise BadInput(f"{fingerprint!r} is no encoder fingerprint")
    return encoders_folder(root) / fingerprint


@dataclass(frozen=True, slots=True)
class CorpusFolder:
    """The paths of one corpus; made only from a checked name."""

    root: Path
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def path(self) -> Path:
        """The corpus' own folder."""
        return corpora_folder(self.root) / self.name

    @property
    def versions(self) -> Path:
        """The folder of its versions."""
        return self.path / "versions"

    @property
    def stamps(self) -> Path:
        """The folder of its stamps."""
        return self.path / "stamps"

    @property
    def current(self) -> Path:
        """The pointer to the active version."""
        return self.path / "CURRENT"

    @property
    def lock(self) -> Path:
        """The file whose lock serialises changes."""
        return self.path / ".lock"

    def version(self, version: str) -> Path:
        """The folder of a version id."""
        return self.versions / version

    def published(self) -> list[str]:
        """Ids of the published versions, oldest first."""
        if not self.versions.is_dir():
            return []
        found = [p.name for p in self.versions.iterdir() if is_version(p.name) and p.is_dir()]
        return sorted(found, key=version_number)

    def active(self) -> str | None:
        """The id that CURRENT names, None where there is no CURRENT. Raises CorruptVersion."""
        try:
            version = self.current.read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            version = "what is not text"
        if not is_version(version) or not self.version(version).is_dir():
            raise CorruptVersion(
                f"expected the id of a published version, found {version!r:.40}",
                path=self.current,
                fix=f"Run `synglot index activate {self.name} VERSION` with "
                f"{' or '.join(self.published()) or 'a version that you build first'}.",
            )
        return version
