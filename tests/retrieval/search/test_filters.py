"""Filters against a slow reading of their definition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import BadInput
from retrieval.search.filters import filter_object, narrowed, parse_filter
from retrieval.store.fields import Fields
from retrieval.vectors import RowFilter
from tests.retrieval.store.test_fields import stored

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}

SCALARS = (
    st.sampled_from(["", "a", "b", "wiki", "é", "ไทย", "😀", "2019-05-01", "2020"])
    | st.integers(-3, 3)
    | st.sampled_from([2**53, -(2**63), 2**63 - 1, 0.5, -1.5, 2.0, 1e300])
    | st.booleans()
)
NAMES = ("a", "b", "c")
METADATA = st.dictionaries(
    st.sampled_from(NAMES), st.none() | SCALARS | st.lists(SCALARS | st.none(), max_size=3)
)
TESTS = st.one_of(
    SCALARS,
    st.none(),
    SCALARS.map(lambda value: {"eq": value}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"in": values}),
    st.dictionaries(
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        SCALARS.filter(lambda value: not isinstance(value, bool)),
        min_size=1,
        max_size=2,
    ),
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), TESTS, min_size=1)
FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


def kind(value: object) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def compares(value: object, test: Mapping[str, Any]) -> bool:
    for name, operand in test.items():
        operands = operand if name == "in" else [operand]
        compare = COMPARE["eq" if name == "in" else name]
        if not any(kind(value) == kind(other) and compare(value, other) for other in operands):
            return False
    return True


def holds(found: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """The oracle: one passage, one condition."""
    for name, test in condition.items():
        if name in ("and", "or"):
            result = (all if name == "and" else any)(holds(found, part) for part in test)
        elif name == "not":
            result = not holds(found, test)
        else:
            value = found.get(name)
            values = value if isinstance(value, list) else [value]
            values = [each for each in values if each is not None]
            if test is None:
                result = not values
            else:
                asked = test if isinstance(test, dict) else {"eq": test}
                result = any(compares(each, asked) for each in values)
        if not result:
            return False
    return True


def all_kinds() -> dict[str, object]:
    """Values of every kind, so that no comparison is refused."""
    return {name: ["~", 77, 77.5, True, False] for name in NAMES}


@settings(deadline=None, max_examples=300)
@given(found=st.lists(METADATA, max_size=8), condition=FILTERS)
def test_a_filter_holds_where_its_definition_says(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, object]], condition: Any
) -> None:
    found = [*found, all_kinds()]
    fields = Fields(stored(tmp_path_factory.mktemp("f"), found, batch=3))
    mask = parse_filter(condition).mask(fields, len(found))
    assert mask.tolist() == [holds(metadata, condition) for metadata in found]


@pytest.fixture
def fields(tmp_path: Path) -> Fields:
    found = [
        {"source": "wiki", "year": 2009, "tag": ["a", "b"], "ok": True},
        {"source": "news", "year": 2015, "tag": [], "where": {"city": "x"}},
        {"source": "wiki", "year": 2020},
        {},
    ]
    return Fields(stored(tmp_path, found))


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ({"source": "wiki"}, [0, 2]),
        ({"source": "nowhere"}, []),
        ({"year": {"gte": 2010, "lt": 2020}}, [1]),
        ({"year": {"gt": 2009.5}}, [1, 2]),
        ({"year": {"lt": 10**18}}, [0, 1, 2]),
        ({"year": 2009.0}, [0]),
        ({"tag": {"in": ["b", "z"]}}, [0]),
        ({"source": "wiki", "year": {"gt": 2010}}, [2]),
        ({"or": [{"source": "news"}, {"year": 2020}]}, [1, 2]),
        ({"not": {"source": "wiki"}}, [1, 3]),
        ({"tag": None}, [1, 2, 3]),
        ({"ok": True}, [0]),
        ({"source": {"gte": "o"}}, [0, 2]),
    ],
)
def test_the_examples_of_the_documentation(
    fields: Fields, condition: dict[str, object], rows: list[int]
) -> None:
    assert np.flatnonzero(parse_filter(condition).mask(fields, 4)).tolist() == rows


def nested(depth: int) -> dict[str, object]:
    return {"not": nested(depth - 1)} if depth else {"a": 1}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({}, "object with at least one field, found {}"),
        ([], "object with at least one field"),
        ("source", "object with at least one field"),
        ({"and": {}}, "'and' takes a list"),
        ({"or": []}, "'or' takes a list"),
        ({"not": [{"a": 1}]}, "object with at least one field"),
        ({"a": {}}, "the filter on 'a' is empty"),
        ({"a": {"near": 1}}, "the filter on 'a' has 'near'"),
        ({"a": {"in": "abc"}}, "'in' of 'a' takes a list"),
        ({"a": {"in": []}}, "'in' of 'a' takes a list"),
        ({"a": {"gt": True}}, "'gt' of 'a' cannot order True"),
        ({"a": {"gt": None}}, "compares with None"),
        ({"a": [1]}, r"compares with \[1\]"),
        ({"a": float("nan")}, "compares with nan"),
        ({"a": 10**30}, "compares with 1000"),
        ({"a": {"in": list(range(20_000))}}, "more than 10000"),
        (nested(40), "nested deeper than 16"),
    ],
)
def test_what_is_no_filter_is_refused(condition: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_filter(condition)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"yaer": 2010}, "no passage has the metadata field 'yaer'.*ok, source, tag, where, year"),
        ({"year": "2010"}, "'year' holds whole number; it cannot be compared with '2010'"),
        ({"source": {"gte": 3}}, "'source' holds text; it cannot be compared with 3"),
        ({"ok": 1}, "'ok' holds true or false; it cannot be compared with 1"),
        ({"year": {"in": [2010, "x"]}}, "cannot be compared with 'x'"),
        ({"where": "x"}, "'where' holds object"),
        ({"where": None}, "'where' holds object"),
    ],
)
def test_fields_and_kinds_that_do_not_exist_are_refused(
    fields: Fields, condition: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        parse_filter(condition).mask(fields, 4)


@pytest.mark.parametrize("text", ["{", "[1]", "7", "", '{"a": 1e999}', '{"a": NaN}'])
def test_text_that_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_filter(filter_object(text))


def test_a_filter_narrows_the_rows_it_is_given() -> None:
    mask = np.array([True, False, True, True])
    rows = RowFilter.from_mask(np.array([False, True, True, True]))
    assert narrowed(rows, mask).rows.tolist() == [2, 3]
    assert narrowed(None, mask).rows.tolist() == [0, 2, 3]
    assert (
        narrowed(rows, mask).bitmap.tolist()
        == RowFilter.from_mask(mask & [0, 1, 1, 1] > 0).bitmap.tolist()
    )
