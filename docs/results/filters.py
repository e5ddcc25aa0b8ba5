"""Measures metadata filters: first use, later use and memory. Usage: filters.py [PASSAGES]."""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from retrieval.search.filters import narrowed, parse_filter
from retrieval.store.fields import Fields
from retrieval.store.passages import Passages, PassageWriter
from retrieval.types import Passage

FILTERS: tuple[dict[str, object], ...] = (
    {"source": "wiki"},
    {"year": {"gte": 2010, "lt": 2020}},
    {"tags": {"in": ["a7", "a19"]}},
    {"url": "https://example.org/77"},
    {"not": {"or": [{"source": "wiki"}, {"year": {"lt": 2000}}]}},
)
_BATCH = 8192


def write(path: Path, count: int) -> None:
    """Passages with five fields each, about 120 characters of JSON."""
    draw = random.Random(0)  # noqa: S311
    writer = PassageWriter(path)
    for start in range(0, count, _BATCH):
        writer.append(
            [
                Passage(
                    id=str(row),
                    text=f"Text {row}",
                    metadata={
                        "source": draw.choice(["wiki", "news", "law", "mail"]),
                        "year": draw.randrange(1990, 2026),
                        "tags": draw.sample([f"a{n}" for n in range(40)], 3),
                        "url": f"https://example.org/{row}",
                        "score": draw.random(),
                    },
                )
                for row in range(start, min(count, start + _BATCH))
            ]
        )
    writer.close()


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int) -> None:
    """Print a line a filter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "passages.arrow"
        write(path, count)
        passages = Passages(path)
        fields, before = Fields(passages), _memory_mb()
        for found in FILTERS:
            condition = parse_filter(found)
            times = []
            for _ in range(6):
                began = time.perf_counter()
                rows = narrowed(None, condition.mask(fields, count))
                times.append(1e3 * (time.perf_counter() - began))
            sys.stdout.write(
                f"{json.dumps(found):<64} {len(rows.rows):>9,} rows  "
                f"first {times[0]:>7.0f} ms, then {sorted(times[1:])[2]:>6.2f} ms\n"
            )
        kept = {name: fields[name].size / 2**20 for name in ("source", "year", "tags", "url")}
        shown = ", ".join(f"{name} {size:.1f}" for name, size in kept.items())
        sys.stdout.write(f"columns in MiB: {shown}; peak grew by {_memory_mb() - before:.0f} MiB\n")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
