"""docs/measuring.md: its commands run, and its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.evaluation.gate import GateRule
from retrieval.evaluation.lint import Rule

PAGE = Path(__file__).parents[2] / "docs" / "measuring.md"


def text() -> str:
    return PAGE.read_text("utf-8")


def test_every_rule_of_the_lint_is_in_the_table_and_no_other() -> None:
    table = text().split("| rule | finds |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE) == [rule.value for rule in Rule]


def test_every_gate_of_the_page_is_one() -> None:
    rules = re.findall(r'--gate "([^"]+)"', text())
    assert len(rules) == 2
    for rule in rules:
        GateRule.parse(rule)


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text()):
        assert (PAGE.parent / target).exists(), target


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
    assert "gate 'MRR@10 drop<=0.05 per language': passed" in done.stdout
    for name in ("before.json", "after.json", "after.html", "after.csv", "city.trec"):
        assert (tmp_path / name).stat().st_size > 1000
