"""The page in a real browser. Needs Chromium: where CI is set, its absence is a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.metrics.measure import parse_measures
from retrieval.reports import write_report
from tests.browser import Browser, find_chromium
from tests.retrieval.reports.sample import MIRACL, sample_report

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MANY = "mAP nDCG@10 MRR@10 Recall@10 Recall@100 P@10"
WIDTHS = (360, 375, 768, 1280)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        reason = "no Chromium on the path (set SYNGLOT_CHROMIUM to one)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(executable) as started:
        yield started


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory,
    hostile_report: dict[str, Any],
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "eleven languages": sample_report(MIRACL[:11], items=4, measures=parse_measures(MANY)),
        "markup in data": hostile_report,
        "eighteen languages": sample_report(MIRACL, items=4, measures=parse_measures("mAP")),
        "one query": sample_report(("en",), items=1, compare=False),
    }
    paths = {name: folder / f"{name.replace(' ', '-')}.html" for name in reports}
    for name, path in paths.items():
        write_report(reports[name], path)
    return paths


NAMES = ("eleven languages", "markup in data", "eighteen languages", "one query")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wider_than_the_window_and_nothing_goes_wrong(
    browser: Browser, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.problems.clear()
    browser.requests.clear()
    browser.open(pages[name], width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.problems == []
    assert browser.requests == [pages[name].as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_and_its_drawings_follow_the_scheme(
    browser: Browser, pages: dict[str, Path], dark: bool
) -> None:
    browser.open(pages["eleven languages"], width=1280, dark=dark)
    paper, text = (
        browser.evaluate(f"getComputedStyle(document.querySelector('{which}')).{what}")
        for which, what in (("body", "backgroundColor"), ("svg text", "fill"))
    )
    assert (_lightness(paper) > _lightness(text)) is not dark
    unresolved = (
        "[...document.querySelectorAll('svg [style]')].filter(e =>"
        " /var\\(--[\\w-]+\\)/.test(e.getAttribute('style')) && [...e.getAttribute('style')"
        ".matchAll(/var\\((--[\\w-]+)\\)/g)].some(m =>"
        " !getComputedStyle(e).getPropertyValue(m[1]))).length"
    )
    assert browser.evaluate(unresolved) == 0


def test_no_text_is_tiny(browser: Browser, pages: dict[str, Path]) -> None:
    for width in WIDTHS:
        browser.open(pages["eighteen languages"], width=width)
        browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        smallest = browser.evaluate(
            "Math.min(...[...document.querySelectorAll('td, th, p, li, svg text')]"
            ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 11
        scale = browser.evaluate(
            "Math.min(...[...document.querySelectorAll('svg')].filter(e =>"
            " e.getBoundingClientRect().width).map(e =>"
            " e.getBoundingClientRect().width / e.viewBox.baseVal.width))"
        )
        assert scale == pytest.approx(1)


def test_texts_written_from_right_to_left_run_so(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["eleven languages"], width=1280)
    directions = browser.evaluate(
        "[...document.querySelectorAll('#worst [dir=auto]')].map(e =>"
        " [e.lang, getComputedStyle(e).direction])"
    )
    assert {tuple(pair) for pair in directions} >= {("ar", "rtl"), ("en", "ltr")}


@pytest.mark.parametrize("name", NAMES)
def test_the_page_prints_on_light_paper_without_cut_tables(
    browser: Browser, pages: dict[str, Path], name: str, tmp_path: Path
) -> None:
    browser.open(pages[name], width=1280, dark=True)
    browser.print_pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
    # A4 less its margins is 688 CSS pixels wide.
    browser.open(pages[name], width=688, dark=True, media="print")
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 688
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert _lightness(paper) > 700


def _lightness(colour: str) -> int:
    """Sum of the three channels of `rgb(r, g, b)`."""
    return sum(int(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3])
