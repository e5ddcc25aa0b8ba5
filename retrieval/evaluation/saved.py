"""An evaluation read back from the JSON file it was saved in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadInput
from retrieval.evaluation.evaluation import CONTRACT
from retrieval.evaluation.per_query import PerQuery, View
from retrieval.formats.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEvaluation:
    """A report with the values of every query."""

    path: Path
    report: Mapping[str, Any]
    per_query: PerQuery

    @classmethod
    def read(cls, path: Path) -> SavedEvaluation:
        """What `--json` wrote. Raises MalformedFile, BadInput for one of another contract."""
        root = Node.load(path)
        if root.get("per_query") is None:
            raise root.wrong(
                "has no field 'per_query'",
                fix="Give a file that `synglot evaluate` or `synglot benchmark` wrote with --json.",
            )
        check_contract(root)
        report = cast(dict[str, Any], root.value)
        return cls(path=path, report=report, per_query=parse_per_query(root["per_query"]))

    def check_same_queries(self, report: Mapping[str, Any]) -> None:
        """Raises BadInput where the query sets or their judgements differ."""
        digests = [r.get("data", {}).get("query_set") for r in (report, self.report)]
        if digests[0] != digests[1]:
            raise BadInput(
                "the evaluation is of another query set, or of other judgements",
                path=self.path,
                fix="Evaluate both with the same files.",
            )


def check_contract(root: Node) -> None:
    """Raises MalformedFile where a result names no contract, BadInput where it is another."""
    contract = root["contract"].text()
    if contract != CONTRACT:
        raise BadInput(
            f"the evaluation was made by the contract {contract!r}, this is {CONTRACT!r}",
            path=root.path,
            fix="Evaluate again: figures of two contracts cannot be compared.",
        )


def parse_per_query(node: Node) -> PerQuery:
    """What `PerQuery.to_json` made. Raises MalformedFile."""
    ids = _texts(node["query"])
    count = len(ids)
    if len(set(ids)) != count:
        raise node["query"].wrong("names a query twice")
    views = {
        name: View(
            values={m: _numbers(column, count) for m, column in view["values"].items()},
            weight_Q=_numbers(view["weight"], count),
        )
        for name, view in node["views"].items()
    }
    return PerQuery(
        ids=ids,
        languages=_texts(node["lang"], count),
        clusters=_texts(node["group"], count),
        domains=_texts(node["domain"], count),
        views=views,
    )


def _texts(node: Node, count: int | None = None) -> tuple[str, ...]:
    values = _list(node, count)
    if not all(isinstance(value, str) for value in values):
        raise node.wrong("holds something that is no string")
    return tuple(values)


def _numbers(node: Node, count: int) -> NDArray[np.float64]:
    """A list of numbers; null becomes NaN."""
    values = _list(node, count)
    if not all(value is None or type(value) in (int, float) for value in values):
        raise node.wrong("holds something that is no number")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _list(node: Node, count: int | None) -> list[Any]:
    if not isinstance(node.value, list):
        raise node.wrong_type("a list")
    if count is not None and len(node.value) != count:
        raise node.wrong(f"has {len(node.value)} elements, expected {count}")
    return node.value
