"""A training run that writes down what reached the loss; started by torchrun or alone.

python distributed.py CONFIG.json OUT RECORDS [--resume] [--kill-at STEP]
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from training.config import parse_config
from training.data import ParallelTable
from training.losses import CachedInfoNCE, MaskedInfoNCE
from training.ranks import Ranks
from training.run import read_data, train


def main() -> None:
    config = parse_config(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    out, records = Path(sys.argv[2]), Path(sys.argv[3])
    kill_at = int(sys.argv[sys.argv.index("--kill-at") + 1]) if "--kill-at" in sys.argv else None
    origin = origins(read_data(config).table)
    calls = 0

    def hook(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal calls
        if not isinstance(module, MaskedInfoNCE | CachedInfoNCE):
            return
        features, labels = inputs
        rank = Ranks.current().rank
        entry: dict[str, Any] = {"labels": labels["keys"].tolist()}
        if "offsets" in features[0]:
            pairs = zip(origin, features, strict=False)
            rows = [[known[key] for key in texts(f, module)] for known, f in pairs]
            entry["triplets"] = list(zip(*rows, strict=True))
        with (records / f"rank-{rank}.jsonl").open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        calls += 1
        if kill_at is not None and calls > kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    register_module_forward_pre_hook(hook)
    train(config, out, resume="--resume" in sys.argv)


def texts(features: dict[str, torch.Tensor], module: Any) -> list[str]:
    """The texts of a bag-of-subwords batch, by decoding the very ids the encoder is given."""
    model = getattr(module.model, "module", module.model)
    ids, begins = features["input_ids"].tolist(), features["offsets"].tolist()
    ends = [*begins[1:], len(ids)]
    decoded = (model.tokenizer.decode(ids[b:e]).strip() for b, e in zip(begins, ends, strict=True))
    return [text.removeprefix("Query: ").removeprefix("Passage: ") for text in decoded]


def origins(table: ParallelTable) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(question text -> [item id, language], passage text -> the same)."""
    found: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    all_texts = table.texts.to_pylist()
    for side, rows_NL in zip(found, (table.queries_NL, table.passages_NL), strict=True):
        for number, rows_L in enumerate(rows_NL):
            for lang, row in zip(table.languages, rows_L, strict=True):
                if row >= 0:
                    side[all_texts[row]] = [table.ids[number], lang]
    return found


if __name__ == "__main__":
    main()
