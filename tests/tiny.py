"""The smallest real encoder: what tests load wherever an encoder is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

DIM = 32

_TEXTS = (
    "Where can I renew my library card? The tram runs every ten minutes until midnight.",
    "Wo kann ich meinen Ausweis verlängern? Die Straßenbahn fährt alle zehn Minuten.",
    "ฉันจะต่ออายุบัตรห้องสมุดได้ที่ไหน รถรางวิ่งทุกสิบนาที",
    "在哪里可以续办图书证？电车每十分钟一班。",
    "أين يمكنني تجديد بطاقة المكتبة؟ يسير الترام كل عشر دقائق.",
)


def save_tiny_encoder(folder: Path, *, seed: int) -> Path:
    """Save an encoder of `DIM` dimensions into `folder`; each seed has its own vectors."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    weights = np.random.default_rng(seed).standard_normal((tokenizer.get_vocab_size(), DIM))
    static = StaticEmbedding(tokenizer, embedding_weights=weights.astype(np.float32))
    prompts = {"query": "Query: ", "document": "Passage: "}
    SentenceTransformer(modules=[static], prompts=prompts, device="cpu").save_pretrained(
        str(folder), create_model_card=False
    )
    return folder
