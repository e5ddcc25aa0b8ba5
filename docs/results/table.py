"""Rows of a Markdown table from files of `synglot benchmark xquad-r --json`.

    python docs/results/table.py NAME=FILE[,FILE...] ...

Several files under one name are seeds: their mean is printed, and the standard deviation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

COLUMNS = (
    ("monolingual", "mAP"),
    ("monolingual", "MRR@10"),
    ("cross_lingual", "mAP"),
    ("cross_lingual", "MRR@10"),
    ("multilingual", "mAP"),
    ("multilingual", "R@10"),
    ("multilingual", "MRR@10"),
    ("multilingual", "rank_distance"),
)
HEADS = (
    "Mo. mAP",
    "Mo. MRR@10",
    "Cr. mAP",
    "Cr. MRR@10",
    "Mul. mAP",
    "Mul. R@10",
    "Mul. MRR@10",
    "rank distance",
)


def cell(values: list[float]) -> str:
    """The mean, and the spread between seeds where there are several."""
    digits = 0 if mean(values) > 1 else 4
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def row(argument: str) -> str:
    """One row from `NAME=FILE,FILE`."""
    name, _, files = argument.partition("=")
    figures: list[dict[str, Any]] = [json.loads(Path(f).read_text()) for f in files.split(",")]
    cells = [cell([f[section][measure] for f in figures]) for section, measure in COLUMNS]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    lines = ["| | " + " | ".join(HEADS) + " |", "|---" * (len(HEADS) + 1) + "|"]
    lines += map(row, sys.argv[1:])
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
