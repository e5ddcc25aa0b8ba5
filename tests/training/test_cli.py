"""`synglot train` from its arguments to its figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from retrieval.encoder import Encoder
from retrieval.errors import BadConfig, BadInput
from training.cli import train


@pytest.fixture
def config(parallel_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        "steps: 3\n"
        "start: {kind: encoder}\n"
        f"data: {{files: ['{parallel_file}']}}\n"
        "batches: {size: 8}\n"
    )
    return path


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, arguments, catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_plan_prints_what_would_be_drawn_and_trains_nothing(config: Path, tmp_path: Path) -> None:
    text = run(str(config), "--plan", "--out", str(tmp_path / "out"))
    assert "hybrid(0.5): 3 batches of 8" in text
    counts = json.loads(run(str(config), "--plan", "--json", "-", "--set", "batches.alpha=1"))
    assert counts["modes"] == {"monolingual": 3}
    assert not (tmp_path / "out").exists()


def test_an_encoder_is_trained_into_out(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    described = json.loads(run(str(config), "--out", str(out), "--json", "-"))
    assert described["steps"] == 3
    assert Encoder.load(out).description == described


def test_a_run_without_an_output_folder_is_refused(config: Path) -> None:
    with pytest.raises(BadConfig, match="no output folder"):
        run(str(config))


def test_a_shipped_configuration_is_found_beside_a_folder_of_its_name(
    parallel_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    text = run("demo", "--plan", "--set", f"data.files=[{parallel_file}]")
    assert text.startswith("hybrid(0.5): 40 batches of 16")


def test_a_shipped_configuration_is_found_by_name() -> None:
    with pytest.raises(BadInput, match=r"no configuration file 'compakt'.*compact, demo"):
        run("compakt")
