"""Domain shift: what is left of MRR on domains that an encoder was not trained on.

In domain: held-out pages of the encoders' own training sources. Out of domain: a folder of LAReQA's
layout, such as XQuAD-R. Both are pools of the same number of passages in each language; strategies
are compared by the difference of their drops, since the two pools are of different difficulty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from retrieval.benchmark.pools import PassagePool, TextEncoder, equal_pool, questions_of
from retrieval.errors import BadConfig, BadEncoder, BadInput
from retrieval.evaluation import CONTRACT, rank_query_set
from retrieval.evaluation.evaluation import query_set_digest, versions
from retrieval.evaluation.per_query import PerQuery, View
from retrieval.formats.configs import checked, expanded, read_mapping
from retrieval.formats.files import expand_inputs
from retrieval.formats.lareqa import read_lareqa
from retrieval.formats.parallel import ENDINGS, read_parallel
from retrieval.held_out import is_held_out
from retrieval.metrics.measure import Measure, parse_measures

PROTOCOL = "domain-shift"
IN_DOMAIN, OUT_OF_DOMAIN = "in_domain", "out_of_domain"

EXAMPLE = "docs/examples/domain-shift.yaml"


class DescribedEncoder(TextEncoder, Protocol):
    """An encoder that tells what it was trained on."""

    @property
    def description(self) -> Mapping[str, object]:
        """Its synglot.json."""


class DomainShiftConfig(BaseModel):
    """What is compared on what.

    in_domain: parallel files; of them the held-out pages of the encoders' own training sources.
    out_of_domain: a folder of `LANG.json[.gz]`. strategies: name -> encoder folders, one a seed.
    languages: by default those that both domains have. candidates: passages a language in each
    pool; by default as many as the smaller domain has. baseline: compare with it alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_domain: tuple[str, ...] = Field(min_length=1)
    out_of_domain: Path
    strategies: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(min_length=1)
    languages: tuple[str, ...] = ()
    candidates: int | None = Field(default=None, ge=2)
    measures: str = "MRR@10 mAP nDCG@10 Recall@100"
    baseline: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)

    def to_measures(self) -> tuple[Measure, ...]:
        """The measures that are named. Raises UnknownMeasure."""
        return parse_measures(self.measures)


def load_domain_shift(path: Path) -> DomainShiftConfig:
    """A configuration in YAML; `${NAME:-default}` stands for the environment. Raises BadConfig."""
    config = checked(
        DomainShiftConfig,
        expanded(read_mapping(path), path),
        path=path,
        fix=f"See the example in {EXAMPLE}.",
    )
    if config.baseline is not None and config.baseline not in config.strategies:
        raise BadConfig(f"the baseline {config.baseline!r} is no strategy", path=path)
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What an encoder says of its training: sources, and which of their pages were held out."""

    sources: frozenset[str]
    dev_share: float
    whole_sources: frozenset[str]

    @classmethod
    def of(cls, encoder: DescribedEncoder) -> TrainingData:
        """From its synglot.json. Raises BadEncoder where it does not say, or held out nothing."""
        sources = encoder.description.get("sources")
        config = encoder.description.get("config")
        data = config.get("data") if isinstance(config, dict) else None
        if not isinstance(sources, dict) or not isinstance(data, dict):
            raise BadEncoder(
                "it does not say what it was trained on",
                path=encoder.path,
                fix="Domain shift needs encoders that `synglot train` made.",
            )
        share = data.get("dev_share")
        if not isinstance(share, float | int) or share <= 0:
            raise BadEncoder(
                "no pages were held out from its training, so nothing in its domain is unseen",
                path=encoder.path,
                fix="Train with data.dev_share above 0.",
            )
        return cls(
            sources=frozenset(sources),
            dev_share=float(share),
            whole_sources=frozenset(data.get("whole_sources") or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """The two pools, the same number of passages in each of their languages. files: the data."""

    languages: tuple[str, ...]
    candidates: int
    pools: Mapping[str, PassagePool]
    files: Sequence[Path]


def read_domains(config: DomainShiftConfig, training: TrainingData) -> Domains:
    """Both pools, cut to equal sizes.

    Raises BadInput and its kin, also where the files hold no question of a held-out page.
    """
    files = expand_inputs(config.in_domain, endings=ENDINGS)
    held_out = [
        item
        for item in read_parallel(files)
        if item.source in training.sources
        and is_held_out(item, share=training.dev_share, whole_sources=training.whole_sources)
    ]
    inside = questions_of(held_out)
    if not inside.passages:
        raise BadInput(
            "none of the files in domain has a question of a page that was held out from training",
            path=files[0],
            fix="Name files of these sources with questions: "
            + ", ".join(sorted(training.sources)),
        )
    lareqa = read_lareqa(config.out_of_domain)
    pools = {
        IN_DOMAIN: inside,
        OUT_OF_DOMAIN: PassagePool(query_set=lareqa.query_set(), passages=lareqa.passages),
    }
    shared = set(pools[IN_DOMAIN].sizes) & set(pools[OUT_OF_DOMAIN].sizes)
    absent = sorted(set(config.languages) - shared)
    if absent or not shared:
        raise BadInput(
            f"the two domains do not both have passages in {', '.join(absent)}"
            if absent
            else "the two domains have no language in common",
            fix=f"In domain there are {_listed(pools[IN_DOMAIN])}, out of domain"
            f" {_listed(pools[OUT_OF_DOMAIN])}.",
        )
    languages = tuple(sorted(set(config.languages) or shared))
    candidates = config.candidates or min(
        pool.sizes[lang] for pool in pools.values() for lang in languages
    )
    return Domains(
        languages=languages,
        candidates=candidates,
        pools={
            name: equal_pool(pool, languages=languages, candidates=candidates, seed=config.seed)
            for name, pool in pools.items()
        },
        files=[*files, *(file.path for file in lareqa.files)],
    )


def _listed(pool: PassagePool) -> str:
    return ", ".join(f"{lang} {size:,}" for lang, size in pool.sizes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRuns:
    """One strategy: its encoders, and per domain the values of every query, one set a seed."""

    encoders: Sequence[Mapping[str, str]]
    runs: Mapping[str, Sequence[PerQuery]]

    def mean(self, domain: str) -> PerQuery:
        """Every query's mean over the seeds."""
        return _mean_of(self.runs[domain])


