"""BM25 against its formula in plain Python and against bm25s' own builder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.encoder import Encoder
from retrieval.errors import BadInput
from retrieval.lexical import LexicalIndex, LexicalWriter
from tests.retrieval.lexical.test_features import obvious

TEXTS = {
    "th": ["รถรางวิ่งทุกสิบนาที", "บัตรห้องสมุด", "รถราง รถราง", ""],
    "zh": ["电车每十分钟一班。", "在哪里可以续办图书证？"],
    "ar": ["يسير الترام كل عشر دقائق.", "بطاقة المكتبة"],
    "de": ["Die Straßenbahn fährt alle zehn Minuten.", "Ausweis verlängern", "Straßenbahn"],
}
QUERIES = [
    "รถราง",
    "图书证在哪里",
    "الترام",
    "Wann fährt die Straßenbahn?",
    "รถราง Straßenbahn 电车",
]


def rows_of(languages: list[str]) -> dict[str, NDArray[np.int64]]:
    return {lang: np.flatnonzero(np.array(languages) == lang) for lang in sorted(set(languages))}


def build(
    folder: Path, tokens: list[list[int]], languages: list[str], *, chunk: int = 3
) -> LexicalIndex:
    writer = LexicalWriter(folder)
    for start in range(0, len(tokens), chunk):
        writer.append(tokens[start : start + chunk], languages[start : start + chunk])
    files = writer.finish()
    assert sorted(files) == sorted(f"lexical/{path.name}" for path in folder.iterdir())
    return LexicalIndex.read(folder, rows_of(languages))


def brute_force(query: list[int], texts: list[list[int]]) -> list[float]:
    """BM25 of Lucene with exact lengths, k1 = .9, b = .4, over the texts of one language."""
    counts = [obvious(text) for text in texts]
    lengths = [counter.total() for counter in counts]
    mean = sum(lengths) / len(lengths) or 1.0
    scores = []
    for counter, length in zip(counts, lengths, strict=True):
        score = 0.0
        for feature, times in obvious(query).items():
            frequency = sum(feature in other for other in counts)
            idf = math.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
            count = counter[feature]
            score += times * idf * count / (count + 0.9 * (0.6 + 0.4 * length / mean))
        scores.append(score)
    return scores


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder.load(tiny_encoder)


def test_scores_in_many_scripts_are_those_of_the_formula_by_language(
    encoder: Encoder, tmp_path: Path
) -> None:
    passages = [(lang, text) for lang, texts in TEXTS.items() for text in texts]
    # Languages by turns: rows of one language do not lie together.
    passages = passages[::2] + passages[1::2]
    languages, tokens = [lang for lang, _ in passages], encoder.tokenize([t for _, t in passages])
    index = build(tmp_path / "lexical", tokens, languages)
    for query in encoder.tokenize(QUERIES):
        everything = index.all_scores(query)
        for lang, rows in rows_of(languages).items():
            found = index.scores(query, lang)
            assert found.dtype == np.float32
            np.testing.assert_allclose(
                found, brute_force(query, [tokens[row] for row in rows]), rtol=1e-5, atol=1e-6
            )
            np.testing.assert_array_equal(everything[rows], found)
    assert index.scores(encoder.tokenize(["รถราง"])[0], "th")[1] > 0


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(st.lists(st.integers(0, 9), max_size=9), min_size=1, max_size=12),
    query=st.lists(st.integers(0, 12), max_size=6),
)
def test_the_index_is_the_one_that_bm25s_builds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[int]], query: list[int]
) -> None:
    index = build(tmp_path_factory.mktemp("index") / "lexical", texts, ["de"] * len(texts))
    features = [list(obvious(text).elements()) for text in texts]
    known = sorted({feature for text in features for feature in text})
    wanted = [known.index(f) for f in sorted(obvious(query).elements()) if f in known]
    if not wanted:
        assert index.scores(query, "de").tolist() == [0.0] * len(texts)
        return
    reference: Any = bm25s.BM25(k1=0.9, b=0.4, method="lucene")
    numbered = [[known.index(feature) for feature in text] for text in features]
    reference.index((numbered, {str(f): i for i, f in enumerate(known)}), show_progress=False)
    np.testing.assert_allclose(
        index.scores(query, "de"), reference.get_scores_from_ids(wanted), rtol=1e-5
    )


def test_blocks_and_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 40, size).tolist() for size in rng.integers(0, 30, 120)]
    languages = [("de", "th", "zh")[i % 3] for i in range(120)]
    whole = build(tmp_path / "whole", tokens, languages, chunk=120)
    monkeypatch.setattr("retrieval.lexical.writer._BLOCK", 7)
    build(tmp_path / "parts", tokens, languages, chunk=11)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / path.name).read_bytes()
    assert whole.languages == ("de", "th", "zh")


def test_a_query_that_shares_nothing_scores_zero_everywhere(tmp_path: Path) -> None:
    index = build(tmp_path / "lexical", [[1, 2], [], [3]], ["de", "de", "th"])
    assert index.all_scores([77, 78]).tolist() == [0.0, 0.0, 0.0]
    assert index.all_scores([]).tolist() == [0.0, 0.0, 0.0]
    assert index.likeliest_language([77]) is None
    assert index.likeliest_language([]) is None


def test_a_language_without_a_single_subword_has_no_scores(tmp_path: Path) -> None:
    index = build(tmp_path / "lexical", [[], [], [5]], ["de", "de", "th"])
    assert index.all_scores([5]).tolist()[:2] == [0.0, 0.0]
    assert index.likeliest_language([5]) == "th"


def test_the_likeliest_language_is_that_of_the_words(encoder: Encoder, tmp_path: Path) -> None:
    languages = [lang for lang, texts in TEXTS.items() for _ in texts]
    tokens = encoder.tokenize([text for texts in TEXTS.values() for text in texts])
    index = build(tmp_path / "lexical", tokens, languages)
    expected = ["th", "zh", "ar", "de"]
    assert [index.likeliest_language(q) for q in encoder.tokenize(QUERIES[:4])] == expected


def test_scores_are_read_through_memory_maps(tmp_path: Path) -> None:
    folder = tmp_path / "lexical"
    index = build(folder, [[1, 2]] * 500, ["de"] * 500)
    maps = Path("/proc/self/maps").read_text()
    assert all(str(folder / name) in maps for name in ("data.npy", "indices.npy"))
    assert len(index.scores([1], "de")) == 500


@pytest.mark.parametrize("name", ["data.npy", "indices.npy", "starts.npy", "features.npy"])
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    build(tmp_path / "lexical", [[1, 2], [3]], ["de", "th"])
    array = np.load(tmp_path / "lexical" / name)
    np.save(tmp_path / "lexical" / name, array[:-1])
    with pytest.raises(BadInput, match=name):
        LexicalIndex.read(tmp_path / "lexical", rows_of(["de", "th"]))


def test_an_index_of_other_passages_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "lexical", [[1, 2], [3]], ["de", "th"])
    with pytest.raises(BadInput, match="expected passages"):
        LexicalIndex.read(tmp_path / "lexical", rows_of(["de", "de"]))
    (tmp_path / "lexical" / "index.json").write_text("[]")
    with pytest.raises(BadInput, match="no readable lexical index"):
        LexicalIndex.read(tmp_path / "lexical", rows_of(["de", "th"]))
