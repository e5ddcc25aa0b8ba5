"""The command line: exit codes, messages and figures, through the console script's own entry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from retrieval.encoder import COMPACT
from retrieval.store import Store


def test_every_command_has_help(synglot: Any) -> None:
    code, out, _ = synglot("--help")
    assert code == 0
    commands = ("demo", "train", "index", "serve", "search", "evaluate", "benchmark")
    for command in commands:
        assert command in out
        code, help_text, _ = synglot(command, "--help")
        assert code == 0
        assert "Usage" in help_text


def test_a_search_prints_hits_and_the_body_of_the_service(
    synglot: Any, demo_store: Store, client: httpx.Client
) -> None:
    question = "Where can I register my dog?"
    root = demo_store.root
    code, out, _ = synglot("search", "demo", question, "--root", root, "--languages", "de,th")
    assert code == 0
    assert out.startswith("  1. ")
    code, out, _ = synglot("search", "demo", question, "--root", root, "--json", "-")
    body = json.loads(out)
    answer = client.post("/search", json={"corpus": "demo", "query": question}).json()
    assert body["results"] == answer["results"]
    assert set(body) == set(answer)


def test_an_evaluation_prints_the_report_of_the_service(
    synglot: Any, demo_store: Store, demo_files: Path, client: httpx.Client, tmp_path: Path
) -> None:
    queries, qrels = demo_files / "queries.jsonl", demo_files / "qrels.tsv"
    given = ("evaluate", "demo", "--queries", queries, "--qrels", qrels, "--root", demo_store.root)
    run = tmp_path / "run.trec"
    code, out, _ = synglot(*given, "--measures", "MRR@10 mAP", "--json", "-", "--run", run)
    assert code == 0
    with queries.open("rb") as q, qrels.open("rb") as r:
        answer = client.post(
            "/evaluate",
            data={"corpus": "demo", "measures": "MRR@10 mAP"},
            files={"queries": q, "qrels": r},
        ).json()
    report = json.loads(out)
    assert set(report) - set(answer) == {"per_query", "provenance", "worst"}
    assert {name: report[name] for name in answer} == answer
    judged = {line.split()[0] for line in run.read_text("utf-8").splitlines()}
    assert len(judged) == answer["queries"]["judged"]
    code, out, _ = synglot(*given)
    assert "MRR@10, question language down, passage language across" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("search", "nope", "q"), "no corpus 'nope'"),
        (("search", "../up", "q"), "'../up'"),
        (("search", "demo", " "), "empty"),
        (("search", "demo", "q", "--top-k", "0"), "top_k is 0"),
        (("search", "demo", "q", "--languages", "fr"), "no passages in fr"),
        (("search", "demo", "q", "--languages", "klingon"), "unknown language code"),
        (("search", "demo", "q", "--encoder", "./nowhere"), "not an encoder folder"),
        (("search", "demo", "q", "--version", "v000009"), "no version 'v000009'"),
        (("evaluate", "demo", "--queries", "none.jsonl"), "no such file"),
        (("index", "build", "new", "--input", "none.jsonl"), "no such file"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_says_why(
    synglot: Any, demo_store: Store, arguments: tuple[str, ...], says: str
) -> None:
    code, _, err = synglot(*arguments, "--root", demo_store.root)
    assert code == 2
    assert err.startswith("synglot: ")
    assert says in err
    assert "Traceback" not in err


def test_files_with_faults_are_named_with_the_line(
    synglot: Any, demo_store: Store, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n')
    code, _, err = synglot("index", "build", "new", "--input", broken, "--root", demo_store.root)
    assert code == 2
    assert f"{broken}:2: " in err
    assert demo_store.corpora() == ["demo"]


def test_another_encoder_than_the_corpus_own_is_refused(
    synglot: Any, demo_store: Store, tiny_encoder: Path
) -> None:
    code, _, err = synglot(
        "search", "demo", "q", "--root", demo_store.root, "--encoder", tiny_encoder
    )
    assert code == 2
    assert "was built with the encoder" in err


def test_what_is_no_lareqa_folder_is_refused(synglot: Any, tmp_path: Path) -> None:
    code, _, err = synglot("benchmark", "xquad-r", "--data", tmp_path)
    assert code == 2
    assert str(tmp_path) in err


def test_a_path_that_cannot_be_written_is_bad_input_and_a_full_disk_is_not(
    synglot: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = synglot("demo", "--export", tmp_path / "file" / "sub")
    assert (code, err) == (2, f"synglot: {tmp_path / 'file' / 'sub'}: Not a directory\n")
    code, _, err = synglot("index", "list", "--root", tmp_path, "--json", "/dev/full")
    assert code == 3
    assert "No space left" in err


def test_a_public_address_is_refused(synglot: Any, tmp_path: Path) -> None:
    code, _, err = synglot("serve", "--host", "0.0.0.0", "--root", tmp_path)  # noqa: S104
    assert code == 2
    assert "--insecure" in err


@pytest.mark.parametrize("arguments", [("serve", "--port", "99999"), ("demo", "--port", "99999")])
def test_a_setting_that_cannot_be_is_refused(
    synglot: Any, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    code, _, err = synglot(*arguments, "--root", tmp_path)
    assert code == 2
    assert "port: Input should be less than or equal to 65535" in err


def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    synglot: Any, demo_files: Path, tmp_path: Path
) -> None:
    corpus, figures = demo_files / "corpus.jsonl", tmp_path / "none" / "f.json"
    code, _, err = synglot(
        *("index", "build", "demo", "--input", corpus, "--root", tmp_path, "--json", figures)
    )
    assert code == 2
    assert "no such folder" in err
    assert Store(tmp_path).corpora() == []


def test_a_failed_first_build_leaves_nothing(synglot: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{")
    assert synglot("index", "build", "new", "--input", broken, "--root", tmp_path / "s")[0] == 2
    assert not (tmp_path / "s" / "corpora" / "new").exists()


def test_a_damaged_corpus_is_listed_and_can_be_built_again(
    synglot: Any, demo_files: Path, tmp_path: Path
) -> None:
    build = ("index", "build", "demo", "--input", demo_files / "corpus.jsonl", "--root", tmp_path)
    assert synglot(*build)[0] == 0
    (tmp_path / "corpora" / "demo" / "CURRENT").write_text("garbage")
    code, out, _ = synglot("index", "list", "--root", tmp_path)
    assert code == 0
    assert "demo: v000001" in out
    assert "garbage" in out
    code, _, err = synglot(*build)
    assert code == 2
    assert "--encoder PATH" in err
    assert synglot(*build, "--encoder", COMPACT)[0] == 0
    assert synglot("search", "demo", "dog", "--root", tmp_path)[0] == 0


def test_a_port_in_use_is_refused(synglot: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = synglot("serve", "--port", port, "--root", tmp_path)
    assert code == 2
    assert f"port {port}" in err


def test_serve_answers_and_stops_when_interrupted(demo_store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [shutil.which("synglot", path=str(Path(sys.executable).parent)) or "synglot", "serve"]
    environment = os.environ | {"SYNGLOT_ROOT": str(demo_store.root), "SYNGLOT_PORT": str(port)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", process)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode in (0, 130)
    lines = [json.loads(line) for line in err.decode().splitlines()]
    assert any(line.get("route") == "/readyz" for line in lines)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not become ready")


def test_the_demos_check_ends_with_one_line_of_json(synglot: Any, tmp_path: Path) -> None:
    code, out, _ = synglot("demo", "--check", "--root", tmp_path / "it's a demo")
    figures = json.loads(out.splitlines()[-1])
    assert (code, figures["ok"]) == (0, True)
    assert {"ok", "MRR@10", "corpora", "seconds", "versions"} <= set(figures)
