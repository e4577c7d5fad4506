"""A small transformer of our own as a left-to-right model. Every call reads its prefixes anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgen.backends.base import Message, Tokens
from pgen.backends.chat import no_chat
from pgen.backends.small_model import BATCH, SmallModel, said
from pgen.backends.text_model import TextModel
from pgen.backends.transformer import Transformer, causal


class SmallAutoregressive(SmallModel, TextModel):
    """Implements `pgen.backends.base.Autoregressive` in float32; logits are normalised."""

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Raises `ModelError`: these models know no conversations."""
        raise no_chat(self.name)

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float32]:
        """`(B, V)` logits of the token after each prefix."""
        chunks = [prefixes[i : i + BATCH] for i in range(0, len(prefixes), BATCH)]
        rows = [self._last_rows(chunk) for chunk in chunks]
        return np.concatenate([np.zeros((0, len(self.vocabulary)), np.float32), *rows])  # (B, V)

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float32]:
        """`(n + 1, V)` logits after `prefix` and after each token of `continuation`."""
        with torch.inference_mode():
            log_probs = causal_log_probs(self.network, self._inputs([(*prefix, *continuation)]))  # (1, 1 + T, V)
            rows = self._widened(log_probs[0, len(prefix) :])
        array: NDArray[np.float32] = rows.cpu().numpy()
        return array

    def _last_rows(self, prefixes: Sequence[Tokens]) -> NDArray[np.float32]:
        with torch.inference_mode():
            log_probs = causal_log_probs(self.network, self._inputs(prefixes))  # (B, 1 + T, V)
            last = torch.tensor([len(prefix) for prefix in prefixes], device=self.device)
            rows = self._widened(log_probs[torch.arange(len(prefixes), device=self.device), last])
        array: NDArray[np.float32] = rows.cpu().numpy()
        return array


def causal_log_probs(network: Transformer, inputs: Tensor) -> Tensor:
    """Log-probabilities of what follows each of `inputs` `(B, T)`: `(B, T, V)`."""
    features = network.features(inputs, causal(inputs.shape[1], inputs.device))
    return said(network.logits(features)).log_softmax(-1)
