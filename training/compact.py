"""The compact encoder's start: a subword tokenizer and one vector a subword, weighted by idf.

A text's vector is the mean of its subwords' vectors (StaticEmbedding), scaled to unit length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from training.collator import TokenTable
from training.config import CompactStart
from training.data import ParallelTable

# Arabic vowel marks and the stretching letter: written in some texts, left out in most.
_ARABIC_MARKS = Regex("[\u0640\u064b-\u0652\u0670]")
_UNKNOWN = "<unk>"
_TEXTS_AT_ONCE = 16_384


def train_tokenizer(table: ParallelTable, start: CompactStart, *, seed: int) -> Tokenizer:
    """A unigram tokenizer over an equal amount of text from every language (as far as it has it).

    Compatibility forms are folded (NFKC) and case is dropped: a bag of subwords has no use for
    them, and each variant would need a vector of its own.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(_ARABIC_MARKS, "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Metaspace(prepend_scheme="always"),
        ]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=start.vocabulary,
        special_tokens=[_UNKNOWN],
        unk_token=_UNKNOWN,
        show_progress=False,
    )
    rng = np.random.default_rng(seed)
    texts = list(_balanced_texts(table, start.characters_per_language, rng))
    tokenizer.train_from_iterator(_in_alphabet(texts, start.vocabulary // 4), trainer)
    return tokenizer


def build_encoder(
    tokenizer: Tokenizer, weights_V: NDArray[np.float32], start: CompactStart, *, seed: int
) -> SentenceTransformer:
    """Random directions as long as their subwords' weights. No prompts: they only blur a mean."""
    rng = np.random.default_rng(seed)
    vectors_VD = rng.standard_normal((tokenizer.get_vocab_size(), start.dim), dtype=np.float32)
    vectors_VD *= weights_V[:, None] / np.sqrt(np.float32(start.dim))
    embedding = StaticEmbedding(tokenizer, embedding_weights=torch.from_numpy(vectors_VD))
    return SentenceTransformer(modules=[embedding, Normalize()], device="cpu")


def subword_weights(
    tokens: TokenTable, table: ParallelTable, vocabulary: int
) -> NDArray[np.float32]:
    """Inverse document frequency of each subword within the languages that use it, [V].

    log(texts of a language / texts with the subword), averaged over languages by how many texts
    each contributes: a Thai function word is frequent in Thai, however little Thai there is.
    A subword never seen gets the largest weight.
    """
    seen_V, sum_V = np.zeros(vocabulary), np.zeros(vocabulary)
    for rows in rows_by_language(table).values():
        df_V = _document_frequency(tokens, rows, vocabulary)
        sum_V += df_V * np.log(len(rows) / np.maximum(df_V, 1))
        seen_V += df_V
    weights_V = np.divide(sum_V, seen_V, out=np.full(vocabulary, np.nan), where=seen_V > 0)
    filled_V: NDArray[np.float64] = np.nan_to_num(weights_V, nan=float(np.nanmax(weights_V)))
    return filled_V.astype(np.float32)


def _document_frequency(
    tokens: TokenTable, rows: NDArray[np.int64], vocabulary: int
) -> NDArray[np.int64]:
    """How many of the texts hold each subword, [V]."""
    df_V = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(rows), _TEXTS_AT_ONCE):
        ids, begins = tokens.gather(rows[start : start + _TEXTS_AT_ONCE])
        lengths = np.diff(np.append(begins, len(ids)))
        text_of = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
        pairs = np.sort(text_of * vocabulary + ids)
        distinct = pairs[np.diff(pairs, prepend=-1) > 0]
        df_V += np.bincount(distinct % vocabulary, minlength=vocabulary)
    return df_V


def rows_by_language(table: ParallelTable) -> Mapping[str, NDArray[np.int64]]:
    """Rows of the texts in each language."""
    return {
        lang: np.unique(
            np.concatenate([side[:, column][side[:, column] >= 0] for side in _sides(table)])
        ).astype(np.int64)
        for column, lang in enumerate(table.languages)
    }


def _in_alphabet(texts: list[str], size: int) -> Iterator[str]:
    """The texts with all but their `size` most frequent characters blanked out.

    The trainer keeps every character it sees, and the rare ones of Chinese, Japanese and Korean
    would fill the vocabulary.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    rare = dict.fromkeys(map(ord, set(counts) - {c for c, _ in counts.most_common(size)}), " ")
    return (text.translate(rare) for text in texts)


def _sides(table: ParallelTable) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return table.queries_NL, table.passages_NL


def _balanced_texts(
    table: ParallelTable, characters: int, rng: np.random.Generator
) -> Iterator[str]:
    """Texts of each language in random order until `characters` are reached."""
    for rows in rows_by_language(table).values():
        left = characters
        for text in table.text(rng.permutation(rows)):
            if left <= 0:
                break
            left -= len(text)
            yield text
