"""`synglot index add`, `remove`, `reindex` and `prune` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from indexer.cli import app
from retrieval.errors import BadInput, DuplicateId, UnknownCorpus
from retrieval.store import Store

Index = Callable[..., Result]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Run a subcommand under a root of its own; an error that it raises is raised here."""

    def run(*arguments: object) -> Result:
        words = [*map(str, arguments), "--root", str(tmp_path / "root")]
        return CliRunner().invoke(app, words, catch_exceptions=False)

    return run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def lines(path: Path, *records: dict[str, str]) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), "utf-8")
    return path


@pytest.fixture
def built(index: Index, tiny_encoder: Path, tmp_path: Path) -> Path:
    """Corpus `city` of three passages."""
    records = [{"id": str(i), "text": f"tram {i}", "lang": "de"} for i in range(3)]
    path = lines(tmp_path / "city.jsonl", *records)
    assert index("build", "city", "--input", path, "--encoder", tiny_encoder).exit_code == 0
    return path


def figures(result: Result) -> dict[str, object]:
    assert result.exit_code == 0
    return dict(json.loads(result.stdout))


@pytest.mark.usefixtures("built")
def test_add_replaces_and_appends(index: Index, tmp_path: Path, store: Store) -> None:
    more = lines(
        tmp_path / "more.jsonl",
        {"id": "1", "text": "another tram", "lang": "fr"},
        {"id": "new", "text": "The library is open until six."},
    )
    shown = figures(index("add", "city", "--input", more, "--json", "-"))
    assert (shown["version"], shown["encoded"], shown["reused"]) == ("v000002", 2, 2)
    assert shown["languages"] == {"de": 2, "en": 1, "fr": 1}
    assert shown["detected"] == {"en": 1}
    with store.open("city") as version:
        assert version.passage_ids == ["0", "2", "1", "new"]
    again = index("add", "city", "--input", more, "--no-activate")
    assert "encoded: 0 passages, vectors of 4 reused" in again.stdout
    assert store.active("city") == "v000002"


def test_a_folder_given_again_replaces_the_chunks_of_its_documents(
    index: Index, tiny_encoder: Path, tmp_path: Path, store: Store
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "bus.md").write_text("Der Bus fährt alle zehn Minuten. " * 40, "utf-8")
    (docs / "tram.md").write_text("Die Straßenbahn fährt nachts nicht.", "utf-8")
    chunks = ("--input", docs, "--max-tokens", 64)
    index("build", "docs", *chunks, "--encoder", tiny_encoder)
    (docs / "bus.md").write_text("Der Bus fährt nicht mehr.", "utf-8")
    index("add", "docs", *chunks)
    with store.open("docs") as version:
        assert version.passage_ids == ["bus.md", "tram.md"]
    (docs / "bus.md").write_text("Der Bus fährt wieder jede Minute. " * 40, "utf-8")
    index("add", "docs", *chunks)
    with store.open("docs") as version:
        assert set(version.passages.documents_at(range(len(version.passages)))) == {
            "bus.md",
            "tram.md",
        }
        assert "bus.md" not in version.passage_ids


@pytest.mark.usefixtures("built")
def test_remove_takes_ids_and_files_of_ids(index: Index, tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadInput, match="has no passage 'x'"):
        index("remove", "city", "--id", "x", "--id", "0")
    with pytest.raises(BadInput, match="no ids to remove"):
        index("remove", "city")
    assert store.versions("city") == ["v000001"]
    ids = tmp_path / "ids.txt"
    ids.write_text("0\nx\n\n")
    shown = figures(index("remove", "city", "--ids", ids, "--missing-ok", "--json", "-"))
    assert (shown["passages"], shown["encoded"], shown["reused"]) == (2, 0, 2)
    none = index("remove", "city", "--id", "x", "--missing-ok")
    assert "has none of them; no version was published" in none.stdout
    assert store.versions("city") == ["v000001", "v000002"]


@pytest.mark.usefixtures("built")
def test_reindex_and_prune_say_what_they_did(index: Index, store: Store) -> None:
    shown = figures(index("reindex", "city", "--recall", ".9", "--json", "-"))
    assert (shown["version"], shown["encoded"], shown["reused"]) == ("v000002", 0, 3)
    index("reindex", "city")
    recall = store.manifest("city").index.recall
    assert recall is not None
    assert recall.target == 0.9
    pruned = figures(index("prune", "city", "--json", "-"))
    assert pruned["versions"] == ["v000001"]
    assert int(str(pruned["bytes"])) > 0
    assert "city: removed: no version; 0 bytes freed" in index("prune", "city").stdout


@pytest.mark.usefixtures("built")
def test_ids_that_occur_twice_and_empty_files_are_refused(
    index: Index, tmp_path: Path, store: Store
) -> None:
    twice = {"id": "9", "text": "bus"}
    path = lines(tmp_path / "twice.jsonl", twice, {"id": "8", "text": "bus"}, twice)
    with pytest.raises(DuplicateId) as caught:
        index("add", "city", "--input", path)
    assert caught.value.where == f"{path}:3"
    with pytest.raises(BadInput, match="no passages to add"):
        index("add", "city", "--input", lines(tmp_path / "empty.jsonl"))
    assert store.versions("city") == ["v000001"]
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_corpus_that_is_not_there_is_refused(index: Index, tmp_path: Path) -> None:
    path = lines(tmp_path / "some.jsonl", {"id": "9", "text": "bus"})
    for words in (["add", "x", "--input", path], ["remove", "x", "--id", "1"], ["prune", "x"]):
        with pytest.raises(UnknownCorpus):
            index(*words)
    with pytest.raises(UnknownCorpus):
        index("reindex", "x")
    assert not (tmp_path / "root").exists()
