"""Where a training run begins: from scratch, from an encoder, or from a bare transformer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding
from tokenizers import Tokenizer

from retrieval.encoder import COMPACT, PASSAGE_PROMPT, QUERY_PROMPT, Encoder
from retrieval.errors import BadConfig, BadEncoder, BadInput, MalformedFile
from training.collator import Features, live_features, tokenize_table
from training.compact import build_encoder, subword_weights, train_tokenizer
from training.config import CompactStart, EncoderStart, TransformerStart
from training.data import ParallelTable

Progress = Callable[[range], range]


def start_encoder(
    start: CompactStart | EncoderStart | TransformerStart,
    table: ParallelTable,
    *,
    seed: int,
    progress: Progress,
) -> tuple[SentenceTransformer, Features]:
    """The encoder to train, and how it reads the table's texts. Raises BadEncoder."""
    if isinstance(start, CompactStart):
        return _start_compact(start, table, seed=seed, progress=progress)
    if isinstance(start, TransformerStart):
        model = _start_transformer(start, seed=seed)
    else:
        model = _start_encoder(start)
    return model, _features(model, table, progress)


def is_static(model: SentenceTransformer) -> bool:
    """Whether the encoder is a bag of subwords."""
    return isinstance(model[0], StaticEmbedding)


def prompt_of(model: SentenceTransformer, name: str) -> str:
    """The encoder's own prompt of that name, or none."""
    return model.prompts.get(name) or ""


def _start_compact(
    start: CompactStart, table: ParallelTable, *, seed: int, progress: Progress
) -> tuple[SentenceTransformer, Features]:
    if start.tokenizer is None:
        tokenizer = train_tokenizer(table, start, seed=seed)
    else:
        tokenizer = _read_tokenizer(start.tokenizer)
    tokens = tokenize_table(
        table,
        lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)],
        progress=progress,
    )
    weights_V = subword_weights(tokens, table, tokenizer.get_vocab_size())
    return build_encoder(tokenizer, weights_V, start, seed=seed), tokens.features


def _read_tokenizer(path: str) -> Tokenizer:
    if not Path(path).is_file():
        raise BadInput("no such tokenizer file", path=path)
    try:
        return Tokenizer.from_file(path)
    except Exception as error:  # the library raises nothing narrower
        raise MalformedFile(f"not a tokenizer.json ({error})", path=path) from error


def _start_encoder(start: EncoderStart) -> SentenceTransformer:
    model = Encoder.load(start.path or COMPACT, device=_device()).model
    prompts = {QUERY_PROMPT: start.query_prompt, PASSAGE_PROMPT: start.passage_prompt}
    model.prompts |= {name: prompt for name, prompt in prompts.items() if prompt is not None}
    if start.max_tokens is not None:
        _check_length(model[0], start.max_tokens)
        model.max_seq_length = start.max_tokens
    return model


def _check_length(transformer: torch.nn.Module, asked: int) -> None:
    """Refuse more tokens than there are positions for. Raises BadConfig."""
    config: Any = getattr(transformer, "config", None)
    positions = getattr(config, "max_position_embeddings", asked)
    if "roberta" in getattr(config, "model_type", ""):
        positions -= config.pad_token_id + 1  # RoBERTa counts from behind the padding's number
    if asked > positions:
        raise BadConfig(f"start.max_tokens is {asked}, the checkpoint reads at most {positions}")


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _start_transformer(start: TransformerStart, *, seed: int) -> SentenceTransformer:
    torch.manual_seed(seed)
    try:
        transformer = Transformer(start.checkpoint, max_seq_length=start.max_tokens)
    except (OSError, ValueError) as error:
        raise BadEncoder(
            f"cannot load the checkpoint {start.checkpoint!r} ({error})",
            fix="Give a Hugging Face model folder or hub name.",
        ) from error
    _check_length(transformer, start.max_tokens)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=start.pooling)
    return SentenceTransformer(
        modules=[transformer, pooling, Normalize()],
        prompts={QUERY_PROMPT: start.query_prompt, PASSAGE_PROMPT: start.passage_prompt},
        device=_device(),
    )


def _features(model: SentenceTransformer, table: ParallelTable, progress: Progress) -> Features:
    if not is_static(model) or any(prompt_of(model, n) for n in (QUERY_PROMPT, PASSAGE_PROMPT)):
        return live_features(model, table)
    return tokenize_table(table, Encoder(model, path="").tokenize, progress=progress).features
