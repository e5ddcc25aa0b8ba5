"""One table of ratios a session, printed at its end and written as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from retrieval.encoder import cpu_threads

Record = Callable[..., None]
_LIBRARIES = ("synglot", "torch", "sentence-transformers", "faiss-cpu", "numpy")


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config) -> Iterator[Record]:
    """`record(what, floor=..., ours=..., unit=..., budget=...)` adds a row.

    SYNGLOT_BENCH_JSON names the file written (default: benchmarks.json in the working folder).
    """
    rows: list[dict[str, Any]] = []

    def add(what: str, *, floor: float, ours: float, unit: str, budget: str) -> None:
        ratio = round(ours / floor, 3)
        rows.append(
            {"what": what, "floor": floor, "ours": ours, "unit": unit, "ratio": ratio}
            | {"budget": budget}
        )

    yield add
    machine = {"machine": platform.machine(), "cores": cpu_threads()}
    machine |= {"python": platform.python_version(), **{n: version(n) for n in _LIBRARIES}}
    path = Path(os.environ.get("SYNGLOT_BENCH_JSON", "benchmarks.json"))
    path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    lines = [f"{'':60} {'floor':>12} {'ours':>12} {'ratio':>7}  budget"]
    lines += [
        f"{r['what']:60} {r['floor']:12,.2f} {r['ours']:12,.2f} {r['ratio']:7.3f}  "
        f"{r['budget']} ({r['unit']})"
        for r in rows
    ]
    if reporter is not None:
        reporter.write_line("\n" + "\n".join(lines))


def seconds(work: Callable[[], object], *, repeats: int = 5) -> float:
    """Median time of `work` after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)
