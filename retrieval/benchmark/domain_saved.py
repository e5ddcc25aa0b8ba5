"""A result of a domain shift read back: what a later one is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.benchmark.domain_shift import OUT_OF_DOMAIN, Domains, described
from retrieval.errors import BadInput
from retrieval.evaluation.per_query import PerQuery
from retrieval.evaluation.saved import check_contract, parse_per_query
from retrieval.formats.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedDomainShift:
    """A result read back. pool: the description of its pool out of domain; see `header`.

    strategies: name -> values of every query out of domain.
    """

    path: Path
    pool: Mapping[str, object]
    strategies: Mapping[str, PerQuery]

    def check_same_pool(self, domains: Domains) -> None:
        """Raises BadInput where queries, judgements or passages out of domain are others."""
        found = described(domains.pools[OUT_OF_DOMAIN])
        if found != self.pool:
            raise BadInput(
                "its pool out of domain is another one, or has other judgements",
                path=self.path,
                fix="Use the same data, languages, candidates and seed for both.",
            )


def read_domain_shift(path: Path) -> SavedDomainShift:
    """A saved result. Raises MalformedFile, BadInput for one of another contract."""
    root = Node.load(path)
    if root.get("strategies") is None or root.get("sets") is None:
        raise root.wrong(
            "is no result of a domain shift",
            fix="Give a file that `synglot benchmark domain-shift` wrote with --json.",
        )
    check_contract(root)
    return SavedDomainShift(
        path=path,
        pool={name: node.value for name, node in root["sets"][OUT_OF_DOMAIN].items()},
        strategies={
            name: parse_per_query(entry["per_query"][OUT_OF_DOMAIN])
            for name, entry in root["strategies"].items()
        },
    )
