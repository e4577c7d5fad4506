"""Exact toy models given by a function, in float64: the basis of every exactness test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.backends.base import Message, Tokens
from pgen.backends.tabular_anyorder import TabularAnyOrder as TabularAnyOrder
from pgen.backends.tabular_diffusion import TabularDiffusion as TabularDiffusion
from pgen.backends.tabular_insertion import TabularInsertion as TabularInsertion
from pgen.backends.text_model import TextModel
from pgen.errors import InvalidArgument, ModelError
from pgen.tokens import Vocabulary


class TabularAR(TextModel):
    """A left-to-right model from `next_logprobs(tokens) -> (V,)` normalised log-probabilities.

    `tokens` are the ids so far, the prompt's first; the prompt `""` has none. Rows
    are checked when asked for: wrong shape, NaN, +inf or a sum that differs from 1
    by more than 1e-6 raise `ModelError` naming the tokens.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        next_logprobs: Callable[[Tokens], ArrayLike],
        *,
        context_length: int = 1024,
        name: str = "tabular",
    ) -> None:
        if context_length < 0:
            raise InvalidArgument(f"context_length={context_length}: must not be negative")
        self.vocabulary = vocabulary
        self.context_length = context_length
        self.name = name
        self._next_logprobs = next_logprobs

    def encode(self, prompt: str) -> Tokens:
        return self.vocabulary.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        raise ModelError(f"{self.name} has no chat template", hint="use .text(prompt)")

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float64]:
        return np.stack([self._row(tuple(prefix)) for prefix in prefixes])  # (B, V)

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float64]:
        return self.next_logits([prefix + continuation[:n] for n in range(len(continuation) + 1)])

    def _row(self, tokens: Tokens) -> NDArray[np.float64]:
        if len(tokens) > self.context_length:
            raise ModelError(f"{self.name}: {len(tokens)} tokens, but the context holds {self.context_length}")
        row = np.asarray(self._next_logprobs(tokens), np.float64)
        if row.shape != (len(self.vocabulary),):
            raise ModelError(f"{self.name}: after {tokens} a row of shape {row.shape}, not ({len(self.vocabulary)},)")
        total = float(np.exp(row).sum())
        if not abs(total - 1.0) <= 1e-6:
            raise ModelError(
                f"{self.name}: the probabilities after {tokens} sum to {total}",
                hint="next_logprobs must return normalised natural logarithms (-inf for impossible tokens)",
            )
        return row
