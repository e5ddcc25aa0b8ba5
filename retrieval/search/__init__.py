"""Search over one version of a corpus: dense, lexical or both, balanced, filtered and grouped."""

from retrieval.search.balance import Balance
from retrieval.search.grouping import GroupBy
from retrieval.search.pool import Mode
from retrieval.search.searcher import DEFAULT_OPTIONS, Searcher, SearchOptions, SearchRanker

__all__ = [
    "DEFAULT_OPTIONS",
    "Balance",
    "GroupBy",
    "Mode",
    "SearchOptions",
    "SearchRanker",
    "Searcher",
]
