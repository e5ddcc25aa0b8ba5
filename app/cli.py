"""`synglot`: every command parses its arguments, calls one function and ends with an exit code.

0 done, 1 a check failed, 2 bad input, 3 the machine failed us, 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer

from app.commands.benchmark import commands as benchmark_commands
from app.commands.evaluate import evaluate
from app.commands.options import BalanceOption, EncoderOption, Languages, ModeOption, codes
from app.commands.two_words import TwoWords
from indexer.cli import app as index_commands
from indexer.options import DEFAULT_ROOT, Json, Root, VersionOption
from retrieval import errors
from retrieval.formats.files import write_json
from retrieval.search.balance import Balance
from retrieval.search.pool import Mode

app = typer.Typer(
    name="synglot",
    cls=TwoWords,
    help="Train multilingual retrieval encoders with hybrid batches, index corpora, serve and "
    "measure multilingual search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(index_commands, name="index")
app.add_typer(benchmark_commands, name="benchmark")
app.command("evaluate")(evaluate)

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)

# What `train` and `demo` need beyond the service.
_TRAINING = ("training", "accelerate", "datasets")

EXIT_CHECK_FAILED, EXIT_BAD_INPUT, EXIT_MACHINE, EXIT_INTERRUPTED = 1, 2, 3, 130


def main() -> NoReturn:
    """The console script."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        _stop("interrupted", EXIT_INTERRUPTED)
    except (errors.MachineFailure, MemoryError) as error:
        _stop(str(error) or "out of memory", EXIT_MACHINE)
    except errors.SynglotError as error:
        _stop(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        if error.filename is None and error.errno not in _MACHINE:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        code = EXIT_MACHINE if error.errno in _MACHINE else EXIT_BAD_INPUT
        _stop(f"{where}{error.strerror}", code)
    sys.exit(0)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"synglot: {message}", err=True)
    sys.exit(code)


def _add_train() -> None:
    """Add `train` with its full help where training is installed, else what to install."""
    missing = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    if not missing:
        from training.cli import train, train_mine

        app.command("train")(train)
        app.command("train mine")(train_mine)
        return

    def train_unavailable(
        config: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,  # noqa: ARG001
    ) -> None:
        """Train an encoder (not installed here: pip install 'synglot[train]')."""
        raise errors.BadInput(
            f"training is not installed here ({', '.join(missing)})",
            fix="pip install 'synglot[train]'.",
        )

    app.command("train", context_settings={"ignore_unknown_options": True})(train_unavailable)


_add_train()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port. [default: 8000]")] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that holds the corpora. [default: synglot-data]"),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine without keys.")
    ] = False,
) -> None:
    """Serve search and evaluation over REST.

    Settings come from the environment (SYNGLOT_ROOT, SYNGLOT_PORT, ...); flags win.
    """
    from app.server import serve as run
    from app.settings import load_settings

    run(load_settings(host=host, port=port, root=root, insecure=insecure or None))


@app.command()
def search(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The corpus.")],
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    languages: Languages = "",
    top_k: Annotated[int, typer.Option(help="Hits.")] = 10,
    mode: ModeOption = Mode.DENSE,
    balance: BalanceOption = Balance.NONE,
    query_language: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Of the query; by default told from its text."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="JSON",
            help="Only passages whose metadata match, as in "
            '\'{"source": "wiki", "year": {"gte": 2010}}\'.',
        ),
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="One hit a document: its best passage.")
    ] = False,
    root: Root = DEFAULT_ROOT,
    version: VersionOption = None,
    encoder: EncoderOption = None,
    json: Json = None,
) -> None:
    """Search a corpus from the shell.

    Example: synglot search demo "How do I get a library card?" --languages de,th
    """
    from app.shell import as_text, search_once

    answer = search_once(
        root,
        name,
        query,
        languages=codes(languages),
        top_k=top_k,
        mode=mode,
        balance=balance,
        query_language=query_language,
        version=version,
        encoder=encoder,
        where=where,
        group=group,
    )
    if json != "-":
        typer.echo(as_text(answer))
    if json:
        write_json(answer.model_dump(), json)


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Run to the end, print figures as JSON, and exit.")
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to build. [default: synglot-data; a temporary folder with --check]",
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the service.")] = 8000,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only write the demo's data as files, and exit."),
    ] = None,
) -> None:
    """The whole path on bundled data, offline: train, index, serve, search, measure."""
    from app.demo import check_demo, run_demo, write_demo_files

    if export is not None:
        write_demo_files(export)
        return
    if not check:
        run_demo(root, port=port)
        return
    figures = check_demo(root)
    typer.echo(orjson.dumps(figures).decode())  # one line, the last: scripts read it
    if not figures["ok"]:
        sys.exit(EXIT_CHECK_FAILED)
