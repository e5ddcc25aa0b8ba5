"""`synglot index` as a user types it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from indexer.cli import app
from retrieval.errors import (
    BadEncoder,
    BadInput,
    CorruptVersion,
    DuplicateId,
    MalformedFile,
    UnknownCorpus,
    UnknownVersion,
)
from retrieval.store import Store

Index = Callable[..., Result]

LINES: list[dict[str, str]] = [
    {"id": "1", "text": "Der Bus fährt alle zehn Minuten.", "lang": "de"},
    {"id": "2", "text": "รถรางวิ่งทุกสิบนาที", "lang": "th", "title": "รถราง"},
    {"id": "3", "text": "No language is declared here."},
]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Run a subcommand under a root of its own; an error that it raises is raised here."""

    def run(*arguments: object, typed: str = "") -> Result:
        words = [*map(str, arguments), "--root", str(tmp_path / "root")]
        return CliRunner().invoke(app, words, input=typed, catch_exceptions=False)

    return run


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    path = tmp_path / "passages.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in LINES), "utf-8")
    return path


@pytest.fixture
def built(index: Index, corpus_file: Path, tiny_encoder: Path) -> Path:
    """The file of which corpus `city` has been built once."""
    assert index("build", "city", "--input", corpus_file, "--encoder", tiny_encoder).exit_code == 0
    return corpus_file


