"""Fixtures of every package's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tiny import save_tiny_encoder


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The public data that tests measure on; see docs/data.md for where to get it.

    Continuous integration must have it; elsewhere the tests that need it are skipped.
    """
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("SYNGLOT_TEST_DATA", default))
    if not folder.is_dir():
        reason = f"no test data at {folder} (set SYNGLOT_TEST_DATA, see docs/data.md)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder.resolve()


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real encoder of 100 kB: random vectors for byte pairs, with prompts, reads any text."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny", seed=0)
