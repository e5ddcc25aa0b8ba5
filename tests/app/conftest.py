"""A real service over a real store, built once from the bundled knowledge base."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli import main
from app.demo import write_demo_files
from app.server import running
from app.settings import Settings
from indexer.build import build_corpus
from retrieval.demo_data import demo_passages
from retrieval.encoder import Encoder
from retrieval.store import Store


@pytest.fixture(scope="session")
def bundled() -> Encoder:
    return Encoder.load()


@pytest.fixture(scope="session")
def demo_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's data as files."""
    folder = tmp_path_factory.mktemp("files")
    write_demo_files(folder)
    return folder


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory, bundled: Encoder) -> Store:
    """A store with the corpus `demo`. Not to be changed."""
    store = Store(tmp_path_factory.mktemp("store"))
    build_corpus("demo", demo_passages(), store=store, encoder=bundled)
    return store


@pytest.fixture(scope="session")
def client(demo_store: Store) -> Iterator[httpx.Client]:
    """A client of a service over `demo_store`."""
    settings = Settings(root=demo_store.root, port=0, max_queries=8, max_query_characters=500)
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def own(tmp_path: Path, bundled: Encoder) -> Iterator[tuple[Store, httpx.Client]]:
    """A store of one's own with the corpus `demo`, and a client of a service over it."""
    store = Store(tmp_path / "store")
    build_corpus("demo", demo_passages(), store=store, encoder=bundled)
    settings = Settings(root=store.root, port=0, max_upload_bytes=100_000)
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield store, client


@pytest.fixture
def synglot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command; gives its exit code, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["synglot", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return run
