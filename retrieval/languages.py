"""Language codes: ISO 639-1 or 639-3, lower case, with an optional script or region subtag."""

from __future__ import annotations

import re

from retrieval.errors import UnknownLanguage
from retrieval.types import UNDECLARED

ISO_639_1 = frozenset(
    re.findall(
        r"\w+",
        """
        aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr
        cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn
        gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki
        kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml
        mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt
        qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta
        te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za
        zh zu
        """,
    )
)
_THREE_LETTERS = re.compile(r"[a-z]{3}")
_SUBTAG = re.compile(r"[A-Za-z]{4}|[A-Za-z]{2}|[0-9]{3}")


def is_language(code: str) -> bool:
    """Whether `code` is a two-letter ISO 639-1 code, or has the form of an ISO 639-3 one.

    A subtag of script or region may follow (`zh-Hant`, `pt-BR`). Three-letter codes are accepted by
    form alone: there are 7,900 of them.
    """
    base, hyphen, subtag = code.partition("-")
    if hyphen and not _SUBTAG.fullmatch(subtag):
        return False
    return base in ISO_639_1 or _THREE_LETTERS.fullmatch(base) is not None


def parse_language(code: object) -> str:
    """`code` as it is if it is a language code; empty or None means undeclared (`und`).

    Raises UnknownLanguage.
    """
    if code is None or code == "":
        return UNDECLARED
    if not isinstance(code, str) or not is_language(code):
        raise UnknownLanguage(
            f"unknown language code {code!r}",
            fix="Use an ISO 639-1 code such as 'de' or 'th', or leave the language out.",
        )
    return code


def base_language(code: str) -> str:
    """The code without its subtag: `zh` of `zh-Hant`."""
    return code.partition("-")[0]
