"""Which items a configuration trains on, and which it holds out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from retrieval import held_out
from retrieval.types import ParallelItem
from training.config import Data


def is_held_out(item: ParallelItem, data: Data) -> bool:
    """Whether the item's page is among the `dev_share` kept for development."""
    return held_out.is_held_out(item, share=data.dev_share, whole_sources=data.whole_sources)


def chosen(items: Iterable[ParallelItem], data: Data) -> Iterator[ParallelItem]:
    """Items of the sources that the configuration admits."""
    for item in items:
        admitted = data.sources is None or item.source in data.sources
        if admitted and item.source not in data.exclude_sources:
            yield item
