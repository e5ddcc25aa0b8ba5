"""Batch plans against a slow reference, against the definitions, and across processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import BadConfig
from retrieval.types import ParallelItem
from tests.training import reference
from training.data import ParallelTable, build_table
from training.planner import BatchPlan, BatchPlanner
from training.strategies import AlphaRamp, Strategy, StrategyName

LANGUAGES = ("ar", "de", "en", "th")


def items_of(seed: int, sizes: dict[str, int]) -> list[ParallelItem]:
    """Random items: questions with passages, and plain units (sources that begin with t)."""
    rng = np.random.default_rng(seed)
    items = []
    for source, size in sizes.items():
        for number in range(size):
            langs = [str(x) for x in rng.permutation(LANGUAGES)[: rng.integers(2, 5)]]
            texts = {lang: f"{source} {number} text in {lang}" for lang in langs}
            unit = source.startswith("t")
            items.append(
                ParallelItem(
                    id=f"{source}:{number}",
                    source=source,
                    query=texts if unit else {k: f"{v}?" for k, v in texts.items()},
                    passage=texts,
                    is_translation=unit,
                )
            )
    return items


def planner_of(items: list[ParallelItem], name: str, **settings: object) -> BatchPlanner:
    options: dict[str, object] = {"batch_size": 8, "seed": 3, "tau": 1.0, "mix_sources": False}
    options |= settings
    alpha = options.pop("alpha", 0.5)
    return BatchPlanner(
        table=build_table(items),
        strategy=Strategy(StrategyName(name), float(str(alpha))),
        **options,  # type: ignore[arg-type]
    )


def triplets(plan: BatchPlan, table: ParallelTable) -> list[tuple[int, str, str]]:
    return [
        (int(i), table.languages[q], table.languages[p])
        for i, q, p in zip(plan.items_B, plan.query_langs_B, plan.passage_langs_B, strict=True)
    ]


@pytest.mark.parametrize("name", [s.value for s in StrategyName])
@pytest.mark.parametrize("mix", [False, True])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data_seed=st.integers(0, 1000),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10_000),
    size=st.integers(2, 12),
    tau=st.sampled_from([0.0, 0.5, 1.0]),
    large=st.integers(40, 900),
)
def test_every_plan_is_the_slow_reference_plan(
    name: str, mix: bool, data_seed: int, seed: int, step: int, size: int, tau: float, large: int
) -> None:
    items = items_of(data_seed, {"qa": large, "tiny": 3, "qb": 60, "t1": 50})
    planner = planner_of(items, name, batch_size=size, seed=seed, tau=tau, mix_sources=mix)
    plan = planner.plan(step)
    mode, expected = reference.plan(
        items, strategy=name, alpha=0.5, size=size, seed=seed, step=step, tau=tau, mix=mix
    )
    assert (plan.mode.value, triplets(plan, planner.table)) == (mode, expected)


@pytest.mark.parametrize("name", [s.value for s in StrategyName])
@pytest.mark.parametrize("mix", [False, True])
def test_weights_caps_schedules_and_monolingual_sources_plan_as_the_slow_reference(
    name: str, mix: bool
) -> None:
    items = [*items_of(3, {"qa": 200, "qb": 60, "t1": 50}), *monolingual_items({"th": 40})]
    weights, caps = {"qb": 3.0, "mono": 0.5}, {"qa": 90}
    table = build_table(items)
    planner = BatchPlanner(
        table=table,
        strategy=Strategy(StrategyName(name), AlphaRamp(first=0.9, last=0.2, steps=50)),
        batch_size=12,
        seed=4,
        tau=0.7,
        mix_sources=mix,
        weights=weights,
        caps=caps,
    )
    for step in (0, 7, 30, 49, 60):
        mode, expected = reference.plan(
            items,
            strategy=name,
            alpha=0.9,
            last_alpha=0.2,
            steps=50,
            size=12,
            seed=4,
            step=step,
            tau=0.7,
            mix=mix,
            weights=weights,
            caps=caps,
        )
        plan = planner.plan(step)
        assert (plan.mode.value, triplets(plan, table)) == (mode, expected)


def monolingual_items(sizes: dict[str, int]) -> list[ParallelItem]:
    """Questions with passages in one language each, all of the source `mono`."""
    return [
        ParallelItem(
            id=f"mono:{lang}:{n}",
            source="mono",
            query={lang: f"mono {n} {lang}?"},
            passage={lang: f"mono {n} {lang}"},
        )
        for lang, size in sizes.items()
        for n in range(size)
    ]


def test_sources_of_one_language_an_item_join_monolingual_batches_alone() -> None:
    items = [*items_of(1, {"qa": 100}), *monolingual_items({"th": 60, "de": 60})]
    for name in StrategyName:
        planner = planner_of(items, name.value, mix_sources=name is StrategyName.MIXED)
        drawn = {
            (planner.plan(step).mode.value, planner.table.sources[planner.table.source_N[item]])
            for step in range(120)
            for item in planner.plan(step).items_B
        }
        alone = {mode for mode, source in drawn if source == "mono"}
        expected = {"monolingual"} & {mode.value for mode in planner.strategy.modes}
        assert alone == expected
        assert planner.idle_sources == (() if expected else ("mono",))


def test_only_sources_of_one_language_are_refused_under_cross_lingual() -> None:
    with pytest.raises(BadConfig, match="no cross-lingual batch can be filled: no item has"):
        planner_of(monolingual_items({"th": 60, "de": 60}), "cross-lingual")


def test_weights_and_caps_change_how_often_a_source_is_drawn() -> None:
    items = items_of(4, {"big": 900, "small": 100})
    for settings_, expected in (
        ({"weights": {"small": 9.0}}, 0.5),
        ({"caps": {"big": 100}}, 0.5),
        ({"weights": {"small": 3.0}, "caps": {"big": 300}}, 0.5),
    ):
        planner = planner_of(items, "cross-lingual", **settings_)
        drawn = Counter(planner.plan(step).sources[0] for step in range(2000))
        assert drawn[0] / 2000 == pytest.approx(expected, abs=0.056)


def test_a_weight_of_a_source_nobody_has_is_refused() -> None:
    for settings_ in ({"weights": {"qx": 2.0}}, {"caps": {"qx": 2}}):
        with pytest.raises(BadConfig, match=r"sources without items: qx.*The data has qa"):
            planner_of(items_of(1, {"qa": 60}), "hybrid", **settings_)


def test_a_scheduled_alpha_moves_the_share_of_monolingual_batches() -> None:
    strategy = Strategy(StrategyName.HYBRID, AlphaRamp(first=1.0, last=0.0, steps=1000))
    planner = BatchPlanner(
        table=build_table(items_of(1, {"qa": 200})), strategy=strategy, batch_size=4, seed=3
    )
    modes = [planner.plan(step).mode.value == "monolingual" for step in range(1000)]
    assert modes[0]
    assert not modes[-1]
    # 250 coins of mean .875, .625, .375, .125: five standard deviations are at most .16.
    for quarter, expected in enumerate((0.875, 0.625, 0.375, 0.125)):
        share = np.mean(modes[250 * quarter : 250 * (quarter + 1)])
        assert share == pytest.approx(expected, abs=0.16)


@pytest.mark.parametrize("name", [s.value for s in StrategyName])
@pytest.mark.parametrize("mix", [False, True])
def test_a_batch_holds_what_its_strategy_promises(name: str, mix: bool) -> None:
    items = items_of(1, {"qa": 120, "qb": 90, "t1": 80})
    planner = planner_of(items, name, batch_size=16, mix_sources=mix)
    for step in range(40):
        plan = planner.plan(step)
        drawn = triplets(plan, planner.table)
        assert len({item for item, _, _ in drawn}) == 16
        for item, query_lang, passage_lang in drawn:
            assert query_lang in items[item].query
            assert passage_lang in items[item].passage
            if items[item].is_translation:
                assert query_lang != passage_lang
        pairs = {(q, p) for _, q, p in drawn}
        if plan.mode == "monolingual":
            assert len(pairs) == 1
        if plan.mode in ("monolingual", "mixed", "english"):
            assert all(q == p for q, p in pairs)
        if plan.mode == "english":
            assert pairs == {("en", "en")}
        if plan.mode == "cross-lingual":
            assert all(q != p for q, p in pairs)
        if not mix:
            assert len({items[item].source for item, _, _ in drawn}) == 1


def test_hybrid_batches_are_monolingual_with_probability_alpha() -> None:
    planner = planner_of(items_of(1, {"qa": 200}), "hybrid", alpha=0.3)
    modes = Counter(planner.plan(step).mode.value for step in range(2000))
    # 2,000 coin flips: five standard deviations are .051.
    assert modes["monolingual"] / 2000 == pytest.approx(0.3, abs=0.051)


@pytest.mark.parametrize(("alpha", "pure"), [(1.0, "monolingual"), (0.0, "cross-lingual")])
def test_alpha_one_and_zero_are_the_pure_strategies(alpha: float, pure: str) -> None:
    items = items_of(2, {"qa": 200})
    hybrid, plain = planner_of(items, "hybrid", alpha=alpha), planner_of(items, pure)
    for step in range(20):
        assert triplets(hybrid.plan(step), hybrid.table) == triplets(plain.plan(step), plain.table)


def test_monolingual_languages_and_cross_lingual_pairs_are_uniform_however_rare() -> None:
    # Thai has a tenth of the items.
    items = [
        ParallelItem(
            id=str(n),
            source="qa",
            query={lang: f"{n} {lang}?" for lang in langs},
            passage={lang: f"{n} {lang}" for lang in langs},
        )
        for n in range(400)
        for langs in [("de", "en", "th") if n % 10 == 0 else ("de", "en")]
    ]
    mono = planner_of(items, "monolingual")
    langs = Counter(triplets(mono.plan(s), mono.table)[0][1] for s in range(1500))
    for lang in ("de", "en", "th"):
        assert langs[lang] / 1500 == pytest.approx(1 / 3, abs=0.061)  # five standard deviations
    cross = planner_of(items, "cross-lingual", batch_size=4)
    pairs = Counter((q, p) for s in range(1500) for _, q, p in triplets(cross.plan(s), cross.table))
    assert len(pairs) == 6
    for times in pairs.values():
        assert times / 6000 == pytest.approx(1 / 6, abs=0.025)


def test_a_dataset_is_drawn_in_proportion_to_its_size_to_the_tau() -> None:
    items = items_of(4, {"big": 900, "small": 100})
    for tau in (1.0, 0.5):
        planner = planner_of(items, "cross-lingual", tau=tau)
        drawn = Counter(planner.plan(step).sources[0] for step in range(2000))
        expected = 900**tau / (900**tau + 100**tau)
        assert drawn[0] / 2000 == pytest.approx(expected, abs=0.056)


def test_sources_too_small_for_a_batch_are_named() -> None:
    items = items_of(5, {"qa": 100, "tiny": 5})
    assert planner_of(items, "cross-lingual").idle_sources == ("tiny",)
    assert planner_of(items, "cross-lingual", mix_sources=True).idle_sources == ()


def test_a_batch_no_source_can_fill_is_refused_with_the_number_there_is() -> None:
    with pytest.raises(BadConfig, match=r"takes 64 distinct items, and one source has at most 20"):
        planner_of(items_of(6, {"qa": 20, "qb": 20}), "cross-lingual", batch_size=64)


def test_translation_units_alone_make_no_monolingual_batch() -> None:
    with pytest.raises(BadConfig, match="no monolingual batch"):
        planner_of(items_of(6, {"t1": 200}), "hybrid")


def test_data_that_a_strategy_cannot_use_is_told() -> None:
    alone = [
        ParallelItem(id=str(n), source="qa", query={"de": f"{n}?"}, passage={"de": f"{n}"})
        for n in range(40)
    ]
    with pytest.raises(BadConfig, match="no item has what it takes"):
        planner_of(alone, "hybrid")


def test_a_batch_can_take_every_item_there_is() -> None:
    items = items_of(7, {"qa": 9, "qb": 7})
    planner = planner_of(items, "multilingual", batch_size=16, mix_sources=True)
    assert sorted(planner.plan(0).items_B) == list(range(16))


PLAN_SCRIPT = """
import sys
from tests.training.test_planner import items_of, planner_of, triplets
planner = planner_of(items_of(8, {"qa": 150, "t1": 80}), "hybrid", seed=11, mix_sources=True)
for step in map(int, sys.argv[1:]):
    print(step, triplets(planner.plan(step), planner.table))
"""


def test_two_processes_plan_the_same_batches_in_any_order() -> None:
    def lines(*steps: int) -> set[str]:
        command = [sys.executable, "-c", PLAN_SCRIPT, *map(str, steps)]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
        return set(done.stdout.splitlines())

    assert lines(0, 1, 2, 900) == lines(900, 2, 1, 0)


def test_seeds_and_steps_give_unrelated_batches() -> None:
    items = items_of(9, {"qa": 500})
    heads = {
        tuple(planner_of(items, "cross-lingual", seed=seed).plan(step).items_B)
        for seed in range(4)
        for step in range(4)
    }
    assert len(heads) == 16
