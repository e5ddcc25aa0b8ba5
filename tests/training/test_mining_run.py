"""`synglot train mine` from its arguments to a file that trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from retrieval.errors import BadConfig, BadInput
from retrieval.formats.parallel import read_parallel
from tests.training.test_run import compact_start, config_of
from training.mining_run import mine_to
from training.run import train


@pytest.fixture
def config(parallel_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        "steps: 3\n"
        "start: {kind: encoder}\n"
        f"data: {{files: ['{parallel_file}'], dev_share: 0.2, languages: [de, en, th]}}\n"
        "batches: {size: 8}\n"
        "mining: {margin: 0.02, per_question: 2}\n"
    )
    return path


def test_the_items_are_written_again_with_negatives_that_training_uses(
    config: Path, parallel_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mined.jsonl"
    arguments = ["train", "mine", str(config), "--out", str(out), "--json", "-"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    before, after = (list(read_parallel([path])) for path in (parallel_file, out))
    assert [(i.id, i.query, i.passage, i.group) for i in before] == [
        (i.id, i.query, i.passage, i.group) for i in after
    ]
    with_negatives = [item for item in after if item.negatives]
    assert len(with_negatives) == counts["items_with_negatives"] <= counts["items"] < len(before)
    passages = {text for item in before for text in item.passage.values()}
    for item in with_negatives:
        assert set(item.negatives) <= {"de", "en", "th"}
        texts = {text for found in item.negatives.values() for text in found}
        assert texts <= passages - set(item.passage.values())
    trained = train(config_of(out, {"kind": "encoder"}), tmp_path / "encoder")
    assert trained.tally.negatives > 0
    assert not list(tmp_path.glob(".mined*"))


def test_what_cannot_be_mined_is_refused(
    parallel_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    scratch = config_of(parallel_file, compact_start())
    with pytest.raises(BadConfig, match="kind 'compact' has not been trained"):
        mine_to(scratch, tmp_path / "a.jsonl", encoder=None)
    with pytest.raises(BadInput, match=r"written as \.jsonl"):
        mine_to(scratch, tmp_path / "a.json", encoder=None)
    with pytest.raises(BadInput, match="no such folder"):
        mine_to(scratch, tmp_path / "none" / "a.jsonl", encoder=None)
    (tmp_path / "there.jsonl").touch()
    with pytest.raises(BadInput, match="--overwrite"):
        mine_to(scratch, tmp_path / "there.jsonl", encoder=tiny_encoder)


def test_a_failure_leaves_the_file_that_was_there(
    parallel_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_bytes(parallel_file.read_bytes() + b"{broken\n")
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    with pytest.raises(BadInput, match=r"data\.jsonl"):
        mine_to(config_of(data, compact_start()), out, encoder=tiny_encoder, overwrite=True)
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "out.jsonl"]


@pytest.mark.slow
def test_both_commands_have_their_own_help() -> None:
    for words, expected in ((["train"], "--resume"), (["train", "mine"], "hard negatives")):
        done = subprocess.run(
            [sys.executable, "-c", "from app.cli import main; main()", *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert expected in done.stdout
        assert f"Usage: -c {' '.join(words)} [OPTIONS] {{CONFIG}}" in done.stdout
