"""docs/evaluation.md: its examples run, and no measure is without one."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from retrieval.errors import UnknownMeasure
from retrieval.metrics import bias, comparison, parallel, statistics
from retrieval.metrics.measure import Kind, Measure
from retrieval.metrics.ranked import RankedSet
from retrieval.metrics.ranking import judged_share, measure_values

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"

LEAST_EXAMPLES = 120

PARTS = {"clustered", "percentile_intervals", "resampled_means"}
"""What intervals and comparisons are made of."""


def examples() -> list[ast.AST]:
    """The page's examples as syntax trees."""
    parsed = doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8"))
    return [ast.parse(example.source) for example in parsed]


def calls() -> Iterator[ast.Call]:
    for tree in examples():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called_names() -> set[str]:
    """Names of the functions and methods that the examples call."""
    functions = [call.func for call in calls()]
    return {f.id for f in functions if isinstance(f, ast.Name)} | {
        f.attr for f in functions if isinstance(f, ast.Attribute)
    }


def measured() -> Iterator[Measure]:
    """The measures that the examples take the value of, by `value("...")` or `Measure.parse`."""
    for call in calls():
        if isinstance(call.func, ast.Name) and call.func.id == "value":
            name = ast.literal_eval(call.args[0])
            try:
                yield Measure.parse(name)
            except UnknownMeasure as error:
                pytest.fail(f"{PAGE.name} measures {name!r}: {error}")


def numbers(text: str, *, least_digits: int = 3) -> set[float]:
    """Numbers with so many digits after the point, or more, but at most four."""
    pattern = rf"(?<![\w.])\d*\.\d{{{least_digits},4}}(?!\d)"
    return {float(number) for number in re.findall(pattern, text)}


def public_functions(module: ModuleType) -> set[str]:
    return {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_example_of_the_page_gives_what_the_page_says() -> None:
    result = doctest.testfile(
        str(PAGE), module_relative=False, encoding="utf-8", optionflags=doctest.REPORT_NDIFF
    )
    assert result.failed == 0
    assert result.attempted >= LEAST_EXAMPLES


def test_every_number_of_three_digits_in_the_text_is_one_that_an_example_prints() -> None:
    text = PAGE.read_text(encoding="utf-8")
    printed = "\n".join(example.want for example in doctest.DocTestParser().get_examples(text))
    told = numbers("".join(text.split("```")[::2]))
    assert len(told) > 30
    assert told - numbers(printed, least_digits=1) == set()


def test_every_code_block_of_the_page_is_an_example() -> None:
    blocks = PAGE.read_text(encoding="utf-8").split("```")[1::2]
    assert blocks
    for block in blocks:
        assert block.startswith("python\n>>> ")


def test_every_kind_of_measure_has_an_example() -> None:
    assert {measure.kind for measure in measured()} == set(Kind)


@pytest.mark.parametrize(
    "module", [bias, statistics, comparison, parallel], ids=lambda m: str(m.__name__)
)
def test_every_measure_of_bias_and_every_statistic_has_an_example(module: ModuleType) -> None:
    assert public_functions(module) - PARTS - called_names() == set()


def test_what_is_measured_elsewhere_has_an_example() -> None:
    elsewhere = [
        judged_share,
        measure_values,
        RankedSet.complete_Q,
        RankedSet.means_by_pair,
        RankedSet.means_by_language,
        RankedSet.own_language,
    ]
    assert {function.__name__ for function in elsewhere} - called_names() == set()
