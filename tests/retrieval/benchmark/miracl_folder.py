"""A small folder of MIRACL's layout: corpora, topics and judgements in two languages."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

WORDS = {
    "sw": ("nyumba", "maji", "mto", "mlima", "jua", "kitabu", "shule", "mwalimu", "soko", "mwezi"),
    "yo": ("ilé", "omi", "odò", "òkè", "oòrùn", "oṣù", "ìwé", "ilé-ẹ̀kọ́", "olùkọ́", "oúnjẹ", "ọ̀nà"),
}
PASSAGES = 130
Corpus = dict[str, tuple[str, str]]
"""docid -> (title, text)."""


def corpus_of(lang: str) -> Corpus:
    """Passages `page#part`, some without a title, as Wikipedia's are cut for MIRACL."""
    rng = random.Random(lang)  # noqa: S311
    return {
        f"{100 + n // 4}#{n % 4}": (
            rng.choice(["", *WORDS[lang]]),
            " ".join(rng.choices(WORDS[lang], k=rng.randint(4, 12))) + ".",
        )
        for n in range(PASSAGES)
    }


def topics_of(lang: str) -> dict[str, str]:
    """Ids that both languages use, as MIRACL's do: topics are numbered within a language."""
    rng = random.Random(lang + "?")  # noqa: S311
    return {f"{n}#0": " ".join(rng.choices(WORDS[lang], k=4)) + "?" for n in range(8)}


def qrels_of(lang: str) -> dict[str, dict[str, int]]:
    """Judgements of all topics but the last, most of them negative."""
    rng = random.Random(lang + "!")  # noqa: S311
    names = sorted(corpus_of(lang))
    found = {}
    for topic in list(topics_of(lang))[:-1]:
        judged = rng.sample(names, 10)
        found[topic] = {name: int(place < 2) for place, name in enumerate(judged)}
    return found


def write_language(folder: Path, lang: str, split: str = "dev", *, corpus: bool = True) -> None:
    """One language as Hugging Face's two repositories lay it out."""
    name = f"miracl-v1.0-{lang}"
    (folder / name / "topics").mkdir(parents=True, exist_ok=True)
    (folder / name / "qrels").mkdir(exist_ok=True)
    topics = "".join(f"{topic}\t{text}\n" for topic, text in topics_of(lang).items())
    (folder / name / "topics" / f"topics.{name}-{split}.tsv").write_text(topics, "utf-8")
    rows = "".join(
        f"{topic}\tQ0\t{passage}\t{relevance}\n"
        for topic, judged in qrels_of(lang).items()
        for passage, relevance in judged.items()
    )
    (folder / name / "qrels" / f"qrels.{name}-{split}.tsv").write_text(rows, "utf-8")
    if corpus:
        records = [
            json.dumps({"docid": docid, "title": title, "text": text}, ensure_ascii=False)
            for docid, (title, text) in corpus_of(lang).items()
        ]
        parts = folder / f"miracl-corpus-v1.0-{lang}"
        parts.mkdir()
        for number, lines in enumerate((records[:70], records[70:])):
            with gzip.open(parts / f"docs-{number}.jsonl.gz", "wt", encoding="utf-8") as stream:
                stream.write("\n".join(lines) + "\n")
