"""Domain shift: what is refused, what is measured, and every figure by brute force."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import orjson
import pytest

from retrieval.benchmark.domain_report import compare_strategies, strategy_figures
from retrieval.benchmark.domain_saved import read_domain_shift
from retrieval.benchmark.domain_shift import (
    EXAMPLE,
    IN_DOMAIN,
    OUT_OF_DOMAIN,
    Domains,
    DomainShiftConfig,
    StrategyRuns,
    TrainingData,
    header,
    load_domain_shift,
    measure_strategies,
    read_domains,
    strategy_pairs,
)
from retrieval.benchmark.pools import PassagePool
from retrieval.encoder import Encoder
from retrieval.errors import BadConfig, BadEncoder, BadInput, MalformedFile, UnknownMeasure
from retrieval.formats.parallel import read_parallel
from retrieval.held_out import is_held_out, page_of
from tests.retrieval.benchmark.shift import (
    DATA,
    LANGUAGES,
    describe,
    save_trained,
    some_items,
    write_config,
    write_in_domain,
    write_out_of_domain,
)
from tests.retrieval.metrics.oracle import mid_rank, total_order

REPOSITORY = Path(__file__).parents[3]
NAMES = ("hybrid", "monolingual", "cross-lingual")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of both domains, and three strategies of two seeds."""
    folder = tmp_path_factory.mktemp("shift")
    write_in_domain(folder / "parallel")
    write_out_of_domain(folder / "lareqa")
    for place, name in enumerate(NAMES):
        for seed in (1, 2):
            save_trained(folder / f"{name}-{seed}", seed=10 * place + seed)
    return folder


def config_of(folder: Path, **fields: Any) -> DomainShiftConfig:
    strategies = {name: [str(folder / f"{name}-{seed}") for seed in (1, 2)] for name in NAMES}
    path = write_config(folder / "shift.yaml", folder, **{"strategies": strategies, **fields})
    return load_domain_shift(path)


TRAINING = TrainingData(
    sources=frozenset({"faq", "guide", "guide_par", "whole"}),
    dev_share=0.5,
    whole_sources=frozenset({"whole"}),
)


def test_the_shipped_example_loads_and_names_what_a_newcomer_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SYNGLOT_TEST_DATA", raising=False)
    config = load_domain_shift(REPOSITORY / EXAMPLE)
    assert config.in_domain == ("../shared/data/parallel/*.jsonl.gz",)
    assert config.out_of_domain == Path("../shared/data/lareqa/xquad-r")
    assert set(config.strategies) >= {"hybrid", "monolingual", "cross-lingual", "multilingual"}
    assert all(len(folders) > 1 for folders in config.strategies.values())
    assert config.to_measures()
    monkeypatch.setenv("SYNGLOT_TEST_DATA", "/elsewhere")
    assert load_domain_shift(REPOSITORY / EXAMPLE).out_of_domain == Path(
        "/elsewhere/lareqa/xquad-r"
    )


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("a: [1", BadConfig, "shift.yaml:1: broken YAML|shift.yaml:2: broken YAML"),
        ("a: 2024-13-45\n", BadConfig, "broken YAML .*month"),
        ("[" * 5000, BadConfig, "broken YAML"),
        ("- a\n", BadConfig, "expected a mapping, found list"),
        ("", BadConfig, "expected a mapping, found NoneType"),
        ("in_domain: ${NO_SUCH_VARIABLE}\n", BadConfig, "NO_SUCH_VARIABLE is not set"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_place(
    tmp_path: Path, content: str, error: type[Exception], says: str
) -> None:
    path = tmp_path / "shift.yaml"
    path.write_text(content)
    with pytest.raises(error, match=says):
        load_domain_shift(path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"colour": "blue"}, "colour: Extra inputs are not permitted"),
        ({"strategies": {}}, "strategies: .*at least 1"),
        ({"strategies": {"a": []}}, "strategies.a: .*at least 1"),
        ({"strategies": {"a": "folder"}}, "strategies.a: Input should be a valid"),
        ({"in_domain": []}, "in_domain: .*at least 1"),
        ({"candidates": 1}, "candidates: .*greater than or equal to 2"),
        ({"seed": -1}, "seed: "),
        ({"baseline": "english"}, "the baseline 'english' is no strategy"),
    ],
)
def test_what_a_configuration_cannot_say_is_refused(
    tmp_path: Path, fields: dict[str, object], says: str
) -> None:
    path = write_config(tmp_path / "s.yaml", tmp_path, **{"strategies": {"a": ["x"]}, **fields})
    with pytest.raises(BadConfig, match=says) as raised:
        load_domain_shift(path)
    assert raised.value.path == str(path)


