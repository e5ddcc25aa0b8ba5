"""Low-rank adapters: trained in place of the weights, merged into them for the result."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from retrieval.errors import BadConfig
from training.config import Lora


def add_adapters(model: SentenceTransformer, lora: Lora, *, seed: int) -> None:
    """Freeze the encoder and add adapters to it, in place. Raises BadConfig."""
    if importlib.util.find_spec("peft") is None:
        raise BadConfig("lora needs peft", fix="pip install 'synglot[lora]'.")
    from peft import LoraConfig

    if not model.has_peft_compatible_model():
        raise BadConfig("lora goes with transformers alone", fix="Leave lora out.")
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="FEATURE_EXTRACTION",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
    )
    try:
        model.add_adapter(config)
    except ValueError as error:
        raise BadConfig(
            f"lora.targets names no layer of this encoder: {', '.join(lora.targets)}",
            fix="Name its attention layers, as in [q_proj, k_proj, v_proj].",
        ) from error


def merge_adapters(model: SentenceTransformer) -> None:
    """Put every adapter into the layer it belongs to, in place: a plain encoder again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())
    transformer: Any = model.transformers_model
    transformer._hf_peft_config_loaded = False
    del transformer.peft_config
    model.requires_grad_(True)