def test_build_says_what_it_published(
    index: Index, corpus_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    result = index(
        "build", "city", "--input", corpus_file, "--encoder", tiny_encoder,
        "--lang", "en", "--json", figures,
    )  # fmt: skip
    assert result.exit_code == 0
    assert "city v000001: 3 passages" in result.stdout
    assert "languages: de 1, en 1, th 1" in result.stdout
    written = json.loads(figures.read_text())
    assert written["languages"] == {"de": 1, "en": 1, "th": 1}
    assert written["active"] is True
    assert Store(tmp_path / "root").verify("city").counts.total == 3


def test_build_detects_what_nobody_declared(
    index: Index, corpus_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    build = ("build", "city", "--input", corpus_file, "--encoder", tiny_encoder)
    result = index(*build, "--json", tmp_path / "figures.json")
    assert "languages: de 1, en 1, th 1" in result.stdout
    assert "detected: en 1; undetermined 0" in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["detected"] == {"en": 1}
    assert figures["undetermined"] == 0
    with Store(tmp_path / "root").open("city") as version:
        declared, _, detected = version.passages
    assert declared.metadata == {}
    assert 0.5 < float(str(detected.metadata["lang_confidence"])) <= 1

    figures = json.loads(index(*build, "--no-detect", "--json", "-").stdout)
    assert figures["languages"] == {"de": 1, "th": 1, "und": 1}
    assert (figures["detected"], figures["undetermined"]) == ({}, 1)

    named = index(*build, "--lang", "fr")
    assert "languages: de 1, fr 1, th 1" in named.stdout
    assert "detected" not in named.stdout


def test_inputs_are_files_folders_and_globs(
    index: Index, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        with gzip.open(folder / f"{number}.jsonl.gz", "wt") as stream:
            stream.write(json.dumps({"_id": f"a{number}", "title": "T", "text": "text"}))
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": "b", "text": "text"}))
    build = ("build", "city", "--encoder", tiny_encoder, "--json", "-")
    both = index(*build, "--input", folder, "--input", tmp_path / "b.jsonl")
    assert json.loads(both.stdout)["passages"] == 4
    glob = index(*build, "--input", folder / "[01]*")
    assert json.loads(glob.stdout)["passages"] == 2


def test_a_folder_of_texts_is_cut_into_chunks(
    index: Index, tiny_encoder: Path, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    (docs / "de").mkdir(parents=True)
    (docs / "de" / "bus.md").write_text("# Bus\n\n" + LINES[0]["text"] * 40, "utf-8")
    (docs / "short.txt").write_text("The library is open until six.", "utf-8")
    (docs / "nothing.txt").touch()
    build = ("build", "docs", "--input", docs, "--encoder", tiny_encoder, "--max-tokens", 64)
    figures = json.loads(index(*build, "--overlap", 20, "--json", "-").stdout)
    chunks = figures["chunked"]["chunks"]
    assert figures["chunked"] == {"documents": 1, "chunks": chunks}
    assert chunks > 10
    assert figures["languages"] == {"de": chunks, "en": 1}
    assert figures["empty_files"] == [str(docs / "nothing.txt")]
    with Store(tmp_path / "root").open("docs") as version:
        passages = list(version.passages)
    assert [p.id for p in passages] == [*(f"de/bus.md#{n + 1}" for n in range(chunks)), "short.txt"]
    assert {p.document for p in passages} == {"de/bus.md", ""}
    printed = index(*build).stdout
    assert "chunked: 1 long documents into" in printed
    assert "skipped: 1 empty files (" in printed


def test_standard_input_is_records(index: Index, corpus_file: Path, tiny_encoder: Path) -> None:
    build = ("build", "city", "--input", "-", "--encoder", tiny_encoder, "--json", "-")
    figures = json.loads(index(*build, typed=corpus_file.read_text("utf-8")).stdout)
    assert figures["passages"] == 3


@pytest.mark.parametrize(("option", "value"), [("--max-tokens", 3), ("--overlap", -1)])
def test_chunks_that_cannot_be_are_refused(
    index: Index, corpus_file: Path, option: str, value: int
) -> None:
    with pytest.raises(BadInput, match="expected"):
        index("build", "city", "--input", corpus_file, option, value)


def test_a_second_build_uses_the_encoder_of_the_first(index: Index, built: Path) -> None:
    result = index("build", "city", "--input", built, "--no-activate", "--json", "-")
    figures = json.loads(result.stdout)
    assert figures["version"] == "v000002"
    assert figures["active"] is False
    assert figures["encoder"]["path"].endswith("encoders/" + figures["encoder"]["fingerprint"])


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A file of 600 passages in two languages, one in ten of them Thai."""
    path = tmp_path / "many.jsonl"
    rows = [
        {"id": str(i), "text": f"{i * 7919 % 1009} trams, {i} buses", "lang": "de"}
        if i % 10
        else {"id": str(i), "text": f"รถราง {i * 7919 % 1009} คัน", "lang": "th"}
        for i in range(600)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def test_a_small_corpus_gets_an_exact_index_and_the_output_says_why(
    index: Index, many: Path, tiny_encoder: Path
) -> None:
    built = index("build", "city", "--input", many, "--encoder", tiny_encoder)
    [line] = [line for line in built.stdout.splitlines() if line.startswith("index: ")]
    assert line.startswith("index: flat, 32 dimensions, ")
    assert "because exact search over 600 passages x 32 needs 0 MB and takes about 0.0 ms" in line
    assert "recall" not in built.stdout


@pytest.mark.parametrize(("kind", "shown"), [("ivf-pq", "ivf-pq"), ("IVF8,SQ8", "factory")])
def test_an_index_of_a_kind_is_built_measured_and_searched(
    index: Index, many: Path, tiny_encoder: Path, tmp_path: Path, kind: str, shown: str
) -> None:
    build = ("build", "city", "--input", many, "--encoder", tiny_encoder, "--kind", kind)
    built = index(*build, "--recall", ".9", "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())["index"]
    assert figures["kind"] == shown
    assert figures["recall"]["k"] == 10
    assert figures["recall"]["target"] == 0.9
    assert figures["recall"]["overall"] >= 0.85
    assert set(figures["recall"]["by_language"]) == {"de", "th"}
    assert int(figures["parameters"]["effort"]) >= 1
    assert figures["speed"]["ratio"] > 0
    worst = min(found["recall"] for found in figures["recall"]["by_language"].values())
    for output in (built.stdout, index("show", "city").stdout):
        assert f"index: {shown} (factory " in output
        assert f"recall@10 against exact search: {figures['recall']['overall']:.3f}" in output
        assert f": {worst:.3f} (" in output
        assert "one query on one core: " in output
    with Store(tmp_path / "root").open("city") as version:
        query_1D = version.vectors_PD[77:78]
        [ranking] = version.index.search(query_1D, 5, ids_of=version.passages.ids_at)
        assert version.passages.ids_at(ranking.rows)[0] == "77"
        thai = version.rows_in(["th"])
        [ranking] = version.index.search(
            query_1D, 100, ids_of=version.passages.ids_at, allowed=thai
        )
        assert sorted(ranking.rows.tolist()) == thai.rows.tolist()


@pytest.mark.parametrize("kind", ["magic", "IVF64", "IDMap,Flat", "IVF8,PQ7"])
def test_an_index_that_cannot_be_is_refused_before_anything_is_encoded(
    index: Index, built: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("retrieval.encoder.Encoder.encode_passages")
    with pytest.raises(BadInput) as caught:
        index("build", "city", "--input", built, "--kind", kind)
    assert kind in caught.value.what
    assert caught.value.fix


def test_list_has_the_shape_that_scripts_rely_on(index: Index, built: Path) -> None:
    index("build", "city", "--input", built, "--no-activate")
    assert json.loads(index("list", "--json", "-").stdout) == {
        "corpora": [{"name": "city", "active": "v000001", "versions": ["v000001", "v000002"]}]
    }
    assert index("list").stdout == "city: v000001*, v000002\n"


def test_list_of_nothing_is_empty(index: Index) -> None:
    assert json.loads(index("list", "--json", "-").stdout) == {"corpora": []}
    assert "no corpora" in index("list").stdout


@pytest.mark.usefixtures("built")
def test_show_describes_a_version(index: Index) -> None:
    described = json.loads(index("show", "city", "--json", "-").stdout)
    assert described["counts"] == {"total": 3, "languages": {"de": 1, "en": 1, "th": 1}}
    assert "3 passages" in index("show", "city", "--version", "v000001").stdout
    with pytest.raises(UnknownVersion):
        index("show", "city", "--version", "v000002")


def test_versions_are_activated_and_rolled_back(index: Index, built: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "root")
    index("build", "city", "--input", built, "--no-activate")
    assert "v000002 is active" in index("activate", "city", "v000002").stdout
    assert store.active("city") == "v000002"
    assert "v000001 is active" in index("rollback", "city").stdout
    assert store.active("city") == "v000001"


@pytest.mark.usefixtures("built")
def test_verify_finds_damage(index: Index, tmp_path: Path) -> None:
    assert "3 passages, all files and the encoder intact" in index("verify", "city").stdout
    path = tmp_path / "root" / "corpora" / "city" / "versions" / "v000001" / "vectors.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptVersion):
        index("verify", "city")


@pytest.mark.usefixtures("built")
def test_delete_asks_first(index: Index, tmp_path: Path) -> None:
    store = Store(tmp_path / "root")
    assert index("delete", "city", typed="n\n").exit_code == 1
    assert store.corpora() == ["city"]
    assert "city is removed" in index("delete", "city", typed="y\n").stdout
    assert store.corpora() == []
    with pytest.raises(UnknownCorpus):
        index("delete", "city", "--yes")


@pytest.mark.usefixtures("built")
def test_delete_does_not_ask_when_told_so(index: Index, tmp_path: Path) -> None:
    assert "city is removed" in index("delete", "city", "--yes").stdout
    assert Store(tmp_path / "root").corpora() == []


@pytest.mark.parametrize(
    ("content", "error", "line"),
    [
        ('{"id": "1", "text": "a"}\n{"id": "2", "te', MalformedFile, 2),
        ('{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}', DuplicateId, 2),
        ('{"id": "1", "text": ""}', MalformedFile, 1),
        ('{"id": "1", "text": "a", "lang": "klingon"}', BadInput, 1),
    ],
)
def test_bad_passages_say_where_and_lose_nothing(
    index: Index, built: Path, tmp_path: Path, content: str, error: type[BadInput], line: int
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(error) as caught:
        index("build", "city", "--input", path)
    assert caught.value.where == f"{path}:{line}"
    assert Store(tmp_path / "root").versions("city") == ["v000001"]
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_name_input_or_encoder_that_cannot_be_used_is_refused(
    index: Index, corpus_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="cannot name a corpus"):
        index("build", "../x", "--input", corpus_file)
    with pytest.raises(BadInput, match="no such file"):
        index("build", "city", "--input", tmp_path / "missing.jsonl")
    with pytest.raises(BadEncoder):
        index("build", "city", "--input", corpus_file, "--encoder", tmp_path)
    assert not (tmp_path / "root").exists()


def test_every_command_teaches_by_example() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert "Example: synglot index" in (command.callback.__doc__ or "")
