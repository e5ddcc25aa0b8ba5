"""Small real things to train on and from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from retrieval.demo_data import demo_items
from retrieval.formats.parallel import write_parallel


@pytest.fixture(scope="session")
def parallel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training half of the bundled knowledge base."""
    path = tmp_path_factory.mktemp("parallel") / "train.jsonl"
    write_parallel(demo_items(), path)
    return path


@pytest.fixture(scope="session")
def tiny_labse(tiny_xlm_r: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of LaBSE's architecture, randomly initialised: BERT, its first vector, a layer."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-labse"
    checkpoint = tmp_path_factory.mktemp("checkpoints") / "tiny-bert"
    tokenizer = AutoTokenizer.from_pretrained(tiny_xlm_r)
    tokenizer.save_pretrained(checkpoint)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=1,
    )
    BertModel(config).save_pretrained(checkpoint)
    transformer = Transformer(str(checkpoint), max_seq_length=64)
    dense = Dense(in_features=32, out_features=32, activation_function=torch.nn.Tanh())
    SentenceTransformer(
        modules=[transformer, Pooling(32, "cls"), dense, Normalize()], device="cpu"
    ).save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="session")
def tiny_xlm_r(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of XLM-R's architecture, randomly initialised, with a small tokenizer."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-xlm-r"
    torch.manual_seed(0)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    texts = [text for item in demo_items() for text in (*item.query.values(), "Query: Passage: ")]
    trainer = trainers.UnigramTrainer(
        vocab_size=1500, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=128,
    ).save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        pad_token_id=1,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    return folder
