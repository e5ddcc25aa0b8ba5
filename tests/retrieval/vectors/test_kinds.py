"""Which index is chosen, and what cannot be one."""

from __future__ import annotations

import pytest

from retrieval.errors import BadInput
from retrieval.vectors import AUTO, IndexKind, IndexOptions, plan_index
from retrieval.vectors.kinds import POINTS_A_CENTROID, lists_for

GB = 10**9


@pytest.mark.parametrize(
    ("rows", "dim", "memory", "kind"),
    [
        (1, 512, 16 * GB, IndexKind.FLAT),
        (13_014, 512, 16 * GB, IndexKind.FLAT),
        (100_000, 512, 16 * GB, IndexKind.FLAT),
        (100_000, 512, GB // 2, IndexKind.IVF_PQ),
        (200_000, 512, 16 * GB, IndexKind.IVF_PQ),
        (200_000, 256, 16 * GB, IndexKind.FLAT),
        (10_000_000, 384, 256 * GB, IndexKind.IVF_PQ),
    ],
)
def test_auto_is_exact_while_that_is_fast_and_fits(
    rows: int, dim: int, memory: int, kind: IndexKind
) -> None:
    plan = plan_index(AUTO, rows=rows, dim=dim, memory_bytes=memory)
    assert plan.kind is kind
    assert f"{rows:,} passages x {dim}" in plan.reason
    assert "MB" in plan.reason
    assert "ms a query" in plan.reason


@pytest.mark.parametrize("kind", [kind for kind in IndexKind if kind is not IndexKind.FACTORY])
def test_every_kind_can_be_asked_for_by_name(kind: IndexKind) -> None:
    assert plan_index(kind, rows=50_000, dim=512).kind is kind


def test_an_odd_dimension_is_filled_up_for_product_codes() -> None:
    assert plan_index("ivf-pq", rows=50_000, dim=101).factory == "Pad102,IVF256,PQ51x4fs"


@pytest.mark.parametrize(
    "kind", [kind for kind in IndexKind if kind not in (IndexKind.FACTORY, IndexKind.FLAT)]
)
def test_too_few_passages_get_an_exact_index_that_says_so(kind: IndexKind) -> None:
    plan = plan_index(kind, rows=99, dim=512)
    assert plan.kind is IndexKind.FLAT
    assert plan.reason == f"99 passages are too few for {kind}"


@pytest.mark.parametrize("rows", [1, 2, 39, 78, 100, 1_000, 13_014, 200_000, 10**6, 10**8])
def test_there_are_about_as_many_lists_as_passages_in_one_and_enough_to_train_each(
    rows: int,
) -> None:
    lists = lists_for(rows)
    assert lists == 1 or lists * POINTS_A_CENTROID <= rows
    assert lists * lists <= 2 * rows
    assert lists * lists * 2 >= rows or 2 * lists * POINTS_A_CENTROID > rows


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("", "no kind of index"),
        ("flatt", "no kind of index"),
        ("factory", "no kind of index"),
        ("IVF99999999999999999,Flat", "asks for 99,999,999,999,999,999 lists"),
        ("Banana", "faiss makes no index of 'Banana' for 48 dimensions"),
        ("IVF64", "faiss makes no index"),
        ("IVF64,PQ7", "faiss makes no index"),
        ("IVF64,Flat,RFlat", "keeps ids or vectors of its own"),
        ("IDMap,Flat", "keeps ids or vectors of its own"),
        ("IVF16,\0Flat\n", "faiss makes no index"),
    ],
)
def test_what_is_no_index_is_refused_with_what_to_give_instead(request_: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        IndexOptions(kind=request_).check(48)
    assert caught.value.fix


@pytest.mark.parametrize("target", [0.0, -1.0, 1.01, float("nan")])
def test_a_target_of_recall_is_a_share(target: float) -> None:
    with pytest.raises(BadInput, match="target of recall"):
        IndexOptions(target_recall=target)
