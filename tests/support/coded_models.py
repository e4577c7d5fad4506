"""Small models whose weights are codes of a few bits in blocks, and prefixes to ask them about."""

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from pgen.backends.autoregressive.coded_kernels import BLOCK

FOUR_BITS, EIGHT_BITS = "four bits", "eight bits"


def quantised(kind, n_outputs=48, n_inputs=64, seed=0, spread=0.1, highest=127):
    """Weights as a quantiser makes them: every block has its extreme codes; offsets are `spread` wide."""
    draws = np.random.default_rng(seed)
    shape = n_outputs, n_inputs // BLOCK, BLOCK
    scales = draws.uniform(0.001, 0.02, (*shape[:2], 1)).astype(np.float16).astype(np.float32)
    if kind == FOUR_BITS:
        codes = draws.integers(0, 16, shape)
        codes[..., 0], codes[..., 1] = 0, 15
        offsets = draws.normal(0, spread, (*shape[:2], 1)).astype(np.float16).astype(np.float32)
    else:
        codes, offsets = draws.integers(-127, 128, shape), np.float32(0.0)
        codes = np.where(codes == -highest, 0, codes)
        codes[..., 0] = highest
    return torch.from_numpy((codes * scales + offsets).astype(np.float32).reshape(n_outputs, n_inputs))


def small_model(kind, **changes):
    """A model of two layers whose linear weights are codes of four bits."""
    torch.manual_seed(0)
    settings = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings |= {"num_key_value_heads": 2, "vocab_size": 80, "max_position_embeddings": 64, **changes}
    config, model = (LlamaConfig, LlamaForCausalLM) if kind == "llama" else (Qwen2Config, Qwen2ForCausalLM)
    made = model(config(**settings)).eval()
    with torch.no_grad():
        for n, layer in enumerate(m for m in made.modules() if isinstance(m, torch.nn.Linear)):
            layer.weight.copy_(quantised(FOUR_BITS, *layer.weight.shape, seed=n))
            if layer.bias is not None:
                layer.bias.normal_()
    return made


def branching(seed, count):
    draws = np.random.default_rng(seed)
    return sorted({(3, 1, 4, *draws.integers(0, 80, draws.integers(1, 9)).tolist()) for _ in range(count)})