def measure_strategies(
    config: DomainShiftConfig,
    load: Callable[[str], DescribedEncoder],
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Domains, dict[str, StrategyRuns]]:
    """Every encoder of every strategy on both pools.

    load: an encoder by its folder. progress: told which one is at work.
    Raises BadInput where encoders were not trained on the same sources with the same pages out.
    """
    training: TrainingData | None = None
    domains: Domains | None = None
    measures = config.to_measures()
    found: dict[str, StrategyRuns] = {}
    for name, folders in config.strategies.items():
        runs: dict[str, list[PerQuery]] = {IN_DOMAIN: [], OUT_OF_DOMAIN: []}
        identities: list[dict[str, str]] = []
        for folder in folders:
            progress(f"{name}: {folder}")
            encoder = load(folder)
            own = TrainingData.of(encoder)
            if training is None or domains is None:
                training, domains = own, read_domains(config, own)
            _check_same_training(own, training, folder)
            for domain, pool in domains.pools.items():
                ranked = rank_query_set(pool.query_set, pool.ranker(encoder))
                runs[domain].append(PerQuery.of(ranked, measures))
            identities.append({"path": folder, "fingerprint": encoder.fingerprint})
        found[name] = StrategyRuns(encoders=identities, runs=runs)
    if domains is None:
        raise BadConfig("no strategy names an encoder")
    return domains, found


def strategy_pairs(names: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """Which strategies are compared: every pair, or each other one with the baseline."""
    if baseline is None:
        return list(combinations(names, 2))
    return [(name, baseline) for name in names if name != baseline]


def header(config: DomainShiftConfig, domains: Domains) -> dict[str, object]:
    """What the report begins with."""
    return {
        "protocol": PROTOCOL,
        "contract": CONTRACT,
        "seed": config.seed,
        "languages": list(domains.languages),
        "candidates": domains.candidates,
        "sets": {name: described(pool) for name, pool in domains.pools.items()},
        "versions": versions(),
    }


def described(pool: PassagePool) -> dict[str, object]:
    """Sizes and digests: equal for the same queries, judgements and passages alone."""
    texts = sorted((passage.id, passage.to_encode) for passage in pool.passages)
    return {
        "queries": len(pool.query_set.queries),
        "items": len({query.cluster for query in pool.query_set.queries}),
        "passages": len(pool.passages),
        "query_set": query_set_digest(pool.query_set),
        "passage_set": hashlib.sha256(orjson.dumps(texts)).hexdigest(),
    }


def _check_same_training(own: TrainingData, first: TrainingData, folder: str) -> None:
    if own != first:
        raise BadInput(
            f"{folder} was trained on other sources, or with other pages held out, than the first"
            " encoder",
            fix="Compare strategies that were trained on the same data.",
        )


def _mean_of(runs: Sequence[PerQuery]) -> PerQuery:
    first = runs[0]
    views = {
        name: View(
            values={m: _mean([run.views[name].values[m] for run in runs]) for m in view.values},
            weight_Q=view.weight_Q,
        )
        for name, view in first.views.items()
    }
    return PerQuery(
        ids=first.ids,
        languages=first.languages,
        clusters=first.clusters,
        domains=first.domains,
        views=views,
    )


def _mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean_Q: NDArray[np.float64] = np.mean(np.stack(list(values)), axis=0)
    return mean_Q
