"""What a build writes, records and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import BadInput, MachineFailure
from retrieval.vectors import (
    Corpus,
    IndexKind,
    IndexOptions,
    IndexReport,
    VectorIndex,
    build_index,
    make_index,
)
from retrieval.vectors.faiss_engine import FaissEngine
from retrieval.vectors.tuning import measure, tune
from tests.retrieval.vectors.oracle import Rows, unit

LANGUAGES = ("de", "en", "th")


def corpus_of(rows: int, dim: int, *, seed: int = 0) -> Corpus:
    """Three languages, the last with one row in fifty."""
    rng = np.random.default_rng(seed)
    vectors_PD = unit(rng.standard_normal((rows, dim)))
    codes_P = np.where(np.arange(rows) % 50 == 0, 2, np.arange(rows) % 2).astype(np.int32)
    return Corpus(vectors_PD=vectors_PD, languages=LANGUAGES, codes_P=codes_P)


def made(corpus: Corpus, path: Path, kind: str, target: float = 0.9) -> IndexReport:
    return make_index(corpus, path, options=IndexOptions(kind=kind, target_recall=target))


def recall_of(index: VectorIndex, vectors_PD: Rows, rows: list[int]) -> float:
    """Recall@10 the slow way, by sorted scores, the query's own row left out."""
    found = []
    for row in rows:
        scores_P = vectors_PD.astype(np.float64) @ vectors_PD[row]
        scores_P[row] = -9
        best = set(np.argsort(-scores_P)[:10].tolist())
        [ranking] = index.search(
            vectors_PD[row : row + 1], 11, ids_of=lambda some: list(map(str, some))
        )
        found.append(len(best & set(ranking.rows.tolist())) / 10)
    return float(np.mean(found))


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "ivf-pq"])
def test_the_recorded_recall_is_that_of_searches(kind: str, tmp_path: Path) -> None:
    corpus = corpus_of(4_000, 24)
    report = made(corpus, tmp_path / "index", kind, 0.8)
    index = VectorIndex.read(
        tmp_path / "index", corpus.vectors_PD, threads=1, parameters=report.parameters
    )
    slow = recall_of(index, corpus.vectors_PD, list(range(0, 4_000, 8)))
    assert report.recall.overall == pytest.approx(slow, abs=0.04)
    assert report.speed is not None
    assert report.speed.ratio == report.speed.exact_ms / report.speed.ms


def test_a_higher_target_is_met_by_more_effort(tmp_path: Path) -> None:
    corpus = corpus_of(6_000, 24)
    low, high = (made(corpus, tmp_path / "index", "ivf", target) for target in (0.5, 0.97))
    assert int(low.parameters["effort"]) < int(high.parameters["effort"]) < 64
    assert 0.45 < low.recall.overall < 0.9
    assert high.recall.overall > 0.95


def test_measured_recall_equals_the_slow_one_whatever_the_effort(tmp_path: Path) -> None:
    corpus = corpus_of(3_000, 16)
    report = made(corpus, tmp_path / "index", "ivf")
    rows_Q = np.arange(0, 3_000, 30)
    for effort in (1, 4, 16):
        engine = FaissEngine.read(
            tmp_path / "index", (3_000, 16), parameters=report.parameters | {"effort": str(effort)}
        )
        index = VectorIndex(engine, corpus.vectors_PD, threads=1)
        recall, _ = measure(index, corpus, rows_Q, target=0.9, threads=1)
        by_language = {
            name: recall_of(
                index, corpus.vectors_PD, [r for r in rows_Q.tolist() if corpus.codes_P[r] == code]
            )
            for code, name in enumerate(LANGUAGES)
            if (corpus.codes_P[rows_Q] == code).any()
        }
        measured = {name: found.recall for name, found in recall.by_language.items()}
        assert measured == pytest.approx(by_language, abs=1e-4)
        counts = [int((corpus.codes_P == LANGUAGES.index(name)).sum()) for name in measured]
        mean = np.average(list(measured.values()), weights=counts)
        assert recall.overall == pytest.approx(float(mean), abs=1e-4)


