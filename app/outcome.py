"""What follows an evaluation in the shell: comparison, gates, files, and whether all went well."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from retrieval.errors import BadInput
from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.gate import EXAMPLE, GateRule, GateVerdict
from retrieval.evaluation.per_query import PerQuery
from retrieval.evaluation.saved import SavedEvaluation
from retrieval.formats.files import check_target, write_json
from retrieval.metrics.measure import Measure

_BASELINE = (
    "corpus",
    "version",
    "encoder",
    "contract",
    "measures",
    "protocols",
    "data",
    "seed",
    "versions",
)
_PROVENANCE = ("created", "command", "index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for beside the figures; everything is checked before the work begins.

    json, csv, report, run: files to write. baseline: an earlier evaluation to compare with.
    rules: gates against it.
    """

    json: str | None = None
    csv: Path | None = None
    report: Path | None = None
    run: Path | None = None
    baseline: SavedEvaluation | None = None
    rules: tuple[GateRule, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        json: str | None,
        csv: Path | None,
        report: Path | None,
        run: Path | None = None,
        compare: Path | None,
        gates: Sequence[str] | None,
    ) -> Wanted:
        """From options of the command line. Raises BadInput and its kin."""
        for target in (json, csv, report, run):
            check_target(target)
        rules = parse_gates(gates, compare)
        baseline = None if compare is None else SavedEvaluation.read(compare)
        if baseline is not None:
            check_gates(rules, baseline.per_query, baseline.path)
        return cls(json=json, csv=csv, report=report, run=run, baseline=baseline, rules=rules)

    def check_measures(self, measures: Sequence[Measure]) -> None:
        """Raises BadInput where a gate is on none of the measures, before any is computed."""
        for rule in self.rules:
            if rule.measure not in measures:
                raise BadInput(
                    f"the gate {rule.text!r} needs {rule.measure}, which is not measured",
                    fix=f"Add it: --measures '{' '.join(map(str, (*measures, rule.measure)))}'.",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A report with everything that belongs to it.

    verdicts: of each gate on each subject: one of several strategies, or '' where there is one.
    """

    report: Mapping[str, Any]
    verdicts: Sequence[tuple[str, GateVerdict]] = ()

    @property
    def passed(self) -> bool:
        """No gate failed."""
        return all(verdict.passed for _, verdict in self.verdicts)

    def lines(self) -> list[str]:
        """What the gates said, for a person."""
        return [
            f"{subject}: {line}" if subject else line
            for subject, verdict in self.verdicts
            for line in verdict.lines()
        ]


def parse_gates(gates: Sequence[str] | None, compare: Path | None) -> tuple[GateRule, ...]:
    """Rules as given on the command line. Raises BadInput, also where nothing is compared."""
    rules = tuple(GateRule.parse(rule) for rule in gates or ())
    if rules and compare is None:
        raise BadInput(
            "a gate needs an earlier evaluation",
            fix=f"Name its file: --compare OTHER.json --gate {EXAMPLE!r}.",
        )
    return rules


def check_gates(rules: Sequence[GateRule], baseline: PerQuery, path: Path) -> None:
    """Raises BadInput where an earlier evaluation lacks what a gate compares with."""
    for rule in rules:
        view = baseline.views.get(rule.view)
        if view is None or str(rule.measure) not in view.values:
            raise BadInput(
                f"the gate {rule.text!r} needs {rule.measure} of the view {rule.view!r}, which the"
                " earlier evaluation does not have",
                path=path,
                fix="Name a measure that it has, or evaluate again with this one.",
            )


def conclude(
    report: Mapping[str, Any],
    per_query: PerQuery,
    wanted: Wanted,
    *,
    files: Sequence[Path],
    index: Mapping[str, object],
    seed: int,
) -> Outcome:
    """Add provenance, the comparison and what the gates say. Raises BadInput."""
    complete = {**report, "provenance": provenance(files, index)}
    if wanted.baseline is None:
        return Outcome(report=complete)
    wanted.baseline.check_same_queries(report)
    comparison = compare_per_query(per_query, wanted.baseline.per_query, seed=seed)
    verdicts = [rule.check(comparison) for rule in wanted.rules]
    complete["comparison"] = {"baseline": _identity(wanted.baseline), **comparison.to_json()}
    complete["gates"] = [verdict.to_json() for verdict in verdicts]
    return Outcome(report=complete, verdicts=[("", verdict) for verdict in verdicts])


def publish(outcome: Outcome, wanted: Wanted, as_text: Callable[[Mapping[str, Any]], str]) -> None:
    """Write every file that was asked for, print the figures, and exit 1 where a gate failed."""
    if wanted.report is not None:
        from retrieval.reports.html import write_report

        write_report(outcome.report, wanted.report)
    if wanted.csv is not None:
        from retrieval.reports.tables import write_csv

        write_csv(outcome.report, wanted.csv)
    if wanted.json:
        write_json(outcome.report, wanted.json)
    if wanted.json != "-":
        typer.echo("\n".join([as_text(outcome.report), *outcome.lines()]))
    if not outcome.passed:
        raise typer.Exit(1)


def provenance(files: Sequence[Path], index: Mapping[str, object]) -> dict[str, object]:
    """When, by which command, from which files (checksums) and which index."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["synglot", *sys.argv[1:]]),
        "files": [_file(path) for path in files],
        "index": dict(index),
    }


def _identity(saved: SavedEvaluation) -> dict[str, object]:
    found = saved.report.get("provenance") or {}
    return {
        "file": saved.path.name,
        **{name: saved.report.get(name) for name in _BASELINE},
        **{name: found.get(name) for name in _PROVENANCE},
    }


def _file(path: Path) -> dict[str, object]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}
