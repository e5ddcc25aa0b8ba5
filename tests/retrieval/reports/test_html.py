from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import BadInput
from retrieval.reports import render_html, write_report
from tests.retrieval.reports.page import Element, Page
from tests.retrieval.reports.sample import INJECTION, MIRACL, TEXTS, sample_report

SECTION_OF = {
    "measures": "measures",
    "comparison": "comparison",
    "gates": "gates",
    "protocols": "protocols",
    "by_language_pair": "matrix",
    "by_language": "languages",
    "language_bias": "bias",
    "first_rank": "ranks",
    "worst": "worst",
    "domains": "domains",
    "index_loss": "index-loss",
}
OPTIONAL = [key for key in SECTION_OF if key != "measures"]


def numbers_in(value: object) -> Iterator[float]:
    """Every number of a JSON value, but not what `bins` and the comparison's baseline hold."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("bins", "baseline"):
                yield from numbers_in(item)


@pytest.mark.parametrize("key", SECTION_OF)
def test_every_number_of_a_section_of_the_json_stands_in_its_section_of_the_page(
    report: dict[str, Any], page: Page, key: str
) -> None:
    wanted, shown = set(numbers_in(report[key])), set(page.values(SECTION_OF[key]))
    assert wanted
    assert wanted <= shown | numbers_of_judgements(key)


def numbers_of_judgements(key: str) -> set[float]:
    """A relevance of 0 or 1 is said in words."""
    return {0.0, 1.0} if key == "worst" else set()


def test_a_language_pair_is_shown_with_each_measure_in_the_heat_map_table_and_in_the_list(
    report: dict[str, Any], page: Page
) -> None:
    wanted = Counter(
        float(entry[measure])
        for entry in report["by_language_pair"].values()
        for measure in report["measures"]
    )
    shown = page.values("matrix")
    assert all(shown[value] >= 2 * times for value, times in wanted.items())


def test_what_is_shown_is_the_exact_number_rounded(page: Page) -> None:
    shown = page.all("data")
    assert len(shown) > 1000
    for element in shown:
        text = element.text.replace(",", "").replace("−", "-").replace("<", "")
        decimals = len(text.partition(".")[2])
        assert abs(float(text) - float(element.attributes["value"])) <= 0.5001 * 10**-decimals


def test_levels_of_a_comparison_stand_beside_their_difference(
    report: dict[str, Any], page: Page
) -> None:
    this, other = (r["measures"]["mAP"]["mean"] for r in (report, report["comparison"]["baseline"]))
    assert {this, other, report["comparison"]["overall"]["pool"]["mAP"]["difference"]} <= set(
        page.values("comparison")
    )


def test_sections_stand_in_the_order_of_a_readers_questions(page: Page) -> None:
    assert [element.attributes["id"] for element in page.all("section")] == [
        "measures",
        "comparison",
        "gates",
        "protocols",
        "matrix",
        "languages",
        "bias",
        "ranks",
        "worst",
        "domains",
        "index-loss",
        "lint",
        "provenance",
    ]


def test_ids_are_unique_and_every_reference_finds_its_target(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    for element in page.elements:
        for name in element.attributes.get("aria-labelledby", "").split():
            assert name in page.ids
        for value in element.attributes.values():
            for target in re.findall(r"url\(#([^)]+)\)|^#(.+)", value):
                assert "".join(target) in page.ids


@pytest.mark.parametrize("name", ["report", "hostile_report"])
def test_the_page_asks_for_nothing_and_runs_nothing(
    name: str, request: pytest.FixtureRequest
) -> None:
    html = render_html(request.getfixturevalue(name))
    page = Page.of(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {
        element.tag for element in page.elements
    }
    for element in page.elements:
        for attribute, value in element.attributes.items():
            assert not attribute.startswith("on")
            assert attribute not in ("src", "srcset", "action", "ping", "background")
            assert attribute != "href" or value.startswith("#")
            assert "://" not in value
    style = page.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style


def test_a_policy_forbids_everything_but_styles_and_pictures_of_the_page(page: Page) -> None:
    policy = page.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in policy["content"]
    assert "script-src" not in policy["content"]


def test_markup_in_data_is_text(hostile_report: dict[str, Any]) -> None:
    html = render_html(hostile_report)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 50
    page = Page.of(html)
    for section in ("worst", "domains", "provenance", "comparison"):
        assert INJECTION in page.text(section)


def test_the_command_can_be_copied_as_it_was_given(report: dict[str, Any]) -> None:
    command = "synglot evaluate c  --queries 'a  b.jsonl' \\\n  --report r.html"
    given = {**report, "provenance": {**report["provenance"], "command": command}}
    (block,) = Page.of(render_html(given)).all("pre")
    assert block.text == command


def test_texts_keep_their_own_direction_and_language() -> None:
    page = Page.of(render_html(sample_report(tuple(TEXTS))))
    texts = [e for e in page.all("span", section="worst") if "lang" in e.attributes]
    assert {e.attributes["dir"] for e in texts} == {"auto"}
    for element in texts:
        expected = TEXTS[element.attributes["lang"]]
        assert element.text.startswith(expected)


def test_a_relevant_hit_says_so_in_words(report: dict[str, Any], page: Page) -> None:
    hits = [hit for query in report["worst"]["queries"] for hit in query["hits"]]
    relevant = sum((hit["relevance"] or 0) > 0 for hit in hits)
    items = page.all("li", section="worst")
    assert relevant
    assert sum("✓ relevant" in item.text for item in items) == relevant
    unjudged = sum(hit["relevance"] is None for hit in hits)
    assert sum("not judged" in item.text for item in items) == unjudged


def test_a_drawing_tells_its_name_and_has_a_table_of_its_values(page: Page) -> None:
    drawings = page.all("svg")
    assert len(drawings) >= 9
    for drawing in drawings:
        assert drawing.attributes["role"] == "img"
        assert "figure" in drawing.parents
    sections = {section for drawing in drawings for section in drawing.sections}
    for section in sections & {"comparison", "matrix", "languages", "bias", "ranks"}:
        assert page.all("table", section=section)


@pytest.mark.parametrize("value", ["absent", "null", "empty"])
@pytest.mark.parametrize("key", OPTIONAL)
def test_a_section_without_figures_is_left_out(
    small_report: dict[str, Any], key: str, value: str
) -> None:
    less = copy.copy(small_report)
    if value == "absent":
        del less[key]
    else:
        less[key] = None if value == "null" else type(small_report[key])()
    page = Page.of(render_html(less))
    present = {element.attributes["id"] for element in page.all("section")}
    expected = set(SECTION_OF.values()) - {SECTION_OF[key]}
    assert present - {"lint", "provenance"} == expected
    assert all(e.attributes["href"][1:] in page.ids for e in page.all("a"))


def test_what_is_left_out_is_named(small_report: dict[str, Any]) -> None:
    less = {
        key: small_report[key] for key in small_report if key not in ("comparison", "index_loss")
    }
    assert "a comparison (no earlier" in Page.of(render_html(less)).text("provenance")
    assert "Not in this report" not in Page.of(render_html(small_report)).text("provenance")


def test_a_bare_evaluation_has_a_page() -> None:
    bare = {
        "queries": {"judged": 2, "without_positives": 1, "missing": 1},
        "measures": {"MRR@10": {"mean": 0.5, "n": 1, "ci95": None}},
    }
    page = Page.of(render_html(bare))
    assert 0.5 in page.values("measures")
    assert "no interval" in page.text("measures")


def test_what_is_no_evaluation_is_refused() -> None:
    with pytest.raises(BadInput, match="no measures"):
        render_html({"strategies": {}})


def test_one_query_has_no_interval_and_no_verdict() -> None:
    report = sample_report(("en",), items=1)
    assert report["comparison"]["overall"]["pool"]["mAP"]["ci95"] == [None, None]
    text = Page.of(render_html(report)).text("comparison")
    assert "no interval" in text
    assert "no difference found" in text
    assert "better\n" not in text


def test_numbers_that_json_cannot_hold_are_shown_as_none(small_report: dict[str, Any]) -> None:
    raw = copy.deepcopy(small_report)
    entry = raw["comparison"]["overall"]["pool"]["mAP"]
    entry |= {"ci95": (float("-inf"), float("inf")), "detectable": float("inf")}
    html = render_html(raw)
    assert "inf" not in re.findall(r'value="([^"]*)"', html)
    assert "no interval" in Page.of(html).text("comparison")


def test_what_no_query_can_tell_says_so(report: dict[str, Any], page: Page) -> None:
    assert report["language_bias"]["peer@20"] is None
    assert "no query can tell" in page.text("bias")
    less = copy.deepcopy(report)
    less["language_bias"] |= {"rank_distance": None, "rank_distance_by_language": {}}
    assert page.text("bias").count("no query can tell") + 1 == Page.of(render_html(less)).text(
        "bias"
    ).count("no query can tell")


def test_a_query_without_a_ranked_answer_says_so(small_report: dict[str, Any]) -> None:
    less = copy.deepcopy(small_report)
    less["worst"]["queries"][0]["first_rank"] = None
    assert "no relevant passage ranked" in Page.of(render_html(less)).text("worst")


@pytest.mark.slow
def test_eighteen_languages_fit() -> None:
    page = Page.of(render_html(sample_report(MIRACL, items=6)))
    assert len(page.all("svg", section="matrix")) == 4
    assert len(page.all("tr", section="languages")) == 19


def test_passages_that_no_other_language_searches_make_no_matrix(
    small_report: dict[str, Any],
) -> None:
    own = {
        pair: e
        for pair, e in small_report["by_language_pair"].items()
        if pair in ("ar->ar", "en->en")
    }
    less = {**small_report, "by_language_pair": own, "macro": {"mAP": 0.4321}}
    page = Page.of(render_html(less))
    assert "matrix" not in page.ids
    assert 0.4321 in page.values("measures")


def test_the_verdict_counts_what_the_comparison_says(report: dict[str, Any], page: Page) -> None:
    overall = report["comparison"]["overall"]
    signs = Counter(
        0
        if entry["p_holm"] > 0.05 or entry["ci95"][0] <= 0 <= entry["ci95"][1]
        else 1
        if (entry["difference"] > 0) != (measure == "rank_distance")
        else -1
        for measures in overall.values()
        for measure, entry in measures.items()
    )
    header = " ".join(page.all("header")[0].text.split())
    assert f"{signs[1]} better, {signs[-1]} worse, no difference found in {signs[0]}" in header
    assert "1 of 2 gates failed" in header


def test_the_same_report_gives_the_same_bytes_in_another_process(
    small_report: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(small_report), encoding="utf-8")
    code = (
        "import json, pathlib, sys; from retrieval.reports import render_html;"
        "sys.stdout.buffer.write(render_html(json.loads(pathlib.Path(sys.argv[1]).read_text("
        "encoding='utf-8'))).encode())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True
    ).stdout
    assert other == render_html(small_report).encode()


def test_importing_reports_does_not_import_the_plotting_library() -> None:
    code = "import sys, retrieval.reports; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_page_is_written_whole_or_not_at_all(
    small_report: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "r.html"
    write_report(small_report, path)
    before = path.read_bytes()
    assert before == render_html(small_report).encode()
    with pytest.raises(BadInput):
        write_report({}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_reader_of_pages_finds_what_is_wrong_with_a_page() -> None:
    for broken in ("<p><b>x</p></b>", "<div>", "</div>", '<p id="a" id="b"></p>', "<div/>"):
        with pytest.raises(ValueError, match=r"."):
            Page.of(broken)
    assert Page.of("<p>a<br>b</p>").elements[0] == Element(
        tag="p", attributes={}, parents=(), text="ab", sections=()
    )
