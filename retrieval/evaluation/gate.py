"""A rule that an evaluation must keep against an earlier one: `MRR@10 drop<=0.01 per language`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from retrieval.errors import BadInput
from retrieval.evaluation.comparison import PairedComparison
from retrieval.evaluation.per_query import CROSS_LINGUAL, MONOLINGUAL, POOL
from retrieval.metrics.comparison import Comparison
from retrieval.metrics.measure import Measure

EXAMPLE = "MRR@10 drop<=0.01 per language"

OVERALL = "overall"

_VIEWS = {"": POOL, "monolingual": MONOLINGUAL, "cross-lingual": CROSS_LINGUAL}
_PATTERN = re.compile(
    r"\s*(?:(?P<view>monolingual|cross-lingual)\s+)?(?P<measure>\S+)\s+drop\s*<=\s*"
    r"(?P<limit>[0-9]*\.?[0-9]+)\s+(?P<scope>overall|per\s+language)\s*",
    re.IGNORECASE,
)
# A drop of exactly the limit, .81 - .8, is .01000000000000009 in floating point.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """The largest drop of a measure that is let pass, overall or in every query language.

    text: as written. view: all passages (`pool`), or those in the query's language, or in others.
    """

    text: str
    measure: Measure
    view: str
    limit: float
    per_language: bool

    @classmethod
    def parse(cls, text: str) -> GateRule:
        """`[monolingual|cross-lingual] MEASURE drop<=NUMBER overall|per language`.

        Raises BadInput, UnknownMeasure.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise BadInput(
                f"the gate {text!r} is no rule",
                fix=f"Write it as {EXAMPLE!r}, or with `overall` at its end.",
            )
        return cls(
            text=" ".join(text.split()),
            measure=Measure.parse(match["measure"]),
            view=_VIEWS[(match["view"] or "").lower()],
            limit=float(match["limit"]),
            per_language=match["scope"].lower() != OVERALL,
        )

    def check(self, comparison: PairedComparison) -> GateVerdict:
        """The verdict on the first evaluation against the second.

        A scope fails where the mean drop is over the limit, whatever its interval: a gate that
        waited for significance would let every small query set pass. Raises BadInput where the
        comparison lacks the measure.
        """
        column = (self.view, str(self.measure))
        if column not in comparison.overall:
            raise BadInput(
                f"the gate {self.text!r} needs {self.measure} of the view {self.view!r}, which the"
                " two evaluations do not share",
                fix="Name the measure in both evaluations.",
            )
        scopes: Mapping[str, Comparison] = {OVERALL: comparison.overall[column]}
        if self.per_language:
            scopes = comparison.by_language[column]
        failing = {
            scope: found
            for scope, found in scopes.items()
            if -found.difference > self.limit + _ROUNDING
        }
        return GateVerdict(rule=self, checked=len(scopes), failing=failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What a rule said. checked: how many scopes. failing: those over the limit, by language."""

    rule: GateRule
    checked: int
    failing: Mapping[str, Comparison]

    @property
    def passed(self) -> bool:
        """No scope is over the limit."""
        return not self.failing

    def lines(self) -> list[str]:
        """For a person: one line, and one for each failing language."""
        scopes = f"{self.checked} language(s)" if self.rule.per_language else OVERALL
        head = f"gate {self.rule.text!r}: {'passed' if self.passed else 'FAILED'} ({scopes})"
        return [head, *(_failure(scope, found) for scope, found in self.failing.items())]

    def to_json(self) -> dict[str, object]:
        """`{"rule", "passed", "checked", "failing": [{"language", "drop", "ci95", "p", "n"}]}`."""
        return {
            "rule": self.rule.text,
            "passed": self.passed,
            "checked": self.checked,
            "failing": [
                {
                    "language": None if scope == OVERALL else scope,
                    "drop": -found.difference,
                    "ci95": _drop_interval(found),
                    "p": found.p,
                    "p_holm": found.p_holm,
                    "n": found.n,
                }
                for scope, found in self.failing.items()
            ],
        }


def _failure(scope: str, found: Comparison) -> str:
    low, high = _drop_interval(found)
    return (
        f"  {scope}: drop {-found.difference:.4f}, 95% interval [{low:.4f}, {high:.4f}],"
        f" p {found.p:.4f}, n={found.n}"
    )


def _drop_interval(found: Comparison) -> list[float]:
    low, high = found.ci95
    return [-high, -low]
