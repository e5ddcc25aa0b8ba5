"""What a domain shift is measured on, small: parallel pages, a LAReQA folder, trained encoders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from retrieval.formats.parallel import write_parallel
from retrieval.types import ParallelItem
from tests.tiny import save_tiny_encoder
from training.config import parse_config

LANGUAGES = ("de", "en", "th")
WORDS = {
    "de": ["Haus", "Baum", "Fluss", "Berg", "Licht", "Weg", "Stein", "Vogel", "Garten", "Brot"],
    "en": ["house", "tree", "river", "hill", "light", "path", "stone", "bird", "garden", "bread"],
    "th": ["บ้าน", "ต้นไม้", "แม่น้ำ", "ภูเขา", "แสง", "ทาง", "หิน", "นก", "สวน", "ขนมปัง"],
}
DATA: Mapping[str, Any] = {"files": ["x.jsonl"], "dev_share": 0.5, "whole_sources": ["whole"]}
"""What the encoders say of their training data."""


def text(lang: str, seed: int, words: int) -> str:
    """A text that is the same words in every language."""
    places = np.random.default_rng(seed).integers(0, 10, words).tolist()
    return " ".join(WORDS[lang][place] for place in places) + f" {seed}"


def some_items(source: str, *, pages: int = 36, parts: int = 2) -> list[ParallelItem]:
    """Pages of `parts` items; every fifth page lacks Thai."""
    return [
        ParallelItem(
            id=f"{source}:page{page}.md#{part}",
            source=source,
            query={lang: text(lang, 10 * page + part, 3) + "?" for lang in spoken},
            passage={lang: text(lang, 10 * page + part, 8) + "." for lang in spoken},
        )
        for page in range(pages)
        for spoken in (LANGUAGES if page % 5 else LANGUAGES[:2],)
        for part in range(parts)
    ]


def write_in_domain(folder: Path) -> None:
    """Two sources of pages, one no encoder was trained on, one that is never held out."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in ("guide", "faq", "untrained", "whole"):
        write_parallel(some_items(source), folder / f"{source}.jsonl")
    unit = ParallelItem(
        id="guide_par:page0.md#0.0",
        source="guide_par",
        query=(plain := {"de": "Haus", "en": "house"}),
        passage=plain,
        is_translation=True,
    )
    write_parallel([unit], folder / "guide_par.jsonl")


def write_out_of_domain(folder: Path, *, paragraphs: int = 9, sentences: int = 4) -> None:
    """A folder of LAReQA's layout: a question on each sentence but the last of a paragraph."""
    folder.mkdir(parents=True, exist_ok=True)
    for lang in LANGUAGES:
        document = {
            "data": [{"paragraphs": [_paragraph(lang, n, sentences) for n in range(paragraphs)]}]
        }
        (folder / f"{lang}.json").write_text(json.dumps(document), "utf-8")


def _paragraph(lang: str, number: int, count: int) -> dict[str, object]:
    seeds = [1000 + 10 * number + place for place in range(count)]
    sentences = [text(lang, seed, 7) + "." for seed in seeds]
    starts = np.cumsum([0, *(len(s) + 1 for s in sentences)]).tolist()
    return {
        "context": " ".join(sentences),
        "sentences": sentences,
        "sentence_breaks": [
            [start, start + len(s)] for start, s in zip(starts, sentences, strict=False)
        ],
        "qas": [
            {
                "id": f"q{seed}",
                "question": text(lang, seed, 3) + "?",
                "answers": [{"answer_start": starts[place]}],
            }
            for place, seed in enumerate(seeds[:-1])
        ],
    }


def save_trained(
    folder: Path,
    *,
    seed: int,
    sources: Sequence[str] = ("faq", "guide", "guide_par", "whole"),
    data: Mapping[str, Any] = DATA,
) -> Path:
    """A tiny encoder with the description that training leaves in its folder."""
    save_tiny_encoder(folder, seed=seed)
    config = parse_config({"start": {"kind": "encoder"}, "steps": 1, "seed": seed, "data": data})
    describe(
        folder, {"sources": dict.fromkeys(sources, 7), "config": config.model_dump(mode="json")}
    )
    return folder


def describe(folder: Path, description: Mapping[str, object]) -> None:
    """Write an encoder's synglot.json."""
    (folder / "synglot.json").write_text(json.dumps(description), "utf-8")


def write_config(path: Path, folder: Path, **fields: object) -> Path:
    """A configuration over the data in `folder`; fields win over its defaults."""
    config = {
        "in_domain": [str(folder / "parallel")],
        "out_of_domain": str(folder / "lareqa"),
        "measures": "MRR@10 mAP",
        **fields,
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return path
