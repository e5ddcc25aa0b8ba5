"""Evaluation texts among training texts, counted by hand and on the real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.errors import BadInput
from retrieval.formats.parallel import read_parallel
from retrieval.types import ParallelItem
from training.data import ParallelTable, build_table
from training.leaks import check_evaluations, evaluation_texts, find_leak

LONG = "A sentence that is long enough to matter."


def table_of(*texts: str) -> ParallelTable:
    return build_table(
        ParallelItem(
            id=str(n), source="qa", query={"en": f"What is number {n}?"}, passage={"de": text}
        )
        for n, text in enumerate(texts)
    )


def lareqa(folder: Path, sentences: list[str]) -> Path:
    """A folder of one language, one question, and these candidates."""
    text = " ".join(sentences)
    breaks, start = [], 0
    for sentence in sentences:
        breaks.append([start, start + len(sentence)])
        start += len(sentence) + 1
    question = {"id": "q", "question": "What was it?", "answers": [{"answer_start": 0}]}
    paragraph = {
        "context": text,
        "sentences": sentences,
        "sentence_breaks": breaks,
        "qas": [question],
    }
    folder.mkdir()
    (folder / "en.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    return folder


def test_texts_are_compared_without_case_white_space_form_and_declared_language() -> None:
    table = table_of("A  SENTENCE that is long\nenough to matter.", "Café au lait, with sugar")
    texts = [LONG, LONG.upper(), "Cafe\u0301 au lait, with sugar", "Another long text, not there"]
    leak = find_leak("x", texts, table)
    assert (leak.found, leak.texts) == (2, 3)
    assert leak.to_json() == {"evaluation": "x", "found": 2, "texts": 3}


def test_texts_under_twenty_characters_are_shared_by_chance() -> None:
    assert find_leak("x", ["In the year 1990.", "x" * 20], table_of("In the year 1990.")).texts == 1


def test_more_than_one_percent_is_refused_with_the_count_and_examples(tmp_path: Path) -> None:
    table = table_of("leaked text of the evaluation 1", "leaked text of the evaluation 2")
    own = [f"the evaluation's own text, number {n}" for n in range(100, 298)]
    fine = lareqa(tmp_path / "fine", [*own, "leaked text of the evaluation 1"])
    (leak,) = check_evaluations([str(fine)], table)
    assert (leak.found, leak.texts) == (1, 199)
    both = [f"leaked text of the evaluation {n}" for n in (1, 2)]
    bad = lareqa(tmp_path / "bad", [*own[:190], *both])
    with pytest.raises(BadInput, match=r"bad: 2 of 192 evaluation texts .*evaluation 1'; 'leaked"):
        check_evaluations([str(bad)], table)


def test_xquad_r_is_refused_as_training_data_and_hardly_in_the_public_data(
    test_data: Path,
) -> None:
    folder = test_data / "lareqa" / "xquad-r"
    names = ("ntrex128_doc", "astro_docs")
    files = [test_data / "parallel" / f"{name}.jsonl.gz" for name in names]
    (leak,) = check_evaluations([str(folder)], build_table(read_parallel(files)))
    assert leak.texts > 20_000
    assert leak.found <= 0.01 * leak.texts
    stolen = evaluation_texts(folder)[:600]
    with pytest.raises(BadInput, match="evaluation texts are among the training texts"):
        check_evaluations([str(folder)], table_of(*stolen))
