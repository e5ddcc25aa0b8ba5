"""The command line's surface changes only on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from app.cli import app
from tests.golden import check_golden


def surface(command: Any, name: str) -> Iterator[str]:
    options = sorted(
        "/".join((*parameter.opts, *parameter.secondary_opts))
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "hidden", False)
    )
    yield " ".join([name, *options])
    for child, found in sorted(getattr(command, "commands", {}).items()):
        yield from surface(found, f"{name} {child}")


def test_the_commands_and_their_options_are_the_golden_ones() -> None:
    lines = surface(typer.main.get_command(app), "synglot")
    check_golden("command-line.txt", "\n".join(lines) + "\n")
