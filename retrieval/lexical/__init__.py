"""BM25 over an encoder's own subwords, with statistics of each passage language, memory-mapped."""

from retrieval.lexical.index import LexicalIndex
from retrieval.lexical.writer import FOLDER, PARAMETERS, LexicalWriter

__all__ = ["FOLDER", "PARAMETERS", "LexicalIndex", "LexicalWriter"]
