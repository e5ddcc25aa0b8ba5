"""What comes with an encoder: synglot.json for programs, README.md for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retrieval.encoder import DESCRIPTION
from training.config import TrainingConfig
from training.data import ParallelTable
from training.fitting import Fitted
from training.leaks import Leak
from training.sampler import Tally

_LIBRARIES = ("synglot", "sentence-transformers", "transformers", "torch", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Everything that made an encoder, and how it did."""

    config: TrainingConfig
    table: ParallelTable
    tally: Tally
    fitted: Fitted
    seconds: float
    dev: dict[str, float]
    processes: int = 1
    leaks: tuple[Leak, ...] = ()

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        """(step, loss) of every log."""
        return self.fitted.losses

    def to_json(self) -> dict[str, Any]:
        """The content of synglot.json."""
        config, batches = self.config, self.config.batches
        return {
            "schema_version": 1,
            "strategy": str(config.strategy),
            "alpha": config.model_dump(mode="json")["batches"]["alpha"]
            if batches.strategy == "hybrid"
            else None,
            "seed": config.seed,
            "steps": config.steps,
            "languages": list(self.table.languages),
            "sources": dict(sorted(self.tally.sources.items())),
            "data": {"items": len(self.table), "fingerprint": self.table.fingerprint}
            | {"items_with_negatives": self.table.negatives.items(len(self.table.languages))}
            | {"evaluation_texts": [leak.to_json() for leak in self.leaks]},
            "modes": dict(self.tally.modes.most_common()),
            "pairs": dict(sorted(self.tally.pairs.items())),
            "negatives": self.tally.negatives,
            "losses": [list(entry) for entry in self.losses],
            "stopped_at": self.fitted.steps,
            "best_step": self.fitted.best_step,
            "dev_history": list(self.fitted.dev_history),
            "dev": self.dev,
            "seconds": round(self.seconds, 1),
            "processes": self.processes,
            "versions": {name: version(name) for name in _LIBRARIES},
            "config": config.model_dump(mode="json"),
        }

    def write(self, folder: Path) -> None:
        """Both files, into the encoder's folder."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", "utf-8")
        (folder / "README.md").write_text(self.to_markdown(), "utf-8")

    def to_markdown(self) -> str:
        """The model card."""
        config, batches = self.config, self.config.batches
        front = "\n".join(f"- {lang}" for lang in self.table.languages)
        sources = "\n".join(f"| {s} | {n} |" for s, n in self.tally.sources.most_common())
        modes = "\n".join(f"| {m} | {n} |" for m, n in self.tally.modes.most_common())
        dev = "\n".join(f"| {name} | {value:.3f} |" for name, value in self.dev.items())
        return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [synglot, multilingual, retrieval, {batches.strategy.value}]
language:
{front}
---

# A multilingual retrieval encoder

Trained by Synglot with the **{config.strategy}** strategy: {config.steps} steps of \
{batches.size} question-passage triplets, seed {config.seed}, InfoNCE at temperature \
{config.loss.temperature:g}, from {_start(config)}.

```python
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer("this-folder")
scores = encoder.similarity(encoder.encode_query("..."), encoder.encode_document("..."))
```

## Held-out pages of the training sources

| measure | value |
|---|---|
{dev or "| none held out | |"}

## What was drawn

| mode | batches |
|---|---|
{modes}

| source | triplets |
|---|---|
{sources}

Triplets by language pair, question to passage:

{_matrix(self.table.languages, self.tally)}

The configuration, the data's fingerprint, the losses and the versions of libraries are in \
`{DESCRIPTION}`.
"""


def _start(config: TrainingConfig) -> str:
    start = config.start
    if start.kind == "compact":
        return f"scratch ({start.vocabulary} subwords, {start.dim} dimensions)"
    if start.kind == "encoder":
        return f"the encoder {start.path or 'bundled with Synglot'}"
    return f"the checkpoint {start.checkpoint} ({start.pooling} pooling)"


def _matrix(languages: tuple[str, ...], tally: Tally) -> str:
    head = "| | " + " | ".join(languages) + " |"
    rule = "|---" * (len(languages) + 1) + "|"
    rows = [
        f"| {q} | " + " | ".join(str(tally.pairs.get(f"{q}->{p}", 0)) for p in languages) + " |"
        for q in languages
    ]
    return "\n".join([head, rule, *rows])
