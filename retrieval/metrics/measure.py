"""Measures as values: "nDCG@10" parsed into what it means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from retrieval.errors import UnknownMeasure


class Kind(StrEnum):
    """What is measured; the value is the canonical name."""

    RECIPROCAL_RANK = "MRR"
    AVERAGE_PRECISION = "mAP"
    NDCG = "nDCG"
    RECALL = "Recall"
    SUCCESS = "Success"
    PRECISION = "P"


_NAMES = {
    "mrr": Kind.RECIPROCAL_RANK,
    "rr": Kind.RECIPROCAL_RANK,
    "map": Kind.AVERAGE_PRECISION,
    "ap": Kind.AVERAGE_PRECISION,
    "ndcg": Kind.NDCG,
    "recall": Kind.RECALL,
    "r": Kind.RECALL,
    "success": Kind.SUCCESS,
    "p": Kind.PRECISION,
    "precision": Kind.PRECISION,
}
_NEEDS_CUTOFF = frozenset({Kind.RECALL, Kind.SUCCESS, Kind.PRECISION})
_PATTERN = re.compile(r"(?P<name>[A-Za-z]+)(?:@(?P<cutoff>[1-9][0-9]{0,8}))?", re.ASCII)
_SUGGESTIONS = ("MRR@10", "mAP", "AP@1000", "nDCG@10", "Recall@100", "Success@5", "P@10")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure with its cut-off; None means the full ranking. `str()` is its canonical name."""

    kind: Kind
    cutoff: int | None = None

    @classmethod
    def parse(cls, name: str) -> Measure:
        """The measure called `name`, in any case; RR, AP, R and Precision are understood as well.

        Raises UnknownMeasure with the nearest names.
        """
        match = _PATTERN.fullmatch(name)
        kind = _NAMES.get(match["name"].lower()) if match else None
        if match is None or kind is None:
            raise _unknown(name, f"unknown measure {name!r}")
        cutoff = int(match["cutoff"]) if match["cutoff"] else None
        if cutoff is None and kind in _NEEDS_CUTOFF:
            raise _unknown(name, f"measure {name!r} needs a cut-off, such as {kind}@10")
        return cls(kind, cutoff)

    def __str__(self) -> str:
        if self.cutoff is None:
            return self.kind.value
        if self.kind is Kind.AVERAGE_PRECISION:  # only the full ranking's is called mAP
            return f"AP@{self.cutoff}"
        return f"{self.kind}@{self.cutoff}"


DEFAULT_MEASURES = tuple(Measure.parse(name) for name in ("MRR@10", "mAP", "nDCG@10", "Recall@100"))


def parse_measures(names: str | Iterable[str]) -> tuple[Measure, ...]:
    """Measures of a list of names, or of names separated by spaces or commas; each once, in order.

    Raises UnknownMeasure, also where there is none.
    """
    listed = re.split(r"[\s,]+", names.strip()) if isinstance(names, str) else list(names)
    if not listed or listed == [""]:
        raise _unknown("", "no measure named")
    return tuple(dict.fromkeys(Measure.parse(name) for name in listed))


def _unknown(name: str, what: str) -> UnknownMeasure:
    by_letters = {known.lower(): known for known in _SUGGESTIONS}
    close = difflib.get_close_matches(name.lower(), by_letters, n=3, cutoff=0.4)
    nearest = [by_letters[key] for key in close] or list(_SUGGESTIONS)
    return UnknownMeasure(what, fix=f"Did you mean {' or '.join(nearest)}?")
