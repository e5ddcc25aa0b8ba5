"""Unicode: texts are encoded as given and normalised only where they are compared."""

from __future__ import annotations

import unicodedata


def comparable(text: str) -> str:
    """NFC, case-folded, white space collapsed: equal for texts a reader would call the same."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
