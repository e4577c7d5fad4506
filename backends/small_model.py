"""What the small transformers of our own share as models: their input tokens, checks, and batches of bounded size.

Position 0 of every input to a network is a beginning token, which is no part of a
text. The last two tokens of a network, beginning and mask, are read but never said.
A vocabulary may have more tokens than its network: these are never said, and reading
one is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from pgen.backends.base import Tokens
from pgen.backends.transformer import Transformer
from pgen.errors import InvalidArgument, ModelError
from pgen.tokens import Vocabulary

N_UNSAID = 2
BATCH = 256
"""The most sequences in one forward pass, which bounds its memory."""


class SmallModel:
    """A network, its vocabulary, and its name; `context_length` counts tokens of a text, prompt included."""

    def __init__(self, network: Transformer, vocabulary: Vocabulary, *, name: str) -> None:
        if network.shape.n_tokens > len(vocabulary):
            raise ModelError(f"{name}: {len(vocabulary)} tokens, but the network has {network.shape.n_tokens}")
        self.network = network
        self.vocabulary = vocabulary
        self.name = name
        self.context_length = network.shape.n_positions - 1
        self.device = network.embedding.weight.device

    def encode(self, prompt: str) -> Tokens:
        tokens = self.vocabulary.encode(prompt)
        unknown = next((token for token in tokens if token >= self.network.shape.n_tokens), None)
        if unknown is not None:
            raise InvalidArgument(f"{self.name} has never read {self.vocabulary.tokens[unknown]!r}, as in {prompt!r}")
        return tokens

    @property
    def _mask_id(self) -> int:
        return self.network.shape.n_tokens - 1

    def _inputs(self, sequences: Sequence[Tokens]) -> Tensor:
        """`(B, 1 + T)`: the beginning and then the tokens, filled up with beginnings. Raises `ModelError`."""
        for tokens in sequences:
            self._check(tokens)
        begin = self.network.shape.n_tokens - N_UNSAID
        longest = max(map(len, sequences), default=0)
        rows = [[begin, *tokens, *[begin] * (longest - len(tokens))] for tokens in sequences]
        return torch.tensor(rows, dtype=torch.long, device=self.device).reshape(len(rows), 1 + longest)

    def _check(self, tokens: Tokens) -> None:
        if len(tokens) > self.context_length:
            raise ModelError(
                f"{self.name}: {len(tokens)} tokens, but the context holds {self.context_length}",
                hint="shorten the prompt, or lower length or max_tokens",
            )
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.network.shape.n_tokens:
            raise ModelError(f"{self.name}: the network knows no tokens {min(tokens)} … {max(tokens)}")

    def _widened(self, rows: Tensor) -> Tensor:
        """`(..., V)`: rows over the network's tokens, and -inf for the other tokens of the vocabulary."""
        return functional.pad(rows, (0, len(self.vocabulary) - rows.shape[-1]), value=-torch.inf)


def with_begin(tokens: Tensor, n_tokens: int) -> Tensor:
    """`(B, 1 + T)`: the beginning token, of a network with `n_tokens`, in front of `(B, T)`."""
    return functional.pad(tokens, (1, 0), value=n_tokens - N_UNSAID)


def said(logits: Tensor, n_unsaid: int = N_UNSAID) -> Tensor:
    """The same, with -inf for the last `n_unsaid` ids."""
    return functional.pad(logits[..., :-n_unsaid], (0, n_unsaid), value=-torch.inf)
