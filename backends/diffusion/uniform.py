"""Block diffusion with uniform noise: `DiffusionGemmaForBlockDiffusion` of `transformers`, run by a loop of our own.

There is no mask token: an open position holds a random token, and the model sees no
difference between noise and text. A text is made block by block. An encoder reads the
prompt and the finished blocks once, left to right; a decoder reads its keys and values
and the whole block in both directions, and its own last prediction (*self-conditioning*).

Marginals must be a function of prompt and canvas. So the noise comes from a generator
seeded by both, afresh at every step as the model's own sampler does, and the prediction
that is fed back is that of a first pass over the same canvas.

Symbols: B canvases, C block length, L canvas length, V tokens.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgen.backends.base import Canvas, Message, Tokens
from pgen.backends.canvas_model import CanvasModel
from pgen.backends.diffusion.denoiser import normalised
from pgen.backends.diffusion.tokenization import Tokenization
from pgen.errors import InvalidArgument, ModelError

N_PREFIXES = 8
"""How many prefixes keep their keys and values."""


class UniformDenoiser(CanvasModel):
    """Implements `pgen.backends.base.MaskedDiffusion`; marginals are float32 on the model's device.

    `passes` is 1 for a blind prediction, 2 for one that has seen the first, and so on.
    """

    def __init__(self, model: Any, tokenization: Tokenization, *, name: str, passes: int = 2) -> None:
        if passes < 1:
            raise InvalidArgument(f"passes={passes}: a prediction takes at least one")
        self.model = model.eval().requires_grad_(False)
        self.vocabulary = tokenization.vocabulary
        self.name = name
        self.device = next(model.parameters()).device
        self.block_length = int(model.config.canvas_length)
        settings = model.config.get_text_config()
        self.context_length = int(settings.max_position_embeddings)
        self._n_rows = int(settings.vocab_size)
        self._tokenization = tokenization
        self._passes = passes
        self._prefixes: OrderedDict[Tokens, Any] = OrderedDict()
        self._lock = threading.Lock()
        if len(self.vocabulary) > self._n_rows:
            raise ModelError(f"{name}: the tokenizer has {len(self.vocabulary)} tokens, the model knows {self._n_rows}")

    def encode(self, prompt: str) -> Tokens:
        return self._tokenization.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        return self._tokenization.encode_chat(messages)

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> Tensor:
        length = len(canvases[0]) if canvases else 0
        start = max(0, length - 1) // self.block_length * self.block_length
        prefixes = [
            (*prompt, *self._finished(canvas[:start])) for prompt, canvas in zip(prompts, canvases, strict=True)
        ]
        noisy = [self._noisy(prefix, canvas[start:]) for prefix, canvas in zip(prefixes, canvases, strict=True)]
        rows = torch.full((len(canvases), length, len(self.vocabulary)), -torch.inf, device=self.device)
        with self._lock, torch.inference_mode():
            for prefix in dict.fromkeys(prefixes):
                chosen = [i for i, other in enumerate(prefixes) if other == prefix]
                logits = self.decoded(prefix, torch.tensor([noisy[i] for i in chosen], device=self.device))
                found = normalised(logits[:, : length - start], len(self.vocabulary), None, self.name)
                rows[torch.tensor(chosen, device=self.device), start:] = found
        return rows  # (B, L, V)

    def decoded(self, prefix: Tokens, blocks: Tensor) -> Tensor:
        """Logits `(B, C, V)` of blocks `(B, C)` of tokens and noise after one prefix."""
        cache = self._expanded(prefix, len(blocks))
        positions = torch.arange(len(prefix), len(prefix) + blocks.shape[1], device=self.device)[None]
        inputs = {"decoder_input_ids": blocks, "past_key_values": cache, "decoder_position_ids": positions}
        logits: Tensor = self.model(**inputs).logits
        for _ in range(1, self._passes):
            logits = self.model(**inputs, self_conditioning_logits=logits).logits
        return logits

    def _expanded(self, prefix: Tokens, n: int) -> Any:
        """Keys and values of the prefix, for n canvases."""
        if prefix not in self._prefixes:
            self._prefixes[prefix] = self._encoded(prefix)
        self._prefixes.move_to_end(prefix)
        while len(self._prefixes) > N_PREFIXES:
            self._prefixes.popitem(last=False)
        cache = copy.deepcopy(self._prefixes[prefix])
        cache.batch_repeat_interleave(n)
        return cache

    def _encoded(self, prefix: Tokens) -> Any:
        from transformers import DynamicCache

        if not prefix:
            raise ModelError(f"{self.name}: an empty prefix", hint="a prefix has at least one token; see encode")
        if len(prefix) + self.block_length > self.context_length:
            raise ModelError(
                f"{self.name}: {len(prefix)} tokens and a block of {self.block_length}, "
                f"but the context holds {self.context_length}"
            )
        cache = DynamicCache(config=self.model.config.get_text_config(decoder=True))
        self.model.model.encoder(input_ids=torch.tensor([prefix], device=self.device), past_key_values=cache)
        return cache

    def _finished(self, tokens: Canvas) -> Tokens:
        """The blocks before the last one, which must have no open positions."""
        finished = tuple(token for token in tokens if token is not None)
        if len(finished) < len(tokens):
            raise ModelError(
                f"{self.name}: position {tokens.index(None)} is open, but the canvas has blocks behind it",
                hint=f"positions are committed in blocks of {self.block_length}",
            )
        return finished

    def _noisy(self, prefix: Tokens, block: Canvas) -> list[int]:
        """A whole block with random tokens at open positions and behind its end."""
        held = [-1 if token is None else token for token in (*block, *[None] * (self.block_length - len(block)))]
        digest = hashlib.blake2b(np.array([len(prefix), *prefix, *held], np.int64).tobytes(), digest_size=16).digest()
        noise = np.random.default_rng(int.from_bytes(digest, "little")).integers(self._n_rows, size=len(held))
        return [int(random) if token < 0 else token for token, random in zip(held, noise, strict=True)]
