"""Exact toy models given by a function, in float64: the basis of every exactness test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.backends.base import Message, Tokens
from pgen.backends.chat import no_chat
from pgen.backends.tables import TOLERANCE, checked_context, require_normalised, require_room, shaped
from pgen.backends.tabular_anyorder import TabularAnyOrder as TabularAnyOrder
from pgen.backends.tabular_diffusion import TabularDiffusion as TabularDiffusion
from pgen.backends.tabular_insertion import TabularInsertion as TabularInsertion
from pgen.backends.text_model import TextModel
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
        self.vocabulary = vocabulary
        self.context_length = checked_context(context_length)
        self.name = name
        self._next_logprobs = next_logprobs

    def encode(self, prompt: str) -> Tokens:
        """The canonical spelling of `prompt`; no token is put first."""
        return self.vocabulary.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Raises `ModelError`: these models know no conversations."""
        raise no_chat(self.name)

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float64]:
        """`(B, V)` what the table says after each prefix."""
        rows = np.stack([self._row(tuple(prefix)) for prefix in prefixes])  # (B, V)
        totals = np.exp(rows).sum(axis=1)
        for row in np.flatnonzero(~(abs(totals - 1.0) <= TOLERANCE))[:1]:
            require_normalised(self.name, float(totals[row]), f"after {tuple(prefixes[row])}", "next_logprobs")
        return rows

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float64]:
        """`(n + 1, V)` what the table says after `prefix` and after each token of `continuation`."""
        return self.next_logits([prefix + continuation[:n] for n in range(len(continuation) + 1)])

    def _row(self, tokens: Tokens) -> NDArray[np.float64]:
        require_room(self.name, len(tokens), self.context_length)
        return shaped(self.name, self._next_logprobs(tokens), (len(self.vocabulary),), tokens)
