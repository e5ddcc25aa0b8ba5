"""docker-compose.yml and docker/Dockerfile fit each other and the command line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli import app
from retrieval.store import Store

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
SERVICES = ("trainer", "indexer", "service")


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command)


def synglot_commands(service: str) -> list[list[str]]:
    """Every `synglot ...` that a service runs, also inside `sh -c`."""
    command = words(COMPOSE["services"][service]["command"])
    if command[:2] == ["sh", "-c"]:
        parts = re.split(r"\s*&&\s*", command[2])
        return [shlex.split(part) for part in parts]
    return [command]


def test_the_services_run_one_after_the_other() -> None:
    services = COMPOSE["services"]
    assert tuple(services) == SERVICES
    for before, after in pairwise(SERVICES):
        assert services[after]["depends_on"] == {
            before: {"condition": "service_completed_successfully"}
        }


def test_they_share_one_volume_that_is_declared() -> None:
    mounts = {service: COMPOSE["services"][service]["volumes"] for service in SERVICES}
    assert set(map(tuple, mounts.values())) == {("data:/data",)}
    assert "data" in COMPOSE["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_each_is_built_from_a_target_that_exists(service: str) -> None:
    build = COMPOSE["services"][service]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    assert re.search(rf"^FROM base AS {build['target']}$", DOCKERFILE, re.MULTILINE)


def test_every_install_takes_the_constraints() -> None:
    installs = [
        line for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if "pip install" in line
    ]
    assert len(installs) >= 3
    assert all("--constraint" in line for line in installs)


@pytest.mark.parametrize("service", SERVICES)
def test_its_commands_exist_with_their_options(service: str) -> None:
    command_line = typer.main.get_command(app)
    for words_ in synglot_commands(service):
        assert words_[0] == "synglot"
        # Parsing alone: an unknown command or option raises, nothing runs.
        command_line.make_context("synglot", words_[1:], resilient_parsing=False)
        _parse(command_line, words_[1:])


def _parse(command: Any, arguments: list[str]) -> None:
    context = command.make_context("synglot", arguments)
    if hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        _, child, left = command.resolve_command(context, rest)
        _parse(child, left)


def test_the_service_is_published_on_this_machine_alone() -> None:
    assert COMPOSE["services"]["service"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/readyz" in DOCKERFILE
    assert "USER synglot" in DOCKERFILE


@pytest.mark.slow
def test_trainer_and_indexer_leave_a_corpus_for_the_service(tmp_path: Path) -> None:
    """Their very commands, one after the other in one folder, as in the shared volume; twice."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for version in ("v000001", "v000002"):
        for service in SERVICES[:-1]:
            command = words(COMPOSE["services"][service]["command"])
            subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
        store = Store(tmp_path / "store")
        assert store.active("demo") == version
        assert store.verify("demo").counts.total == 176
    serve = words(COMPOSE["services"]["service"]["command"])
    assert serve[serve.index("--root") + 1] == "store"
