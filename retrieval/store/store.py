"""Corpora on disk: which there are, which version is active, how one is opened, added, removed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrieval.encoder import Encoder, cpu_threads, folder_fingerprint
from retrieval.errors import BadInput, CorruptVersion, UnknownCorpus, UnknownVersion
from retrieval.store.draft import Draft, claimed_folder, is_being_built
from retrieval.store.durable import locked, machine_failures, publish_folder, replace_text
from retrieval.store.encoders import keep_encoder
from retrieval.store.layout import (
    MANIFEST,
    TEMPORARY,
    CorpusFolder,
    corpora_folder,
    encoder_folder,
    is_name,
)
from retrieval.store.manifest import (
    EncoderRecord,
    Manifest,
    how_to_recover,
    read_manifest,
)
from retrieval.store.prune import Pruned, prune
from retrieval.store.queries import check_answers
from retrieval.store.verify import verify_fully, verify_once
from retrieval.store.version import Version


class Store:
    """The corpora under a root folder.

    Readers take no lock: a version is immutable, and the active one changes by one atomic step.
    Every method that takes a name raises BadInput for what cannot name a corpus.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def corpora(self) -> list[str]:
        """Names of the corpora with at least one published version, sorted."""
        folder = corpora_folder(self.root)
        if not folder.is_dir():
            return []
        names = [path.name for path in folder.iterdir() if is_name(path.name)]
        return sorted(name for name in names if CorpusFolder(self.root, name).published())

    def versions(self, name: str) -> list[str]:
        """Ids of the published versions, oldest first. Raises UnknownCorpus."""
        return self._known(name).published()

    def active(self, name: str) -> str | None:
        """The id of the active version, None where none was activated yet.

        Raises UnknownCorpus; CorruptVersion where CURRENT names no version.
        """
        return self._known(name).active()

    def manifest(self, name: str, version: str | None = None) -> Manifest:
        """The manifest of a version, by default the active one.

        Raises UnknownCorpus, UnknownVersion, CorruptVersion.
        """
        corpus = self._known(name)
        return read_manifest(corpus.version(_resolve(corpus, version)), corpus=name)

    def open(self, name: str, version: str | None = None, *, threads: int | None = None) -> Version:
        """A verified version, by default the active one.

        threads: at most so many serve one search; by default all cores.
        Raises UnknownCorpus, UnknownVersion, CorruptVersion.
        """
        corpus, manifest = self._known(name), self.manifest(name, version)
        verify_once(corpus, manifest)
        folder = corpus.version(manifest.version)
        return Version(folder, manifest, threads=threads or cpu_threads())

    def verify(self, name: str, version: str | None = None) -> Manifest:
        """Check every checksum of a version, open it and search it. Raises CorruptVersion."""
        manifest = self.manifest(name, version)
        verify_fully(self._known(name), manifest)
        with self.open(name, manifest.version) as opened:
            check_answers(opened)
        return manifest

    @contextmanager
    def draft(self, name: str, *, dim: int) -> Iterator[Draft]:
        """A new version to fill and publish; what was not published is removed at the end.

        Raises MachineFailure where disk or memory fail.
        """
        corpus = CorpusFolder(self.root, name)
        with machine_failures(corpus.path), claimed_folder(corpus) as folder:
            draft = Draft(corpus, folder, dim=dim)
            try:
                yield draft
            finally:
                with suppress(OSError):  # a full disk refuses the last bytes, too
                    draft.close()

    def activate(self, name: str, version: str) -> None:
        """Make a published version the active one, once it is verified.

        Raises UnknownCorpus, UnknownVersion, CorruptVersion.
        """
        corpus = self._known(name)
        with machine_failures(corpus.path), locked(corpus.lock):
            verify_once(
                corpus, read_manifest(corpus.version(_resolve(corpus, version)), corpus=name)
            )
            replace_text(corpus.current, version + "\n")

    def rollback(self, name: str) -> str:
        """Activate the version published before the active one; returns its id.

        Raises UnknownCorpus; UnknownVersion where there is none before it.
        """
        versions, active = self.versions(name), self.active(name)
        older = versions[: versions.index(active)] if active in versions else []
        if not older:
            raise UnknownVersion(
                f"corpus {name!r} has no version before {active or 'its first activation'}",
                fix=f"It has {', '.join(versions)}; activate one by name.",
            )
        self.activate(name, older[-1])
        return older[-1]

    def delete(self, name: str) -> None:
        """Remove a corpus with all its versions; open versions stay readable until closed.

        Raises UnknownCorpus; BadInput while it is being built.
        """
        corpus = self._known(name)
        grave = corpora_folder(self.root) / f"{TEMPORARY}{name}-{secrets.token_hex(4)}"
        with machine_failures(corpus.path):
            with locked(corpus.lock):
                if is_being_built(corpus):
                    raise BadInput(
                        f"corpus {name!r} is being built now", fix="Stop the build, or wait."
                    )
                publish_folder(corpus.path, grave)
            shutil.rmtree(grave, ignore_errors=True)

    def prune(self, name: str, *, keep: int) -> Pruned:
        """Remove all but the newest `keep` versions, and encoders that no version needs.

        The active version and the one before it, to which a rollback goes, always stay.
        Raises UnknownCorpus, CorruptVersion, BadInput for less than one, MachineFailure.
        """
        corpus = self._known(name)
        with machine_failures(corpus.path):
            return prune(corpus, keep=keep)

    def stamp(self, name: str, version: str) -> tuple[int, int]:
        """What tells a version from another of that id, after its corpus was deleted and rebuilt.

        Raises UnknownCorpus, UnknownVersion, CorruptVersion.
        """
        corpus = self._known(name)
        path = corpus.version(_resolve(corpus, version)) / MANIFEST
        try:
            found = path.stat()
        except OSError as error:
            fix = how_to_recover(name, version)
            raise CorruptVersion("the manifest is missing", path=path, fix=fix) from error
        return found.st_ino, found.st_mtime_ns

    def keep_encoder(self, encoder: Encoder) -> EncoderRecord:
        """Copy an encoder into the store, unless it is there, and say which it is.

        Raises BadEncoder where its folder changes meanwhile, MachineFailure.
        """
        with machine_failures(self.root):
            return keep_encoder(self.root, encoder)

    def encoder_path(self, name: str, version: str | None = None) -> Path:
        """The folder of the encoder that a version was built with. Raises as `manifest` does."""
        return encoder_folder(self.root, self.manifest(name, version).encoder.fingerprint)

    def verified_encoder(self, name: str, version: str | None = None) -> Path:
        """`encoder_path`, if the encoder is there and is still the one it was.

        Raises as `manifest` does, CorruptVersion also for the encoder.
        """
        manifest, path = self.manifest(name, version), self.encoder_path(name, version)
        expected = manifest.encoder.fingerprint
        if not path.is_dir():
            what = "the encoder kept with the corpus is missing"
            raise CorruptVersion(what, path=path, fix=_other_encoder(manifest))
        found = folder_fingerprint(path)
        if found != expected:
            what = f"the encoder kept with the corpus was {expected} and is {found} now"
            raise CorruptVersion(what, path=path, fix=_other_encoder(manifest))
        return path

    def load_encoder(self, name: str, version: str | None = None) -> Encoder:
        """The encoder that a version was built with. Raises as `verified_encoder` does."""
        return Encoder.load(self.verified_encoder(name, version))

    def _known(self, name: str) -> CorpusFolder:
        corpus = CorpusFolder(self.root, name)
        if not corpus.published():
            names = ", ".join(self.corpora()) or "none"
            raise UnknownCorpus(
                f"no corpus {name!r} under {self.root}; found: {names}",
                fix=f"Build it with `synglot index build {name} --input FILE`.",
            )
        return corpus


def _other_encoder(manifest: Manifest) -> str:
    return (
        f"Restore it, or build again: `synglot index build {manifest.corpus} --input FILE "
        f"--encoder {manifest.encoder.path}`."
    )


def _resolve(corpus: CorpusFolder, version: str | None) -> str:
    """`version`, or the active one, among those published. Raises UnknownVersion."""
    # In this order: a version published in between is then listed as well.
    found = corpus.active() if version is None else version
    published = corpus.published()
    if found is None:
        raise UnknownVersion(
            f"corpus {corpus.name!r} has no active version; published: {', '.join(published)}",
            fix=f"Run `synglot index activate {corpus.name} {published[-1]}`.",
        )
    if found not in published:
        raise UnknownVersion(
            f"corpus {corpus.name!r} has no version {found!r}; published: {', '.join(published)}"
        )
    return found
