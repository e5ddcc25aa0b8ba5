"""Rules and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from retrieval.errors import BadInput, UnknownMeasure
from retrieval.evaluation.comparison import PairedComparison
from retrieval.evaluation.gate import GateRule
from retrieval.evaluation.per_query import CROSS_LINGUAL, MONOLINGUAL, POOL
from retrieval.metrics.comparison import Comparison
from retrieval.metrics.measure import Measure


def comparison(difference: float) -> Comparison:
    return Comparison(
        difference=difference,
        ci95=(difference - 0.02, difference + 0.03),
        p=0.2,
        p_holm=0.4,
        wins=1,
        ties=2,
        losses=3,
        n=6,
        clusters=6,
        detectable=0.1,
    )


def compared(overall: float, **languages: float) -> PairedComparison:
    column = (POOL, "MRR@10")
    by_language: Mapping[str, Comparison] = {
        lang: comparison(difference) for lang, difference in languages.items()
    }
    return PairedComparison(
        seed=0,
        n=6,
        clusters=6,
        overall={column: comparison(overall)},
        by_language={column: by_language},
    )


@pytest.mark.parametrize(
    ("text", "view", "limit", "per_language"),
    [
        ("MRR@10 drop<=0.01 per language", POOL, 0.01, True),
        ("  rr@10   drop <= .01  PER  LANGUAGE ", POOL, 0.01, True),
        ("MRR@10 drop<=0 overall", POOL, 0.0, False),
        ("monolingual MRR@10 drop<=0.005 overall", MONOLINGUAL, 0.005, False),
        ("cross-lingual MRR@10 drop<=1 per language", CROSS_LINGUAL, 1.0, True),
    ],
)
def test_a_rule_is_read(text: str, view: str, limit: float, per_language: bool) -> None:
    rule = GateRule.parse(text)
    assert (rule.view, rule.limit, rule.per_language) == (view, limit, per_language)
    assert rule.measure == Measure.parse("MRR@10")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MRR@10",
        "MRR@10 drop<0.01 overall",
        "MRR@10 drop<=0.01",
        "MRR@10 drop<=-1 overall",
        "MRR@10 drop<=nan overall",
        "MRR@10 rise<=0.01 overall",
        "MRR@10 drop<=0.01 per lang",
        "MRR@10 drop<=0.01 overall; MRR@10",
    ],
)
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=r"is no rule.*MRR@10 drop<=0\.01 per language"):
        GateRule.parse(text)


def test_a_rule_of_an_unknown_measure_names_the_nearest() -> None:
    with pytest.raises(UnknownMeasure, match="MRR@10"):
        GateRule.parse("MMR@10 drop<=0.01 overall")


def test_languages_over_the_limit_fail_with_their_drops_and_intervals() -> None:
    rule = GateRule.parse("MRR@10 drop<=0.01 per language")
    verdict = rule.check(compared(0.5, de=0.2, th=-0.011, zh=-0.5))
    assert not verdict.passed
    assert verdict.checked == 3
    assert list(verdict.failing) == ["th", "zh"]
    first = verdict.to_json()["failing"][0]  # type: ignore[index]
    assert first["language"] == "th"
    assert first["drop"] == pytest.approx(0.011)
    assert first["ci95"] == pytest.approx([-0.019, 0.031])
    assert (first["p"], first["n"]) == (0.2, 6)
    head, thai, chinese = verdict.lines()
    assert head == "gate 'MRR@10 drop<=0.01 per language': FAILED (3 language(s))"
    assert thai.strip().startswith("th: drop 0.0110, 95% interval [-0.0190, 0.0310], p 0.2000, n=6")
    assert "zh" in chinese


def test_a_drop_of_just_the_limit_passes_whatever_its_rounding() -> None:
    rule = GateRule.parse("MRR@10 drop<=0.01 per language")
    assert rule.check(compared(0, de=0.8 - 0.81, th=-0.01)).passed
    assert math.isclose(0.8 - 0.81, -0.01)
    assert not rule.check(compared(0, de=-0.0100001)).passed


def test_an_overall_rule_looks_at_the_whole_alone() -> None:
    rule = GateRule.parse("MRR@10 drop<=0.01 overall")
    assert rule.check(compared(0.0, de=-0.5)).passed
    verdict = rule.check(compared(-0.02, de=0.5))
    assert not verdict.passed
    assert verdict.to_json()["failing"][0]["language"] is None  # type: ignore[index]


def test_a_rule_on_a_measure_that_was_not_compared_is_refused() -> None:
    with pytest.raises(BadInput, match=r"needs nDCG@10 of the view 'pool'"):
        GateRule.parse("nDCG@10 drop<=0.01 overall").check(compared(0.0))
