"""docs/corpora.md: its commands run, and its filters are filters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from retrieval.formats import documents, tables
from retrieval.search.filters import parse_filter

PAGE = Path(__file__).parents[2] / "docs" / "corpora.md"


def text() -> str:
    return PAGE.read_text("utf-8")


def test_every_kind_of_file_is_on_the_page() -> None:
    for ending in (*tables.ENDINGS, *documents.ENDINGS):
        suffix = ending.removesuffix(".gz").removesuffix(".zst")
        assert f"`{suffix}`" in text()


def test_every_filter_of_the_page_is_one() -> None:
    cells = [row.split("|")[1] for row in text().splitlines() if row.startswith("| `{")]
    filters = [found for cell in cells for found in re.findall(r"`([^`]+)`", cell)]
    assert len(filters) >= 8
    for found in filters:
        parse_filter(orjson.loads(found.replace("{...}", '{"a": 1}')))


@pytest.mark.slow
def test_the_commands_of_the_page_run_in_their_order(tmp_path: Path) -> None:
    script = "set -e\n" + "".join(re.findall(r"```sh\n(.*?)```", text(), re.DOTALL))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built, *searched = re.split(r"^  1\. ", done.stdout, flags=re.MULTILINE)
    assert "languages: de " in built
    assert "chunked: 1 long documents into" in built
    grouped, transport, years, either = searched
    assert len(re.findall(r"^ +\d+\. ", "  1. " + grouped, re.MULTILINE)) == 2
    assert "library" not in transport
    assert "bus.md" not in years
    assert "bus.md" not in either
