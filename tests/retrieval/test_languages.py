"""Which codes are languages."""

from __future__ import annotations

import pytest

from retrieval.errors import UnknownLanguage
from retrieval.languages import parse_language


@pytest.mark.parametrize("code", ["de", "th", "yue", "und", "zh-Hant", "pt-BR", "es-419"])
def test_codes_are_kept_as_they_are(code: str) -> None:
    assert parse_language(code) == code


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_code_means_undeclared(nothing: object) -> None:
    assert parse_language(nothing) == "und"


@pytest.mark.parametrize("code", ["DE", "xx", "german", "d", "de_DE", "zh-", "zh-Hanty1", 7, "../"])
def test_what_is_no_code_is_refused(code: object) -> None:
    with pytest.raises(UnknownLanguage, match="unknown language code"):
        parse_language(code)
