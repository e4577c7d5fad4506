"""Tiny random causal language models of `transformers` and their tokenizer, built in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from texts import SAMPLES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

CONTEXT = 160
CACHED = ("llama", "qwen2", "gpt2")
ARCHITECTURES = (*CACHED, "sliding")
CHAT_TEMPLATE = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}[assistant] "

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**SIZES, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT}


@cache
def _trained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<|turn|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SAMPLES.values(), trainer)
    return tokenizer


def tiny_tokenizer(*, chat: bool = False, bos: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with `</s>` (id 1) as end of text and, with `bos`, `<s>` (id 0) as beginning."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_trained(), eos_token="</s>", bos_token="<s>" if bos else None, model_max_length=CONTEXT
    )
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def logit_rows() -> int:
    """More rows than the tokenizer has tokens, as in models whose vocabulary is padded."""
    return (_trained().get_vocab_size() // 64 + 1) * 64


def _configured(architecture: str, rows: int) -> Any:
    # Wide weights, so that logits depend strongly on every token of the prefix.
    common = {"vocab_size": rows, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.3}
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**GROUPED, **common))
    if architecture == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**GROUPED, **common))
    if architecture == "sliding":
        return MistralForCausalLM(MistralConfig(**GROUPED, **common, sliding_window=4))
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, **common))


def tiny_model(architecture: str = "llama", *, seed: int = 0, rows: int | None = None) -> Any:
    """A random model: `llama`, `qwen2`, `gpt2`, or `sliding` (Mistral with a window of 4 tokens)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _configured(architecture, rows or logit_rows()).eval()
