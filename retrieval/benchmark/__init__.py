"""Published protocols, and those of our own, on public data."""

from retrieval.benchmark.xquad_r import benchmark_xquad_r
from retrieval.evaluation import VectorRanker

__all__ = ["VectorRanker", "benchmark_xquad_r"]
