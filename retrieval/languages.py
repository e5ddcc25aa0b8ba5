"""Language codes: ISO 639-1 or 639-3, lower case, with an optional script or region subtag."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
_TWO_LETTERS: Mapping[str, str] = dict(
    re.findall(
        r"(\w+):(\w+)",
        """
        aar:aa abk:ab ave:ae afr:af aka:ak amh:am arg:an ara:ar asm:as ava:av aym:ay aze:az
        bak:ba bel:be bul:bg bis:bi bam:bm ben:bn bod:bo tib:bo bre:br bos:bs cat:ca che:ce
        cha:ch cos:co cre:cr ces:cs cze:cs chu:cu chv:cv cym:cy wel:cy dan:da deu:de ger:de
        div:dv dzo:dz ewe:ee ell:el gre:el eng:en epo:eo spa:es est:et baq:eu eus:eu fas:fa
        per:fa ful:ff fin:fi fij:fj fao:fo fra:fr fre:fr fry:fy gle:ga gla:gd glg:gl grn:gn
        guj:gu glv:gv hau:ha heb:he hin:hi hmo:ho hrv:hr hat:ht hun:hu arm:hy hye:hy her:hz
        ina:ia ind:id ile:ie ibo:ig iii:ii ipk:ik ido:io ice:is isl:is ita:it iku:iu jpn:ja
        jav:jv geo:ka kat:ka kon:kg kik:ki kua:kj kaz:kk kal:kl khm:km kan:kn kor:ko kau:kr
        kas:ks kur:ku kom:kv cor:kw kir:ky lat:la ltz:lb lug:lg lim:li lin:ln lao:lo lit:lt
        lub:lu lav:lv mlg:mg mah:mh mao:mi mri:mi mac:mk mkd:mk mal:ml mon:mn mar:mr may:ms
        msa:ms mlt:mt bur:my mya:my nau:na nob:nb nde:nd nep:ne ndo:ng dut:nl nld:nl nno:nn
        nor:no nbl:nr nav:nv nya:ny oci:oc oji:oj orm:om ori:or oss:os pan:pa pli:pi pol:pl
        pus:ps por:pt que:qu roh:rm run:rn ron:ro rum:ro rus:ru kin:rw san:sa srd:sc snd:sd
        sme:se sag:sg sin:si slk:sk slo:sk slv:sl smo:sm sna:sn som:so alb:sq sqi:sq srp:sr
        ssw:ss sot:st sun:su swe:sv swa:sw tam:ta tel:te tgk:tg tha:th tir:ti tuk:tk tgl:tl
        tsn:tn ton:to tur:tr tso:ts tat:tt twi:tw tah:ty uig:ug ukr:uk urd:ur uzb:uz ven:ve
        vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi yor:yo zha:za chi:zh zho:zh zul:zu
        """,
    )
)
"""ISO 639-3 and 639-2/B code -> ISO 639-1 code."""

_MEMBERS: Mapping[str, str] = dict(
    re.findall(
        r"(\w+):(\w+)",
        """
        arb:ar ary:ar arz:ar apc:ar acm:ar aeb:ar azb:az azj:az ckb:ku cmn:zh ekk:et fil:tl fuv:ff
        gaz:om gug:gn khk:mn kmr:ku lvs:lv nb:no nn:no npi:ne ory:or pbt:ps pes:fa plt:mg prs:fa
        quy:qu quz:qu sdh:ku swh:sw uzn:uz uzs:uz wuu:zh ydd:yi yue:zh zsm:ms
        """,
    )
)
"""Members of macrolanguages whose texts the macrolanguage's code commonly names."""

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


def same_written(code: str) -> str:
    """The one code for all that name the same written language; a code of its own stays as it is.

    Script and region are left out (`zh-Hant` and `zh-TW` are `zh`), three letters become two where
    there are two (`deu` and `ger` are `de`), and a member of a macrolanguage becomes it (`nb` and
    `nn` are `no`, `cmn` is `zh`, `arz` is `ar`).
    """
    base = code.partition("-")[0]
    two_letters = _TWO_LETTERS.get(base, base)
    return _MEMBERS.get(two_letters, two_letters)
