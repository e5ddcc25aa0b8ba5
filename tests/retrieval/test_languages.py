"""Which codes are languages."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase

import pytest

from retrieval.errors import UnknownLanguage
from retrieval.languages import ISO_639_1, parse_language, same_written


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


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("deu", "de"),
        ("ger", "de"),
        ("zh-Hant", "zh"),
        ("cmn-Hans", "zh"),
        ("nob", "no"),
        ("nn", "no"),
        ("arz", "ar"),
        ("prs", "fa"),
        ("haw", "haw"),
        ("und", "und"),
    ],
)
def test_codes_of_one_written_language_become_one(code: str, same: str) -> None:
    assert same_written(code) == same


def test_two_letter_codes_stay_but_for_the_two_of_norwegian() -> None:
    changed = {code: same_written(code) for code in ISO_639_1 if same_written(code) != code}
    assert changed == {"nb": "no", "nn": "no"}


def test_three_letters_become_two_for_every_two_letter_code() -> None:
    three = ["".join(letters) for letters in product(ascii_lowercase, repeat=3)]
    reached = {same_written(code) for code in three} & ISO_639_1
    assert reached == ISO_639_1 - {"nb", "nn", "sh"}
    assert all(same_written(same_written(code)) == same_written(code) for code in three)
