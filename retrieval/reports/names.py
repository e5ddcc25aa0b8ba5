"""What the page calls things, and what it says of them to a newcomer."""

from __future__ import annotations

from collections.abc import Mapping

VIEWS = {
    "pool": "All passages",
    "monolingual": "Passages in the query's language",
    "cross_lingual": "Passages in each other language",
}
PROTOCOLS = {
    "monolingual": (
        "Mo.",
        "monolingual",
        "passages in the query's own language; mean of languages",
    ),
    "cross_lingual": (
        "Cr.",
        "cross-lingual",
        "passages in one other language at a time; mean of ordered pairs of languages",
    ),
    "multilingual": ("Mul.", "multilingual", "all passages together; mean of query languages"),
}
_MEASURES = {
    "rank_distance": "Rank distance",
    "language_preference_rate": "Language preference rate",
    "max@r": "Max@R",
}
_PREFIXES = {
    "complete@": "Complete@",
    "peer@": "PEER@",
    "share@": "Language share@",
    "same_language_share@": "Same-language share@",
    "recall@": "Recall of the exact first ",
}
_EXPLAINED = {
    "mAP": "precision at each relevant passage, averaged over all of them: rewards finding every"
    " one early",
    "AP": "as mAP, over the first passages alone",
    "MRR": "1 divided by the rank of the first relevant passage: rewards one good answer on top",
    "nDCG": "gain of the relevant passages, less the lower they stand, against the best order",
    "Recall": "share of the relevant passages that are found",
    "Success": "share of queries with at least one relevant passage found",
    "P": "share of the passages found that are relevant",
}
_BIAS = {
    "rank_distance": "Places between a query's highest and lowest relevant passage. Near the number"
    " of relevant passages, languages are mixed fairly; a large one means that some languages are"
    " found late.",
    "same_language_share": "How much of the top is in the query's own language, beside the share of"
    " its relevant passages that are. Above the expected share, the encoder prefers the query's"
    " language.",
    "language_preference_rate": "How often the first of several parallel answers is the one in the"
    " query's language, beside the rate of a ranking that knows no language.",
    "max@r": "Rank by which every parallel answer has been found; less is better.",
    "complete": "Share of queries with every parallel answer among the first passages; more is"
    " better.",
    "peer": "Probability of equal expected rank: 1 where passages of all languages rank alike, near"
    " 0 where they do not. It needs two relevant passages in two languages.",
}


def measure_name(key: str) -> str:
    """`rank_distance` as a reader's words; a measure such as `MRR@10` is its own name."""
    if key in _MEASURES:
        return _MEASURES[key]
    for prefix, name in _PREFIXES.items():
        if key.startswith(prefix):
            return name + key.removeprefix(prefix)
    return key


def measure_words(key: str) -> str:
    """One line on what a measure says; nothing for an unknown one."""
    kind, _, cutoff = key.partition("@")
    words = _EXPLAINED.get(kind, "")
    if not words or not cutoff:
        return words
    return f"{words}; " + ("first passage" if cutoff == "1" else f"first {cutoff} passages")


def bias_words(key: str) -> str:
    """What a measure of language bias says; nothing for an unknown one."""
    return _BIAS.get(key, _BIAS.get(key.partition("@")[0], ""))


def encoder_name(encoder: object) -> str:
    """What a person calls an encoder: the last part of its path, or else its fingerprint."""
    if isinstance(encoder, Mapping):
        path = str(encoder.get("path") or encoder.get("name") or "")
        last = path.rstrip("/").rpartition("/")[2]
        return last or str(encoder.get("fingerprint") or "an unnamed encoder")
    return str(encoder) if encoder else "an unnamed encoder"
