"""Sentences found against XQuAD-R's own, by language. Usage: sentences.py FOLDER_OF_XQUAD_R."""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

from indexer.sentences import sentence_spans


def measure(path: Path) -> str:
    """Precision and recall of the ends of sentences, the last of a paragraph left out."""
    data = json.loads(gzip.decompress(path.read_bytes()))
    lang = path.name.partition(".")[0]
    found, gold, both, characters, seconds = 0, 0, 0, 0, 0.0
    for paragraph in (p for article in data["data"] for p in article["paragraphs"]):
        text = paragraph["context"]
        began = time.perf_counter()
        spans = list(sentence_spans(text, lang))
        seconds += time.perf_counter() - began
        ours = {len(text[:end].rstrip()) for _, end in spans[:-1]}
        theirs = {len(text[:end].rstrip()) for _, end in paragraph["sentence_breaks"][:-1]}
        found, gold, both = found + len(ours), gold + len(theirs), both + len(ours & theirs)
        characters += len(text)
    precision, recall = both / max(1, found), both / max(1, gold)
    return f"| {lang} | {precision:.3f} | {recall:.3f} | {characters / 1e6 / seconds:.1f} |"


if __name__ == "__main__":
    rows = [measure(path) for path in sorted(Path(sys.argv[1]).glob("*.json.gz"))]
    table = ["| | precision | recall | million characters/s |", "|---|---|---|---|", *rows]
    sys.stdout.write("\n".join(table) + "\n")
