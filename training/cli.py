"""`synglot train` and `synglot train mine`: parse, read the configuration, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import BadConfig
from retrieval.formats.files import check_target, write_json
from training.config import TrainingConfig, load_config, shipped_config

PREVIEW_STEPS = 1_000


ConfigArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="YAML file, or the name of a shipped one, such as compact."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override, as in batches.alpha=0.3."),
]
JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="F", help="Figures as JSON; - for stdout.")
]


def train(
    config: ConfigArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the new encoder. [default: the file's `out`]")
    ] = None,
    set_: SetOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be drawn, and do not train.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of this --out.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an encoder that is already in --out.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Train an encoder with hybrid (or other) batches on parallel data.

    Example: synglot train my.yaml --set batches.alpha=0.3 --out runs/alpha-3

    Hard negatives for the data: synglot train mine --help. Several processes or GPUs:
    torchrun --nproc-per-node 2 --no-python synglot train my.yaml --out runs/two
    """
    run = _load(config, set_)
    if plan:
        _preview(run, json)
        return
    _train(run, out, resume=resume, overwrite=overwrite, json=json)


def train_mine(
    config: ConfigArgument,
    out: Annotated[
        Path, typer.Option(metavar="F", help="File to write (.jsonl): the items, with negatives.")
    ],
    encoder: Annotated[
        Path | None,
        typer.Option(help="Encoder that mines. [default: the one the configuration starts from]"),
    ] = None,
    set_: SetOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is already there.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Find hard negatives: passages that the encoder takes for answers, though they are none.

    Reads the items that CONFIG trains on and writes them again with `negatives`, in each language
    of their passages: found by the question in that language (monolingual) and in another one
    (cross-lingual). The section `mining` of CONFIG chooses: per_question, ranks, margin,
    monolingual, cross_lingual. Never taken: texts of the same item, group or passage, and what
    scores within the margin of the question's own passage.

    Train on the result by naming it in data.files; batches.negatives says how many a triplet gets.

    Example: synglot train mine finetune --out mined.jsonl --set mining.ranks=[5,50]
    """
    from training.mining_run import mine_to

    check_target(json)
    counts = mine_to(_load(config, set_), out, encoder=encoder, overwrite=overwrite)
    if json != "-":
        found = sum(counts["negatives"].values())  # type: ignore[attr-defined]
        typer.echo(
            f"{found} negatives for {counts['items_with_negatives']} of {counts['items']} items: "
            f"{out}"
        )
    if json:
        write_json(counts, json)


def _load(config: Path, overrides: list[str] | None) -> TrainingConfig:
    # A folder of that name, such as the demo's data, is no configuration.
    file = config if config.suffix or config.is_file() else shipped_config(str(config))
    return load_config(file, overrides or ())


def _preview(run: TrainingConfig, json: str | None) -> None:
    from functools import partial

    from training.preview import as_text, preview
    from training.progress import bar
    from training.run import make_planner, read_data

    data = read_data(run)
    planner = make_planner(run, data.table)
    counts = preview(
        planner, steps=min(run.steps, PREVIEW_STEPS), progress=partial(bar, label="planning")
    )
    counts["evaluation_texts"] = [leak.to_json() for leak in data.leaks]
    if json != "-":
        typer.echo(as_text(counts))
        for leak in data.leaks:
            typer.echo(
                f"{leak.found} of {leak.texts} texts of {leak.evaluation} are training texts, too"
            )
    if json:
        write_json(counts, json)


def _train(
    run: TrainingConfig, out: Path | None, *, resume: bool, overwrite: bool, json: str | None
) -> None:
    from training.ranks import Ranks
    from training.run import train as train_run

    target = out or (Path(run.out) if run.out else None)
    if target is None:
        raise BadConfig("no output folder", fix="Give --out DIR, or `out:` in the configuration.")
    check_target(json)
    record = train_run(run, target, overwrite=overwrite, resume=resume)
    if not Ranks.current().is_main:
        return
    if json != "-":
        typer.echo(f"trained in {record.seconds:.0f} s: {target}")
    if json:
        write_json(record.to_json(), json)
