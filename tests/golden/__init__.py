"""Outputs that change only on purpose: run pytest with UPDATE_GOLDEN=1 to write them anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def check_golden(name: str, text: str) -> None:
    """Compare `text` with the golden file, or write it where UPDATE_GOLDEN is set."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"{path} differs: UPDATE_GOLDEN=1 writes it anew"
