"""What a run will draw, counted from its first plans without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from training.planner import BatchPlanner
from training.sampler import Tally

_SHOWN_PAIRS = 12


def preview(
    planner: BatchPlanner, *, steps: int, progress: Callable[[range], range] = lambda r: r
) -> dict[str, object]:
    """Counts of modes, language pairs and sources over the first `steps` batches."""
    tally = Tally()
    heads: list[dict[str, object]] = []
    for step in progress(range(steps)):
        plan = planner.plan(step)
        tally.add(plan, planner.table)
        if step < 10:
            heads.append(_head(planner, step))
    return {
        "strategy": str(planner.strategy),
        "batch_size": planner.batch_size,
        "steps": steps,
        "items": len(planner.table),
        "languages": list(planner.table.languages),
        "modes": dict(tally.modes.most_common()),
        "pairs": dict(tally.pairs.most_common()),
        "sources": dict(tally.sources.most_common()),
        "items_with_negatives": planner.table.negatives.items(len(planner.table.languages)),
        "negatives": tally.negatives,
        "never_drawn": list(planner.idle_sources),
        "first_batches": heads,
    }


def as_text(counts: dict[str, object]) -> str:
    """The preview for a person."""
    lines = [
        f"{counts['strategy']}: {counts['steps']} batches of {counts['batch_size']} "
        f"over {counts['items']} items",
        "batches by mode",
        *_table(counts["modes"]),
        "triplets by source",
        *_table(counts["sources"]),
        "triplets by language pair (question->passage)",
        *_table(counts["pairs"]),
    ]
    if counts["never_drawn"]:
        lines.append(
            "never drawn (fewer usable items than a batch; data of theirs is idle unless "
            f"batches.mix_sources is true): {', '.join(map(str, _names(counts['never_drawn'])))}"
        )
    if counts["items_with_negatives"]:
        lines.append(
            f"{counts['items_with_negatives']} items come with negatives: {counts['negatives']} of "
            "them are drawn, beside the batch's own passages (batches.negatives a triplet)"
        )
    return "\n".join(lines)


def _head(planner: BatchPlanner, step: int) -> dict[str, object]:
    plan, table = planner.plan(step), planner.table
    pairs = Counter(
        f"{table.languages[q]}->{table.languages[p]}"
        for q, p in zip(plan.query_langs_B, plan.passage_langs_B, strict=True)
    )
    return {
        "step": step,
        "mode": plan.mode.value,
        "sources": [table.sources[s] for s in plan.sources],
        "pairs": len(pairs),
        "most_common_pair": pairs.most_common(1)[0][0],
    }


def _names(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _table(value: object) -> list[str]:
    counts = Counter(value if isinstance(value, dict) else {})
    total = max(counts.total(), 1)
    lines = [
        f"  {name:<24} {n:>10}  {n / total:6.1%}" for name, n in counts.most_common(_SHOWN_PAIRS)
    ]
    if len(counts) > _SHOWN_PAIRS:
        lines.append(f"  ... and {len(counts) - _SHOWN_PAIRS} more")
    return lines
