"""LLaDA's settings and tensors under the names of `transformers`' Llama.

LLaDA (Nie et al. 2025) keeps OLMo's names: `ff_proj` is the gate, `attn_out` the output
projection, `ff_out` within a block the way down and outside of blocks the head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pgen.errors import ModelError

_EXPECTED = {
    "block_type": "llama",
    "activation_type": "silu",
    "layer_norm_type": "rms",
    "rope": True,
    "alibi": False,
    "include_bias": False,
    "attention_layer_norm": False,
    "input_emb_norm": False,
    "scale_logits": False,
}
_RENAMED = {
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "ff_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "ff_out": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ff_norm": "post_attention_layernorm",
}
_OUTER = {"wte": "model.embed_tokens", "ln_f": "model.norm", "ff_out": "lm_head"}


def llama_settings(settings: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Arguments of `LlamaConfig`. Raises `ModelError` for a variant that is no Llama, and for missing settings."""
    for key, expected in _EXPECTED.items():
        if settings.get(key, expected) != expected:
            raise ModelError(f"{path}: LLaDA with {key}={settings[key]!r} is not supported, only {expected!r}")
    try:
        return {
            "vocab_size": settings.get("embedding_size") or settings["vocab_size"],
            "hidden_size": settings["d_model"],
            "intermediate_size": settings["mlp_hidden_size"],
            "num_hidden_layers": settings["n_layers"],
            "num_attention_heads": settings["n_heads"],
            "num_key_value_heads": settings.get("n_kv_heads") or settings["n_heads"],
            "max_position_embeddings": settings["max_sequence_length"],
            "rms_norm_eps": settings["rms_norm_eps"],
            "rope_parameters": {"rope_type": "default", "rope_theta": settings["rope_theta"]},
            "attention_bias": settings.get("include_qkv_bias", False),
            "tie_word_embeddings": settings.get("weight_tying", False),
        }
    except KeyError as error:
        raise ModelError(f"{path}: config.json has no {error}") from None


def llama_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under Llama's names. Unknown names stay as they are."""
    return {_renamed(name): tensor for name, tensor in tensors.items()}


def _renamed(name: str) -> str:
    if inner := re.fullmatch(r"model\.transformer\.blocks\.(\d+)\.(\w+)\.(weight|bias)", name):
        layer, part, kind = inner.groups()
        return f"model.layers.{layer}.{_RENAMED.get(part, part)}.{kind}"
    if outer := re.fullmatch(r"model\.transformer\.(\w+)\.weight", name):
        return f"{_OUTER.get(outer[1], outer[1])}.weight"
    return name
