"""Open corpora: each version opened once, with its encoder, and read without locks."""

from __future__ import annotations

import threading
from collections import OrderedDict

from app.settings import Settings
from retrieval.encoder import Encoder
from retrieval.errors import SynglotError
from retrieval.search import Searcher
from retrieval.store import Manifest, Store

# Versions kept open beside the active ones, for requests that name one.
_KEPT_VERSIONS = 8

_Key = tuple[str, str, tuple[int, int]]
"""Corpus, version id and stamp."""


class Corpora:
    """The corpora of a store as searchers.

    A search holds its searcher: activating another version changes what the next search gets and
    nothing else. A version that fell out of use is let go when its last search ends.
    """

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.root)
        self.default_encoder = Encoder.load()
        self._encoders = {self.default_encoder.fingerprint: self.default_encoder}
        self._open: OrderedDict[_Key, Searcher] = OrderedDict()
        self._lock = threading.Lock()

    def searcher(self, name: str, version: str | None = None) -> Searcher:
        """The searcher of a version, by default the active one; blocks while it is opened.

        Raises UnknownCorpus, UnknownVersion, CorruptVersion, BadEncoder.
        """
        wanted = version or self.store.active(name) or self.store.manifest(name).version
        key = (name, wanted, self.store.stamp(name, wanted))
        found = self._open.get(key)
        if found is not None:
            self._open.move_to_end(key)
            return found
        with self._lock:
            return self._open.get(key) or self._opened(key)

    def _opened(self, key: _Key) -> Searcher:
        # One thread a search: searches run side by side; pool x threads must not pass the cores.
        opened = self.store.open(key[0], key[1], threads=1)
        searcher = Searcher(opened, self._encoder(opened.manifest))
        self._open[key] = searcher
        while len(self._open) > _KEPT_VERSIONS + len(self.store.corpora()):
            self._open.popitem(last=False)
        return searcher

    def _encoder(self, manifest: Manifest) -> Encoder:
        fingerprint = manifest.encoder.fingerprint
        if fingerprint not in self._encoders:
            loaded = self.store.load_encoder(manifest.corpus, manifest.version)
            self._encoders[fingerprint] = loaded
        return self._encoders[fingerprint]

    def troubles(self) -> list[str]:
        """Why active corpora cannot be searched, one reason each; opens those not yet open."""
        reasons = []
        for name in self.store.corpora():
            try:
                if self.store.active(name) is not None:
                    self.searcher(name)
            except SynglotError as error:
                reasons.append(f"{name}: {error}")
        return reasons
