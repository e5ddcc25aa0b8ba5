"""Commands of two words, such as `train mine`, beside a command named by the first one alone."""

from __future__ import annotations

from typing import Any

import typer.core


class TwoWords(typer.core.TyperGroup):
    """A group that looks for a command named by the first two words before the first alone.

    `synglot train CONFIG` stays a plain command, whose help is its own; only an argument that is
    exactly the second word of another command names that one (`./mine` is a file).
    """

    # typer's contexts and commands have no public names.
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command, its name and what is left of the arguments."""
        both = " ".join(args[:2])
        command = self.get_command(ctx, both) if len(args) > 1 else None
        if command is not None:
            return both, command, args[2:]
        return super().resolve_command(ctx, args)
