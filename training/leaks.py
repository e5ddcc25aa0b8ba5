"""Evaluation texts among the training texts: an encoder must not be measured on what it learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.errors import BadInput
from retrieval.formats.lareqa import read_lareqa
from retrieval.text import comparable
from training.data import ParallelTable, text_key

LEAST_CHARACTERS = 20
"""Shorter texts are shared by chance ("In 1990.")."""

MOST_SHARE = 0.01
"""Share of an evaluation's texts that may be among the training texts."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """How many of an evaluation's distinct texts are training texts, with some of them."""

    evaluation: str
    found: int
    texts: int
    examples: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """For previews and descriptions."""
        return {"evaluation": self.evaluation, "found": self.found, "texts": self.texts}


def check_evaluations(folders: Iterable[str], table: ParallelTable) -> tuple[Leak, ...]:
    """What each folder of LAReQA's layout shares with the training texts.

    Raises BadInput where more than MOST_SHARE of a folder's texts do, and what the reader raises.
    """
    leaks = tuple(find_leak(folder, evaluation_texts(Path(folder)), table) for folder in folders)
    for leak in leaks:
        if leak.found > MOST_SHARE * leak.texts:
            raise BadInput(
                f"{leak.found} of {leak.texts} evaluation texts are among the training texts"
                f" (at most {MOST_SHARE:.0%} may be), such as {_shown(leak.examples)}",
                path=leak.evaluation,
                fix="Leave their sources out (data.exclude_sources), or do not measure on this.",
            )
    return leaks


def evaluation_texts(folder: Path) -> list[str]:
    """Questions and candidates of every language. Raises what `read_lareqa` raises."""
    data = read_lareqa(folder)
    return [
        text
        for file in data.files
        for text in (*(q.text for q in file.queries), *(p.to_encode for p in file.passages))
    ]


def find_leak(name: str, texts: Iterable[str], table: ParallelTable) -> Leak:
    """The texts of at least LEAST_CHARACTERS that are, normalised, training texts.

    In any language: data may declare another one for the same text.
    """
    distinct = {key: text for text in texts if len(key := comparable(text)) >= LEAST_CHARACTERS}
    known = np.unique(table.keys_T)
    keys = np.array(
        [[text_key(lang, key) for lang in table.languages] for key in distinct], dtype=np.int64
    ).reshape(len(distinct), -1)
    leaked = np.flatnonzero(np.isin(keys, known).any(axis=1)).tolist()
    all_texts = list(distinct.values())
    found = [all_texts[number] for number in leaked]
    return Leak(
        evaluation=name, found=len(found), texts=len(distinct), examples=tuple(found[:_EXAMPLES])
    )


def _shown(examples: Sequence[str]) -> str:
    return "; ".join(repr(text if len(text) <= 60 else f"{text[:57]}...") for text in examples)
