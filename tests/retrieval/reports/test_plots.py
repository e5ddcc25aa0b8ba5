from __future__ import annotations

import re
import threading
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from markupsafe import Markup

from retrieval.reports import plots
from retrieval.reports.plots import Mark, Panel
from retrieval.reports.sheet import Label

LABEL = Label(key="k", title="A <title> & more", description="What it shows")
MARKS = [Mark(value=0.1, low=0.05, high=0.2), Mark(value=None), Mark(value=-0.1, sure=False)]


def drawings() -> dict[str, Markup]:
    """One of each kind."""
    return {
        "heat map": plots.heat_map(
            LABEL, [[0.5, None], [0.126, 1.0]], rows=["a", "b"], columns=["x", "y"], measure="mAP"
        ),
        "forest": plots.forest(
            LABEL,
            [
                Panel(measure="mAP", title="mAP", marks=MARKS, signed=True),
                Panel(measure="rank_distance", title="Rank distance", marks=MARKS),
            ],
            rows=["all", "de", "zh-Hant"],
        ),
        "stacked": plots.stacked_shares(
            LABEL, [[8, 1, 1], [0, 0, 0]], rows=["all", "de"], parts=["1", "2", "not ranked"]
        ),
        "paired": plots.paired_bars(
            LABEL, [0.5, None], [0.25, 0.75], rows=["a", "b"], names=("first", "second")
        ),
    }


def texts(svg: Markup) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("text")]  # noqa: S314


@pytest.mark.parametrize("kind", drawings())
def test_a_drawing_is_well_formed_and_named(kind: str) -> None:
    root = ElementTree.fromstring(drawings()[kind])  # noqa: S314
    assert root.get("role") == "img"
    assert [(node.tag, node.text) for node in root[:2]] == [
        ("title", LABEL.title),
        ("desc", LABEL.description),
    ]
    assert root.get("aria-labelledby") == "k-title k-desc"


@pytest.mark.parametrize("kind", drawings())
def test_a_drawing_has_only_colours_of_the_page(kind: str) -> None:
    svg = drawings()[kind]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", re.sub(r'"#[^"]*"|url\([^)]*\)', "", svg))
    assert "var(--text)" in svg
    assert "font-family" not in svg
    assert "http" not in svg


@pytest.mark.parametrize("kind", drawings())
def test_a_drawing_is_the_same_every_time_whatever_the_users_settings(kind: str) -> None:
    before = drawings()[kind]
    own: Any = {"svg.fonttype": "path", "ytick.alignment": "top", "legend.labelspacing": 3.0}
    with mpl.rc_context(own):
        assert drawings()[kind] == before


def test_drawing_leaves_the_librarys_settings_alone() -> None:
    with mpl.rc_context({"font.size": 30}):
        drawings()
        assert mpl.rcParams["font.size"] == 30


def test_threads_draw_what_one_thread_draws() -> None:
    expected, found = drawings(), []
    threads = [threading.Thread(target=lambda: found.append(drawings())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_ids_are_those_of_the_drawing_and_each_is_used() -> None:
    for svg in drawings().values():
        root = ElementTree.fromstring(svg)  # noqa: S314
        ids = [name for node in root.iter() if (name := node.get("id"))]
        assert len(ids) == len(set(ids))
        assert all(name.startswith("k-") for name in ids)
        assert set(re.findall(r"#([\w-]+)", svg)) == set(ids) - {"k-title", "k-desc"}


def test_cells_say_their_value_and_stronger_ones_have_the_higher_step() -> None:
    svg = drawings()["heat map"]
    assert [text for text in texts(svg) if text not in ("x", "y", "a", "b")][-4:] == [
        ".50",
        "–",
        ".13",
        "1.00",
    ]
    steps = [int(step) for step in re.findall(r"fill: var\(--ramp-(\d+)\)", svg)]
    assert sorted(steps) == [4, 16, 31]
    on = [int(step) for step in re.findall(r"fill: var\(--on-ramp-(\d+)\)", svg)]
    assert sorted(on) == sorted(steps)


def test_a_mark_that_is_not_sure_is_hollow() -> None:
    svg = drawings()["forest"]
    fills = re.findall(r"<use [^>]*fill: var\(--(\w+)\)", svg)
    assert fills == ["first", "paper"] * 2


def test_an_interval_without_bounds_has_no_line() -> None:
    def lines(mark: Mark) -> int:
        panel = Panel(measure="mAP", title="mAP", marks=[mark])
        svg = plots.forest(LABEL, [panel], rows=["all"])
        return len(re.findall(r"<path d=[^>]*stroke: var\(--first\); stroke-width: 1.6", svg))

    assert lines(Mark(value=0.5, low=0.4, high=0.6)) == 1
    assert lines(Mark(value=0.5)) == 0


def test_the_side_that_is_better_is_named() -> None:
    def side(*, less: bool) -> str:
        panel = Panel(measure="m", title="m", marks=MARKS, signed=True, less_is_better=less)
        svg = plots.forest(LABEL, [panel], rows=["a", "b", "c"])
        return next(text for text in texts(svg) if "better" in text)

    assert side(less=False) == "better →"
    assert side(less=True) == "← better"


def test_shares_are_told_where_there_is_room() -> None:
    shown = texts(drawings()["stacked"])
    assert [text for text in shown if text in ("80%", "10%")] == ["80%", "10%", "10%"]


def test_a_legend_reads_line_by_line() -> None:
    parts = [f"part {number}" for number in range(5)]
    svg = plots.stacked_shares(LABEL, [[1] * 5], rows=["all"], parts=parts)
    root = ElementTree.fromstring(svg)  # noqa: S314
    places = {
        node.text: (round(float(node.get("y", 0))), round(float(node.get("x", 0))))
        for node in root.iter("text")
        if node.text in parts
    }
    assert sorted(parts, key=places.__getitem__) == parts


def test_a_narrow_drawing_fits_a_telephone() -> None:
    parts = ["1", "2–3", "4–10", "1,001–10,000", "not ranked"]
    names = ("share of the first 10", "share of the relevant")
    for svg in (
        plots.stacked_shares(LABEL, [[1] * 5], rows=["all"], parts=parts, narrow=True),
        plots.paired_bars(LABEL, [1.0], [1.0], rows=["zh"], names=names, narrow=True),
    ):
        assert float(ElementTree.fromstring(svg).get("width", 999)) <= 343  # noqa: S314


def test_signs_that_mean_markup_to_the_library_are_text() -> None:
    svg = plots.paired_bars(LABEL, [1.0], [1.0], rows=["$x_1$ <b>"], names=("$a$", "b"))
    assert "$x_1$ <b>" in texts(svg)
    assert "$a$" in texts(svg)
