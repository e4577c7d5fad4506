"""A small transformer of our own as a masked-diffusion model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pgen.backends.base import Canvas, Message, Tokens
from pgen.backends.canvas_model import CanvasModel
from pgen.backends.chat import no_chat
from pgen.backends.small_model import BATCH, SmallModel, said
from pgen.backends.transformer import Transformer


class SmallDiffusion(SmallModel, CanvasModel):
    """Implements `pgen.backends.base.MaskedDiffusion` in float32; a text ends at its first end token.

    Canvases are filled up to the whole context with masked positions: the model was
    trained on canvases of that length.
    """

    block_length: int | None = None

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        raise no_chat(self.name)

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> Tensor:
        length = len(canvases[0]) if canvases else 0
        pairs = list(zip(prompts, canvases, strict=True))
        with torch.inference_mode():
            rows = [self._rows(pairs[i : i + BATCH], length) for i in range(0, len(pairs), BATCH)]
        return torch.cat([torch.zeros(0, length, len(self.vocabulary), device=self.device), *rows])  # (B, L, V)

    def _rows(self, pairs: list[tuple[Tokens, Canvas]], length: int) -> Tensor:
        mask = self._mask_id
        texts = [(*prompt, *(mask if token is None else token for token in canvas)) for prompt, canvas in pairs]
        whole = [(*text, *[mask] * (self.context_length - len(text))) for text in texts]
        log_probs = canvas_log_probs(self.network, self._inputs(whole))  # (B, context, V)
        starts = torch.tensor([len(prompt) for prompt, _ in pairs], device=self.device)
        rows = starts[:, None] + torch.arange(length, device=self.device)  # (B, L)
        return self._widened(log_probs.gather(1, rows[:, :, None].expand(-1, -1, log_probs.shape[2])))


def canvas_log_probs(network: Transformer, inputs: Tensor) -> Tensor:
    """Log-probabilities of each position after the beginning, given what is not masked: `(B, L, V)`."""
    return said(network.logits(network.features(inputs)[:, 1:])).log_softmax(-1)
