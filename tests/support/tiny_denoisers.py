"""Tiny random masked models of `transformers`, and directories of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_models import CONTEXT, tiny_tokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from pgen.backends.model_files import quiet

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
CONTEXT_OF_MASKED = 40
WORDS = ["the", "cat", "sat", "on", "a", "mat", ".", "##s", "##ting"]


def seeded(make: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().eval()
        for weight in model.parameters():  # wide, so that logits depend strongly on every token
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.3)
        return model


def byte_tokenizer(*, mask: bool = True, around: bool = True) -> PreTrainedTokenizerFast:
    """The byte-level BPE tokenizer of `tiny_models` with `<mask>`, and with `<s> ... </s>` around a text."""
    tokenizer = tiny_tokenizer()
    if mask:
        tokenizer.add_special_tokens({"mask_token": "<mask>", "pad_token": "<pad>"})
    if around:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
        )
    return tokenizer


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Word pieces, as BERT has them."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: i for i, token in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def masked_model(kind: str, rows: int) -> Any:
    common = {**SIZES, "vocab_size": rows, "max_position_embeddings": CONTEXT_OF_MASKED}
    if kind == "bert":
        return seeded(lambda: BertForMaskedLM(BertConfig(**common)))
    if kind == "albert":
        return seeded(lambda: AlbertForMaskedLM(AlbertConfig(**common, embedding_size=16)))
    if kind == "roberta":
        return seeded(lambda: RobertaForMaskedLM(RobertaConfig(**common, pad_token_id=1)))
    return seeded(lambda: ModernBertForMaskedLM(ModernBertConfig(**common, pad_token_id=0, cls_token_id=0)))


def saved(folder: Path, model: Any, tokenizer: Any) -> Path:
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


LLADA_NAMES = {
    "self_attn.q_proj": "q_proj",
    "self_attn.k_proj": "k_proj",
    "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out",
    "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "ff_out",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ff_norm",
}


def llada(folder: Path, tokenizer: Any) -> Any:
    """A directory as LLaDA's authors write them; returns the Llama of the same weights."""
    rows = len(tokenizer)
    grouped = {**SIZES, "num_key_value_heads": 2, "vocab_size": rows, "max_position_embeddings": CONTEXT}
    model = seeded(lambda: LlamaForCausalLM(LlamaConfig(**grouped, rms_norm_eps=1e-5, rope_theta=5000.0)))
    tensors = {}
    for name, tensor in model.state_dict().items():
        inner = name.removeprefix("model.layers.")
        if inner != name:
            layer, rest = inner.split(".", 1)
            name = f"model.transformer.blocks.{layer}.{LLADA_NAMES[rest.removesuffix('.weight')]}.weight"
        else:
            outer = {"model.embed_tokens": "wte", "model.norm": "ln_f", "lm_head": "ff_out"}
            name = f"model.transformer.{outer[name.removesuffix('.weight')]}.weight"
        tensors[name] = tensor.contiguous()
    settings = {
        "architectures": ["LLaDAModelLM"],
        "model_type": "llada",
        "auto_map": {"AutoModel": "modeling_llada.LLaDAModelLM"},
        "block_type": "llama",
        "activation_type": "silu",
        "layer_norm_type": "rms",
        "rope": True,
        "d_model": 32,
        "mlp_hidden_size": 48,
        "n_layers": SIZES["num_hidden_layers"],
        "n_heads": 4,
        "n_kv_heads": 2,
        "embedding_size": rows,
        "vocab_size": rows,
        "max_sequence_length": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 5000.0,
        "weight_tying": False,
        "eos_token_id": 1,
        "mask_token_id": tokenizer.mask_token_id,
    }
    tokenizer.save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    return model


def dream(folder: Path, tokenizer: Any) -> Any:
    """A directory as Dream's authors write them; returns the Qwen2 of the same weights."""
    grouped = {**SIZES, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT}
    model = seeded(lambda: Qwen2ForCausalLM(Qwen2Config(**grouped, eos_token_id=1)))
    saved(folder, model, tokenizer)
    path = folder / "config.json"
    settings = {
        "architectures": ["DreamModel"],
        "model_type": "Dream",
        "auto_map": {"AutoModel": "modeling_dream.DreamModel"},
        "mask_token_id": tokenizer.mask_token_id,
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return model