def test_a_missing_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        load_domain_shift(tmp_path / "none.yaml")


@pytest.mark.parametrize("measures", ["MRR@ten", " "])
def test_an_unknown_measure_is_refused_before_an_encoder_is_loaded(
    folder: Path, measures: str
) -> None:
    def load(name: str) -> Encoder:
        raise AssertionError(name)

    with pytest.raises(UnknownMeasure):
        measure_strategies(config_of(folder, measures=measures), load)


@pytest.mark.parametrize(
    ("description", "says"),
    [
        ({}, "does not say what it was trained on"),
        ({"sources": {"guide": 1}}, "does not say what it was trained on"),
        ({"sources": ["guide"], "config": {"data": DATA}}, "does not say what it was trained on"),
        ({"sources": {"guide": 1}, "config": {"data": {}}}, "no pages were held out"),
        ({"sources": {"guide": 1}, "config": {"data": {"dev_share": 0.0}}}, "no pages were held"),
        ({"sources": {"guide": 1}, "config": {"data": {"dev_share": "1%"}}}, "no pages were held"),
    ],
)
def test_an_encoder_that_tells_no_held_out_pages_is_refused(
    tmp_path: Path, folder: Path, description: dict[str, object], says: str
) -> None:
    path = save_trained(tmp_path / "encoder", seed=1)
    describe(path, description)
    with pytest.raises(BadEncoder, match=says) as raised:
        measure_strategies(config_of(folder, strategies={"a": [str(path)]}), Encoder.load)
    assert raised.value.path == str(path)


@pytest.mark.parametrize(
    "other",
    [
        {"sources": ("faq",)},
        {"data": {**DATA, "dev_share": 0.25}},
        {"data": {**DATA, "whole_sources": ()}},
    ],
)
def test_encoders_of_other_training_data_are_not_compared(
    tmp_path: Path, folder: Path, other: dict[str, Any]
) -> None:
    stranger = save_trained(tmp_path / "stranger", seed=3, **other)
    strategies = {"a": [str(folder / "hybrid-1")], "b": [str(stranger)]}
    with pytest.raises(BadInput, match=f"{stranger} was trained on other sources"):
        measure_strategies(config_of(folder, strategies=strategies), Encoder.load)


def test_files_without_a_held_out_question_are_refused(folder: Path) -> None:
    for name in ("untrained", "whole", "guide_par"):
        file = folder / "parallel" / f"{name}.jsonl"
        with pytest.raises(BadInput, match="held out from training") as raised:
            read_domains(config_of(folder, in_domain=[str(file)]), TRAINING)
        assert raised.value.path == str(file)
        assert "faq, guide, guide_par, whole" in raised.value.fix


def test_a_language_that_one_domain_lacks_is_named(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"do not both have passages in fr.*In domain there are de"):
        read_domains(config_of(folder, languages=["de", "fr"]), TRAINING)


def test_more_candidates_than_a_domain_has_are_refused(folder: Path) -> None:
    with pytest.raises(BadInput, match="expected 500 passages in each language"):
        read_domains(config_of(folder, candidates=500), TRAINING)


def test_both_pools_have_the_same_number_of_passages_in_each_language(folder: Path) -> None:
    domains = read_domains(config_of(folder), TRAINING)
    sizes = [pool.sizes for pool in domains.pools.values()]
    assert sizes == [dict.fromkeys(LANGUAGES, domains.candidates)] * 2
    # The smaller domain is out of domain, 36 sentences, or in domain, where Thai is rarest.
    held_out = [item for item in every_item(folder) if kept_out(item)]
    thai = sum("th" in item.passage for item in held_out)
    assert domains.candidates == min(36, thai)
    assert read_domains(config_of(folder, candidates=5), TRAINING).candidates == 5
    some = read_domains(config_of(folder, languages=["en", "de", "en"]), TRAINING)
    assert some.languages == ("de", "en")
    assert {tuple(pool.sizes) for pool in some.pools.values()} == {("de", "en")}


