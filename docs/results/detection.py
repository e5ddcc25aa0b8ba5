"""Measure language detection: accuracy, confidence, false alarms and power of the lint, speed.

    python docs/results/detection.py DATA

DATA is the folder of docs/data.md. Prints Markdown; takes about a minute. Every other text of each
language, from the first on, tuned the thresholds of retrieval/detection.py; the rest reports them.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import resource
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import orjson

from retrieval.detection import SURE, Detected, Detector, contradicts
from retrieval.formats.lareqa import read_lareqa
from retrieval.formats.queries import read_trec_queries

SHORT_CHARACTERS = 20
SHORT_TEXTS = 500

Texts = list[tuple[str, str]]
"""(true language, text)"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One set of texts with what was detected. held_out: whether a text tuned nothing."""

    texts: Texts
    found: list[Detected]
    held_out: list[bool]
    texts_per_second: float


def short_texts(folder: Path) -> Texts:
    """500 texts of at most 20 characters a language, by hash, that stand in one language only."""
    languages: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path) as lines:
            for record in map(orjson.loads, lines):
                for kind in ("text", "query", "passage"):
                    for lang, text in record.get(kind, {}).items():
                        if len(text) <= SHORT_CHARACTERS:
                            languages[text].add(lang)
    chosen: defaultdict[str, list[str]] = defaultdict(list)
    for text in sorted(languages, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if len(languages[text]) == 1:
            [lang] = languages[text]
            chosen[lang].append(text)
    return [(lang, text) for lang in sorted(chosen) for text in chosen[lang][:SHORT_TEXTS]]


def sets_of_texts(data: Path) -> dict[str, Texts]:
    """Every set by name."""
    xquad = read_lareqa(data / "lareqa" / "xquad-r").files
    topics = sorted((data / "miracl").glob("topics.*.tsv"))
    return {
        "XQuAD-R questions": [(q.lang, q.text) for file in xquad for q in file.queries],
        "XQuAD-R sentences": [(p.lang, p.text) for file in xquad for p in file.passages],
        "MIRACL topics": [(q.lang, q.text) for path in topics for _, q in read_trec_queries(path)],
        "short texts": short_texts(data / "parallel"),
    }


def measure(detector: Detector, texts: Texts) -> Measured:
    """Detect every text on this thread."""
    started = time.process_time()
    found = detector.detect([text for _, text in texts])
    seconds = time.process_time() - started
    seen: Counter[str] = Counter()
    held_out = []
    for lang, _ in texts:
        held_out.append(seen[lang] % 2 == 1)
        seen[lang] += 1
    return Measured(texts, found, held_out, len(texts) / seconds)


def percent(flags: list[bool]) -> str:
    """Share of true flags."""
    return f"{100 * sum(flags) / len(flags):.2f}" if flags else ""


def accuracy_rows(measured: dict[str, Measured]) -> list[str]:
    """Accuracy by language; a last row over all texts."""
    languages = sorted({lang for m in measured.values() for lang, _ in m.texts})
    rows = ["| language | " + " | ".join(measured) + " |", "|---" * (len(measured) + 1) + "|"]
    for only in [*languages, "all"]:
        cells = [
            percent(
                [
                    found.lang == lang
                    for (lang, _), found in zip(m.texts, m.found, strict=True)
                    if only in (lang, "all")
                ]
            )
            for m in measured.values()
        ]
        rows.append(f"| {only} | " + " | ".join(cells) + " |")
    return rows


def rule_row(name: str, m: Measured, languages: list[str]) -> str:
    """Held-out texts: kept at SURE, right of these, false alarms, power after relabelling."""
    chance = random.Random(0)  # noqa: S311
    kept, right, alarms, hits = [], [], [], []
    for (lang, text), found, held_out in zip(m.texts, m.found, m.held_out, strict=True):
        other = chance.choice([code for code in languages if code != lang])
        if not held_out:
            continue
        kept.append(found.confidence >= SURE)
        if kept[-1]:
            right.append(found.lang == lang)
        alarms.append(contradicts(text, lang, found))
        hits.append(contradicts(text, other, found))
    cells = [f"{len(kept):,}", *map(percent, (kept, right, alarms, hits))]
    return f"| {name} | " + " | ".join(cells) + f" | {m.texts_per_second:,.0f} |"


def rule_rows(measured: dict[str, Measured]) -> list[str]:
    """One row a set."""
    languages = sorted({lang for m in measured.values() for lang, _ in m.texts})
    head = "| | held-out texts | kept % | right of kept % | false alarms % | power % | texts/s |"
    rows = [rule_row(name, m, languages) for name, m in measured.items()]
    return [head, "|---" * 7 + "|", *rows]


def alarm_rows(measured: dict[str, Measured]) -> list[str]:
    """Every false alarm, both halves."""
    return [
        f"- {name}, {lang} taken for {found.lang} ({found.confidence:.2f}): {text:.100}"
        for name, m in measured.items()
        for (lang, text), found in zip(m.texts, m.found, strict=True)
        if contradicts(text, lang, found)
    ]


def main() -> None:
    """Print the tables."""
    texts = sets_of_texts(Path(sys.argv[1]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    detector = Detector()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    measured = {name: measure(detector, texts[name]) for name in texts}
    lines = [*accuracy_rows(measured), "", *rule_rows(measured), "", *alarm_rows(measured)]
    sys.stdout.write("\n".join(lines) + f"\n\npeak memory grew by {memory / 1024:.0f} MiB\n")


if __name__ == "__main__":
    main()
