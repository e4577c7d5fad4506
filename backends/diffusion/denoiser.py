"""Any network that predicts masked tokens in both directions, as a masked-diffusion model.

Its input is the prompt, the canvas with the mask token at open positions, and what the
tokenizer puts behind a text. Models adapted from left-to-right ones predict a position
from the one before it: `shifted` (Gong et al. 2024, Dream).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pgen.backends.base import Canvas, Message, Tokens
from pgen.backends.canvas_model import CanvasModel
from pgen.backends.diffusion.tokenization import Tokenization
from pgen.errors import InvalidArgument, ModelError

Network = Callable[[Tensor, Tensor], Tensor]
"""(tokens `(B, T)`, which of them are no filling `(B, T)`) -> logits `(B, T, at least V)`."""

LOGITS_A_PASS = 2**28
"""The most numbers in the logits of one forward pass."""


class Denoiser(CanvasModel):
    """Implements `pgen.backends.base.MaskedDiffusion` by a `Network` on `device`; marginals are float32 there."""

    def __init__(
        self,
        network: Network,
        tokenization: Tokenization,
        *,
        mask_id: int,
        context_length: int,
        device: torch.device,
        name: str,
        shifted: bool = False,
        block_length: int | None = None,
        causal: Any = None,
        module: Any = None,
        padding_position: int | None = None,
    ) -> None:
        self.network = network
        self.vocabulary = tokenization.vocabulary
        self.context_length = context_length - len(tokenization.behind)
        self.block_length = block_length
        self.device = device
        self.name = name
        self.behind = tokenization.behind
        self._tokenization = tokenization
        self.mask_id = mask_id
        self.shifted = shifted
        self.causal = causal
        """The class of `transformers` behind the network, where that is a left-to-right one."""
        self.module = module
        """The class behind it whose attention can be kept (`pgen.backends.diffusion.step_cache`), if it is one."""
        self.padding_position = padding_position
        """RoBERTa's padding id: positions are counted from behind it, and tokens of this id are not counted."""
        self._lock = threading.Lock()

    def encode(self, prompt: str) -> Tokens:
        return self._tokenization.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        return self._tokenization.encode_chat(messages)

    def position_ids(self, texts: Tensor) -> Tensor:
        """The positions `(B, T)` of the tokens of whole texts."""
        if self.padding_position is None:
            return torch.arange(texts.shape[1], device=self.device).expand(texts.shape)
        counted = texts != self.padding_position
        return counted.cumsum(1) * counted + self.padding_position

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> Tensor:
        length = len(canvases[0]) if canvases else 0
        pairs = list(zip(prompts, canvases, strict=True))
        longest = max((len(prompt) for prompt in prompts), default=0) + length
        if longest > self.context_length:
            raise ModelError(
                f"{self.name}: {longest} tokens, but the context holds {self.context_length}",
                hint="shorten the prompt or the canvas",
            )
        size = max(1, LOGITS_A_PASS // (len(self.vocabulary) * max(1, longest)))
        with self._lock, torch.inference_mode():
            rows = [self._rows(pairs[i : i + size], length) for i in range(0, len(pairs), size)]
        return torch.cat([torch.zeros(0, length, len(self.vocabulary), device=self.device), *rows])  # (B, L, V)

    def _rows(self, pairs: list[tuple[Tokens, Canvas]], length: int) -> Tensor:
        texts = [
            (*prompt, *(self.mask_id if token is None else token for token in canvas), *self.behind)
            for prompt, canvas in pairs
        ]
        tokens, valid = padded(texts, self.mask_id, self.device)
        logits = self.network(tokens, valid)  # (B, T, V)
        starts = torch.tensor([len(prompt) for prompt, _ in pairs], device=self.device)
        rows = starts[:, None] + torch.arange(length, device=self.device) - int(self.shifted)  # (B, L)
        chosen = logits[torch.arange(len(pairs), device=self.device)[:, None], rows.clamp(min=0)]
        return normalised(chosen, len(self.vocabulary), self.mask_id, self.name)


def normalised(logits: Tensor, n_tokens: int, mask_id: int | None, name: str) -> Tensor:
    """Log-probabilities over the vocabulary, without the mask token and rows beyond. Raises `ModelError` on NaN."""
    logits = logits[..., :n_tokens].float()
    if mask_id is not None and mask_id < n_tokens:
        logits = logits.index_fill(-1, torch.tensor([mask_id], device=logits.device), -torch.inf)
    log_probs = logits.log_softmax(-1)
    if log_probs.isnan().any():
        raise ModelError(
            f"{name}: marginals are NaN",
            hint="check the weights; half precision overflows in some models, load them in float32",
        )
    return log_probs


def padded(texts: Sequence[Sequence[int]], filling: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Texts as `(B, T)` ids, filled up behind, and `(B, T)`: which of them are no filling."""
    longest = max(map(len, texts))
    tokens = torch.tensor([[*text, *[filling] * (longest - len(text))] for text in texts], device=device)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    return tokens, torch.arange(longest, device=device) < lengths[:, None]


def mask_id_of(found: object, where: str) -> int:
    """The mask token's id. Raises `InvalidArgument` if there is none."""
    if not isinstance(found, int):
        raise InvalidArgument(
            f"{where} names no mask token",
            hint="masked diffusion needs a model trained to fill in masks; text models without one load as "
            "autoregressive ones if their architecture is ...ForCausalLM",
        )
    return found
