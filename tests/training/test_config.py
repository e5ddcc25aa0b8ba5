"""Configurations: what is accepted, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

import training
from retrieval.errors import BadConfig, BadInput
from training.config import CompactStart, load_config, parse_config

MINIMAL = "steps: 10\nstart: {kind: compact}\ndata: {files: [a.jsonl]}\n"
SHIPPED = sorted((Path(training.__file__).parent / "configs").glob("*.yaml"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    assert load_config(path).steps > 0


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "c.yaml", MINIMAL))
    assert str(config.strategy) == "hybrid(0.5)"
    assert (config.batches.size, config.batches.tau) == (100, 1.0)
    assert (config.optimizer.learning_rate, config.optimizer.weight_decay) == (3e-5, 1e-2)
    assert config.loss.temperature == 0.05


def test_overrides_reach_into_sections_and_are_read_as_yaml(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", MINIMAL)
    config = load_config(
        path, ["batches.alpha=0.3", "data.languages=[de, th]", "start.dim=64", "steps=3"]
    )
    assert config.batches.alpha == 0.3
    assert config.data.languages == ("de", "th")
    assert isinstance(config.start, CompactStart)
    assert (config.start.dim, config.steps) == (64, 3)


def test_environment_variables_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MINIMAL.replace("a.jsonl", '"${HERE}/${THERE:-else}/a.jsonl"')
    path = write(tmp_path / "c.yaml", text)
    monkeypatch.setenv("HERE", "/data")
    monkeypatch.delenv("THERE", raising=False)
    assert load_config(path).data.files == ("/data/else/a.jsonl",)
    monkeypatch.delenv("HERE")
    with pytest.raises(BadConfig, match="HERE is not set"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("steps: [", "broken YAML"),
        ("- a\n", "expected a mapping, found list"),
        (MINIMAL.replace("steps: 10", "steps: 0"), "steps: .*greater than or equal to 1"),
        (MINIMAL + "stepz: 1\n", "stepz: Extra inputs"),
        (MINIMAL.replace("compact", "magic"), "start: .*'magic'"),
        (MINIMAL + "batches: {strategy: bilingual}\n", "batches.strategy: .*'hybrid'"),
        (MINIMAL + "optimizer: {learning_rate: .inf}\n", "learning_rate: .*finite"),
        (MINIMAL + "seed: 99999999999\n", "seed: .*less than 4294967296"),
        (MINIMAL + "loop: &a [*a]\n", "an alias holds itself"),
        (MINIMAL + "batches: {alpha: 2}\n", "batches.alpha"),
        (MINIMAL + "batches: {alpha: {from: 2, to: 0}}\n", "batches.alpha"),
        (MINIMAL + "batches: {weights: {qa: 0}}\n", "batches.weights.qa"),
        (MINIMAL.replace("files: [a.jsonl]", "tau: 1"), "data.files: Field required"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, found: str) -> None:
    path = write(tmp_path / "c.yaml", text)
    with pytest.raises(BadConfig, match=found) as caught:
        load_config(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("override", ["steps", "steps.x=1", "steps=["])
def test_a_broken_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(BadConfig, match="--set"):
        load_config(write(tmp_path / "c.yaml", MINIMAL), [override])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        load_config(tmp_path / "none.yaml")


def test_an_alpha_may_be_scheduled_and_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", MINIMAL + "batches: {alpha: {from: 1, to: 0.2}}\n")
    config = load_config(path)
    assert str(config.strategy) == "hybrid(1 to 0.2 in 10 steps)"
    assert config.strategy.alpha_at(9) == 0.2
    assert parse_config(config.model_dump(mode="json")) == config
    shorter = load_config(path, ["batches.alpha.over=5"])
    assert shorter.strategy.alpha_at(4) == 0.2