def every_item(folder: Path) -> list[Any]:
    return list(read_parallel(sorted((folder / "parallel").glob("*.jsonl"))))


def kept_out(item: Any) -> bool:
    """What the encoders' training left out, of the sources that it had."""
    return (
        item.source in TRAINING.sources
        and not item.is_translation
        and is_held_out(item, share=0.5, whole_sources=["whole"])
    )


def test_no_page_in_domain_was_trained_on(folder: Path) -> None:
    pool = read_domains(config_of(folder), TRAINING).pools[IN_DOMAIN]
    of_id = {item.id: item for item in every_item(folder)}
    used = {passage.id.partition(":")[2] for passage in pool.passages}
    pages = {page_of(of_id[name]) for name in used}
    trained = {page_of(item) for item in of_id.values() if not kept_out(item)}
    assert pages
    assert not pages & trained
    assert {page.partition(":")[0] for page in pages if page} == {"faq", "guide"}


def test_the_seed_draws_other_pools(folder: Path) -> None:
    ids = [
        [
            p.id
            for p in read_domains(config_of(folder, seed=seed), TRAINING).pools[IN_DOMAIN].passages
        ]
        for seed in (0, 0, 1)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_strategies_are_compared_in_pairs_or_with_the_baseline() -> None:
    assert strategy_pairs("abc", None) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert strategy_pairs("abc", "b") == [("a", "b"), ("c", "b")]
    assert strategy_pairs("a", None) == strategy_pairs("a", "a") == []


Measured = tuple[DomainShiftConfig, Domains, dict[str, StrategyRuns]]


@pytest.fixture(scope="module")
def measured(folder: Path) -> Measured:
    config = config_of(folder)
    said: list[str] = []
    domains, strategies = measure_strategies(config, Encoder.load, progress=said.append)
    assert said == [f"{n}: {folder / f'{n}-{seed}'}" for n in NAMES for seed in (1, 2)]
    return config, domains, strategies


def brute_force(pool: PassagePool, folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """view -> measure -> query -> value, of rankings sorted in Python."""
    encoder = Encoder.load(folder)
    lang_of = {passage.id: passage.lang for passage in pool.passages}
    vectors = {
        p.id: encoder.encode_passages([p.to_encode])[0].astype(np.float64) for p in pool.passages
    }
    table: dict[str, dict[str, dict[str, float]]] = {
        view: {"MRR@10": {}, "mAP": {}} for view in ("pool", "monolingual", "cross_lingual")
    }
    for query in pool.query_set.queries:
        own = encoder.encode_queries([query.text])[0].astype(np.float64)
        scores = {name: float(np.float32(vector @ own)) for name, vector in vectors.items()}
        relevant = set(pool.query_set.qrels[query.id])
        for name, value in judged(total_order(scores), relevant).items():
            table["pool"][name][query.id] = value
        distances = [mid_rank(scores, name) for name in relevant]
        if len(relevant) > 1:
            table["pool"].setdefault("rank_distance", {})[query.id] = max(distances) - min(
                distances
            )
        for lang in LANGUAGES:
            within = {name: score for name, score in scores.items() if lang_of[name] == lang}
            answers = relevant & set(within)
            if answers:
                view = "monolingual" if lang == query.lang else "cross_lingual"
                for name, value in judged(total_order(within), answers).items():
                    table[view][name][f"{query.id}->{lang}"] = value
    return table


def judged(order: list[str], relevant: set[str]) -> dict[str, float]:
    """MRR@10 and AP of one ranking."""
    ranks = [rank for rank, name in enumerate(order, 1) if name in relevant]
    precisions = [found / rank for found, rank in enumerate(ranks, 1)]
    return {"MRR@10": 1 / ranks[0] if ranks[0] <= 10 else 0.0, "mAP": fmean(precisions)}


def macro(values: dict[str, float]) -> float:
    """Mean over query languages, or over pairs of languages."""
    groups: dict[str, list[float]] = defaultdict(list)
    for name, value in values.items():
        groups[name[:2] + name[name.find("->") :] if "->" in name else name[:2]].append(value)
    return fmean(fmean(group) for group in groups.values())


def test_every_level_drop_and_spread_is_that_of_brute_force(
    folder: Path, measured: Measured
) -> None:
    _, domains, strategies = measured
    name = NAMES[0]
    figures: Any = strategy_figures(strategies[name], seed=0)
    truth = {
        domain: [brute_force(pool, folder / f"{name}-{seed}") for seed in (1, 2)]
        for domain, pool in domains.pools.items()
    }
    assert set(truth[IN_DOMAIN][0]) == {"pool", "monolingual", "cross_lingual"}
    for view, measures in truth[IN_DOMAIN][0].items():
        assert set(figures[view]) == set(measures)
        for measure in measures:
            entry = figures[view][measure]
            means = {}
            for domain, seeds in truth.items():
                by_seed = [macro(found[view][measure]) for found in seeds]
                means[domain] = fmean(by_seed)
                assert entry[domain]["seeds"] == pytest.approx(by_seed, abs=1e-6)
                assert entry[domain]["mean"] == pytest.approx(means[domain], abs=1e-6)
                assert entry[domain]["seed_sd"] == pytest.approx(stdev(by_seed), abs=1e-6)
                low, high = entry[domain]["ci95"]
                assert low <= entry[domain]["mean"] <= high
            drop = means[IN_DOMAIN] - means[OUT_OF_DOMAIN]
            assert entry["drop"] == pytest.approx(drop, abs=1e-6)
            relative = None if measure == "rank_distance" else drop / means[IN_DOMAIN]
            assert entry["relative_drop"] == pytest.approx(relative, abs=1e-6)
    for lang in LANGUAGES:
        for domain, seeds in truth.items():
            value = fmean(
                fmean(v for q, v in found["pool"]["mAP"].items() if q.startswith(lang))
                for found in seeds
            )
            assert figures["by_language"][lang]["mAP"][domain]["mean"] == pytest.approx(value)


def test_differences_of_drops_are_those_of_the_levels_and_holm_is_over_pairs(
    measured: Measured,
) -> None:
    _, _, strategies = measured
    pairs = list(combinations(NAMES, 2))
    figures: Any = {name: strategy_figures(runs, seed=0) for name, runs in strategies.items()}
    found: Any = compare_strategies(strategies, pairs, seed=0)
    assert list(found) == [f"{first} - {second}" for first, second in pairs]
    for view in ("pool", "monolingual", "cross_lingual"):
        for measure in ("MRR@10", "mAP"):
            entries = {pair: found[f"{pair[0]} - {pair[1]}"][view][measure] for pair in pairs}
            for (first, second), entry in entries.items():
                one, other = (figures[name][view][measure] for name in (first, second))
                assert set(entry) == {IN_DOMAIN, OUT_OF_DOMAIN, "drop"}
                assert entry["drop"]["difference"] == pytest.approx(one["drop"] - other["drop"])
                for domain in (IN_DOMAIN, OUT_OF_DOMAIN):
                    level = one[domain]["mean"] - other[domain]["mean"]
                    assert entry[domain]["difference"] == pytest.approx(level)
            for part in (IN_DOMAIN, OUT_OF_DOMAIN, "drop"):
                family = sorted(
                    (entry[part]["p"], entry[part]["p_holm"]) for entry in entries.values()
                )
                expected, least = [], 0.0
                for place, (p, _) in enumerate(family):
                    least = max(least, min(1.0, (3 - place) * p))
                    expected.append(least)
                assert [p_holm for _, p_holm in family] == pytest.approx(expected)


def test_one_pair_is_a_family_of_its_own(measured: Measured) -> None:
    _, _, strategies = measured
    found: Any = compare_strategies(strategies, [NAMES[:2]], seed=0)
    (pair,) = found.values()
    for entry in pair["pool"].values():
        assert all(part["p_holm"] == part["p"] for part in entry.values())


def test_a_strategy_against_itself_drops_as_much(measured: Measured) -> None:
    _, _, strategies = measured
    runs = strategies[NAMES[0]]
    found: Any = compare_strategies({"a": runs, "b": runs}, [("a", "b")], seed=0)
    for entry in found["a - b"]["pool"].values():
        assert (entry["drop"]["difference"], entry["drop"]["p"]) == (0, 1)


def test_one_seed_has_no_spread(folder: Path) -> None:
    config = config_of(folder, strategies={"a": [str(folder / "hybrid-1")]}, measures="MRR@10")
    _, strategies = measure_strategies(config, Encoder.load)
    figures: Any = strategy_figures(strategies["a"], seed=0)
    assert figures["pool"]["MRR@10"][IN_DOMAIN]["seed_sd"] is None
    assert compare_strategies(strategies, [], seed=0) == {}


def saved(path: Path, measured: Measured, **changes: object) -> Path:
    config, domains, strategies = measured
    report = {
        **header(config, domains),
        "strategies": {n: strategy_figures(runs, seed=0) for n, runs in strategies.items()},
        **changes,
    }
    path.write_bytes(orjson.dumps(report))
    return path


def test_a_result_is_read_back_with_the_value_of_every_query(
    tmp_path: Path, folder: Path, measured: Measured
) -> None:
    _, domains, strategies = measured
    found = read_domain_shift(saved(tmp_path / "shift.json", measured))
    assert list(found.strategies) == list(NAMES)
    for name, per_query in found.strategies.items():
        original = strategies[name].mean(OUT_OF_DOMAIN)
        assert per_query.to_json() == original.to_json()
    found.check_same_pool(domains)
    others = (
        config_of(folder, candidates=domains.candidates - 1),
        config_of(folder, candidates=domains.candidates - 1, seed=1),
        config_of(folder, languages=["de", "en"]),
    )
    for other in others:
        with pytest.raises(BadInput, match="its pool out of domain is another one"):
            found.check_same_pool(read_domains(other, TRAINING))


def test_what_is_no_result_of_a_domain_shift_is_not_read(
    tmp_path: Path, measured: Measured
) -> None:
    path = tmp_path / "f.json"
    path.write_text('{"contract": "synglot-1", "per_query": {}}')
    with pytest.raises(MalformedFile, match="is no result of a domain shift"):
        read_domain_shift(path)
    with pytest.raises(BadInput, match="made by the contract 'older'"):
        read_domain_shift(saved(path, measured, contract="older"))
    with pytest.raises(MalformedFile, match=r"strategies\.a has no field 'per_query'"):
        read_domain_shift(saved(path, measured, strategies={"a": {}}))


def test_a_report_is_plain_json(measured: Measured, tmp_path: Path) -> None:
    report = json.loads(saved(tmp_path / "shift.json", measured).read_text())
    assert report["protocol"] == "domain-shift"
    assert report["languages"] == list(LANGUAGES)
    for found in report["sets"].values():
        assert found["passages"] == 3 * report["candidates"]
        assert found["items"] <= found["queries"] <= 3 * found["items"]


def test_items_of_a_page_stand_on_one_side() -> None:
    sides: dict[object, set[bool]] = defaultdict(set)
    for item in some_items("guide") + some_items("guide_par"):
        sides[page_of(item)].add(is_held_out(item, share=0.5, whole_sources=[]))
    assert len(sides) == 36
    assert all(len(found) == 1 for found in sides.values())
    assert {True} in sides.values()
    assert {False} in sides.values()


def test_a_measure_of_one_domain_alone_is_compared_in_it_and_has_no_drop(
    measured: Measured,
) -> None:
    """Rank distance needs two relevant passages a query, which a domain need not have."""
    _, _, strategies = measured

    def without(runs: StrategyRuns) -> StrategyRuns:
        inside = [
            replace(per_query, views={"pool": replace(pool, values={"mAP": pool.values["mAP"]})})
            for per_query in runs.runs[IN_DOMAIN]
            for pool in [per_query.views["pool"]]
        ]
        return replace(runs, runs={**runs.runs, IN_DOMAIN: inside})

    cut = {name: without(runs) for name, runs in strategies.items()}
    found: Any = compare_strategies(cut, [NAMES[:2]], seed=0)
    (views,) = found.values()
    assert list(views) == ["pool"]
    assert set(views["pool"]["mAP"]) == {IN_DOMAIN, OUT_OF_DOMAIN, "drop"}
    assert set(views["pool"]["rank_distance"]) == {OUT_OF_DOMAIN}
    figures: Any = strategy_figures(cut[NAMES[0]], seed=0)
    assert set(figures["pool"]) == {"mAP"}
