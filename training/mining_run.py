"""`synglot train mine`: the items of a configuration, written again with hard negatives."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from retrieval.encoder import COMPACT, Encoder
from retrieval.errors import BadConfig, BadInput
from retrieval.formats.parallel import write_parallel
from retrieval.types import ParallelItem
from training.config import EncoderStart, TrainingConfig
from training.mine import Mined, mine
from training.run import TrainingData, read_data, read_items
from training.split import chosen

_ENDING = ".jsonl"


def mine_to(
    config: TrainingConfig, out: Path, *, encoder: Path | None, overwrite: bool = False
) -> dict[str, object]:
    """Write every item that the configuration chooses to `out`, whole or not at all; the counts.

    Items of held-out pages are written as they are, and their passages are nobody's negatives.
    Raises BadConfig, BadEncoder, BadInput and what the readers raise.
    """
    _check_out(out, overwrite=overwrite)
    loaded = Encoder.load(_encoder_path(config, encoder))
    data = read_data(config)
    mined = mine(data.table, loaded, config.mining, seed=config.seed, progress=True)
    _write_whole(_with_negatives(config, data, mined), out)
    return {
        "encoder": {"path": loaded.path, "fingerprint": loaded.fingerprint},
        "items": len(data.table),
        "items_with_negatives": len({item for item, _ in mined.rows}),
        "negatives": {"monolingual": mined.monolingual, "cross-lingual": mined.cross_lingual},
        "by_language": {
            lang: sum(len(rows) for (_, found), rows in mined.rows.items() if found == lang)
            for lang in data.table.languages
        },
        "mining": config.mining.model_dump(mode="json"),
    }


def _encoder_path(config: TrainingConfig, encoder: Path | None) -> str:
    if encoder is not None:
        return str(encoder)
    if isinstance(config.start, EncoderStart):
        return config.start.path or str(COMPACT)
    raise BadConfig(
        f"a start of kind {config.start.kind!r} has not been trained: what it finds is noise",
        fix="Name a trained encoder with --encoder.",
    )


def _check_out(out: Path, *, overwrite: bool) -> None:
    if not out.name.endswith(_ENDING):
        raise BadInput(f"negatives are written as {_ENDING}", path=out)
    if not out.absolute().parent.is_dir():
        raise BadInput("cannot be written: there is no such folder", path=out)
    if out.exists() and not (overwrite and out.is_file()):
        raise BadInput(
            "the output exists", path=out, fix="Choose another --out, or give --overwrite."
        )


def _with_negatives(
    config: TrainingConfig, data: TrainingData, mined: Mined
) -> Iterator[ParallelItem]:
    numbers = {identifier: number for number, identifier in enumerate(data.table.ids)}
    for item in chosen(read_items(config), config.data):
        number = numbers.get(item.id)
        yield item if number is None else mined.add_to(item, number, data.table)


def _write_whole(items: Iterator[ParallelItem], out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as folder:
        part = Path(folder) / out.name
        write_parallel(items, part)
        part.replace(out)
