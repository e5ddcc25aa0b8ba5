from __future__ import annotations

from typing import Any

import pytest

from retrieval.metrics.measure import parse_measures
from retrieval.reports import render_html
from tests.retrieval.reports.page import Page
from tests.retrieval.reports.sample import INJECTION, sample_report


@pytest.fixture(scope="session")
def report() -> dict[str, Any]:
    """Of four languages, with everything in it that a report can hold."""
    return sample_report()


@pytest.fixture(scope="session")
def small_report() -> dict[str, Any]:
    """The same of two languages and one measure: quick to draw."""
    return sample_report(("ar", "en"), items=6, measures=parse_measures("mAP"))


@pytest.fixture(scope="session")
def page(report: dict[str, Any]) -> Page:
    return Page.of(render_html(report))


@pytest.fixture(scope="session")
def hostile_report() -> dict[str, Any]:
    """The same, with a script in ids, texts, domains, names of files, and the command."""
    return sample_report(tag=INJECTION)
