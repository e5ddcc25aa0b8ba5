"""Standards of passage languages, against plain statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.calibration import (
    Calibration,
    QuerySample,
    Scores,
    Standard,
    fit,
    read_calibrations,
    write_calibrations,
)
from retrieval.errors import BadInput

ROWS = {"de": np.arange(0, 40, 2), "th": np.arange(1, 40, 2)}


def scores_of(matrix: NDArray[np.float64]) -> Scores:
    return lambda queries, _lang, rows: matrix[np.ix_(queries, rows)]


def test_a_standard_is_the_mean_tail_and_spread_of_all_scores_but_a_passages_own() -> None:
    matrix = np.random.default_rng(0).standard_normal((40, 40))
    np.fill_diagonal(matrix, 1e6)
    queries = np.array([0, 1, 2, 3])
    found = fit(ROWS, queries, scores_of(matrix))
    for lang, rows in ROWS.items():
        others = [[matrix[q, r] for r in rows if r != q] for q in queries]
        tails = [np.quantile(row, 0.99) for row in others]
        spread = np.sqrt(np.mean([np.var(row) for row in others]))
        assert found.of(lang).location == pytest.approx(np.mean(tails))
        assert found.of(lang).scale == pytest.approx(spread)


def test_a_language_without_spread_takes_the_usual_scale() -> None:
    matrix = np.zeros((40, 40))
    matrix[:, ::2] = np.arange(20)
    found = fit(ROWS, np.arange(4), scores_of(matrix))
    assert found.of("th").scale == found.of("de").scale > 1
    alone = fit({"de": np.array([0])}, np.array([0]), scores_of(np.ones((1, 1))))
    assert alone.of("de") == Standard(location=0.0, scale=1.0)


def test_scores_are_standardised_by_their_passages_language() -> None:
    calibration = Calibration({"de": Standard(location=0.5, scale=0.25)})
    found = calibration.standardised(
        np.array([0.75, 0.75], dtype=np.float32), np.array([0, 1]), ("de", "never seen")
    )
    assert found.tolist() == [1.0, 0.75]


def test_the_sample_keeps_32_of_a_language_each_as_likely_as_any_other() -> None:
    kept = np.zeros(100)
    for seed in range(400):
        sample = QuerySample(seed=seed)
        for row in range(100):
            sample.add(row, "de", [row])
        sample.add(100, "th", [1])
        rows = sample.rows()
        assert len(rows) == 33
        assert rows[-1] == 100
        assert {row: [row] for row in rows[:-1].tolist()}.items() <= sample.tokens.items()
        kept[rows[:-1]] += 1
    # 400 draws of .32: mean 128, standard deviation 9.3.
    assert 80 < kept.min() < kept.max() < 176


def test_many_languages_share_512_queries() -> None:
    sample = QuerySample()
    for row in range(3000):
        sample.add(row, f"x{row % 100:02d}")
    assert len(sample.rows()) == 500


def test_calibrations_survive_a_round_trip(tmp_path: Path) -> None:
    calibrations = {"dense": Calibration({"de": Standard(location=0.1, scale=1 / 3)})}
    write_calibrations(calibrations, tmp_path / "c.json")
    assert read_calibrations(tmp_path / "c.json") == calibrations


@pytest.mark.parametrize("text", ["", "[]", '{"dense": {"de": {"mean": 1}}}', '{"dense": 3}'])
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(BadInput, match="no readable calibration"):
        read_calibrations(tmp_path / "c.json")