def test_duplicates_of_a_query_are_as_good_as_each_other(tmp_path: Path) -> None:
    """Of a thousand equal rows an index that returns any ten has lost nothing."""
    vectors_PD = np.repeat(unit(np.eye(8)), 1_000, axis=0)
    codes_P = np.zeros(8_000, dtype=np.int32)
    corpus = Corpus(vectors_PD=vectors_PD, languages=("de",), codes_P=codes_P)
    assert made(corpus, tmp_path / "index", "sq8").recall.overall == 1.0


def test_tuning_uses_the_largest_effort_where_nothing_meets_the_target(tmp_path: Path) -> None:
    corpus = corpus_of(3_000, 16)
    report = made(corpus, tmp_path / "index", "IVF8,PQ1x4", 1.0)
    assert report.parameters["effort"] == "8"
    assert report.parameters["oversample"] == "16"
    assert report.recall.overall < report.recall.target


def test_tuning_sets_the_least_oversampling_that_meets_the_target(tmp_path: Path) -> None:
    corpus = corpus_of(3_000, 16)
    made(corpus, tmp_path / "index", "SQ4")
    factors = []
    for target in (0.5, 0.999):
        engine = FaissEngine.read(tmp_path / "index", (3_000, 16), parameters={})
        tune(engine, corpus, np.arange(0, 3_000, 10), target=target, threads=1)
        factors.append(engine.oversample)
    assert factors[0] == 1 < factors[1] < 16


def test_an_exact_index_has_a_recall_of_one_without_a_measurement(tmp_path: Path) -> None:
    report = made(corpus_of(200, 8), tmp_path / "index", "auto")
    assert (report.kind, report.recall.overall, report.recall.queries) == (IndexKind.FLAT, 1.0, 0)
    assert report.speed is None


@pytest.mark.parametrize("kind", ["ivf", "sq8", "ivf-sq8", "ivf-pq"])
def test_the_same_seed_makes_the_same_file(kind: str, tmp_path: Path) -> None:
    corpus = corpus_of(3_000, 16)
    files = []
    for number in range(2):
        made(corpus, tmp_path / str(number), kind)
        files.append((tmp_path / str(number)).read_bytes())
    assert files[0] == files[1]


def test_a_factory_string_with_too_few_passages_to_train_becomes_exact_and_says_so(
    tmp_path: Path,
) -> None:
    report = made(corpus_of(3_000, 16), tmp_path / "index", "IVF512,Flat")
    assert report.kind is IndexKind.FLAT
    assert report.reason == "3,000 passages are too few for IVF512,Flat, which trains on 19,968"


@pytest.mark.slow
def test_an_index_of_rotated_vectors_is_made_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = made(corpus_of(12_000, 16), tmp_path / "index", "OPQ8_16,IVF16,PQ8x4fs")
    assert report.kind is IndexKind.FACTORY
    assert report.parameters["factory"] == "OPQ8_16,IVF16,PQ8x4fs"
    assert capfd.readouterr() == ("", "")


def test_a_recorded_parameter_that_is_no_number_is_refused(tmp_path: Path) -> None:
    corpus = corpus_of(300, 8)
    made(corpus, tmp_path / "index", "hnsw")
    with pytest.raises(BadInput, match="no number"):
        VectorIndex.read(
            tmp_path / "index", corpus.vectors_PD, threads=1, parameters={"effort": "many"}
        )


def test_an_index_that_cannot_be_written_is_the_machines_failure(tmp_path: Path) -> None:
    with pytest.raises(MachineFailure, match="cannot write the index"):
        build_index(
            np.eye(4, dtype=np.float32), tmp_path / "missing" / "index", kind=IndexKind.FLAT
        )


@pytest.mark.parametrize("missing", [1, 100, 5000])
def test_an_index_cut_short_by_a_full_disk_is_the_machines_failure(
    tmp_path: Path, missing: int
) -> None:
    """Of the last bytes, written as the file is closed, faiss itself reports no failure."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from retrieval.errors import MachineFailure
from retrieval.vectors import IndexKind, build_index
rows = np.eye(32, dtype=np.float32).repeat(32, axis=0)
folder, missing = Path(sys.argv[1]), int(sys.argv[2])
build_index(rows, folder / "whole", kind=IndexKind.FLAT)
size = (folder / "whole").stat().st_size - missing
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    build_index(rows, folder / "cut", kind=IndexKind.FLAT)
except MachineFailure:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path, str(missing)], check=False)
    assert done.returncode == 7
