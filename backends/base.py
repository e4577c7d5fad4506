"""What the core asks of a model: the protocols, and the lazy registry of named models.

A backend is a function from token prefixes to distributions. It may cache (key
and value tensors, say) but a result never depends on what was asked before.
Names resolve to `"module:Class"` strings, imported when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgen.tokens import Vocabulary

Logits = NDArray[np.floating[Any]]
Tokens = tuple[int, ...]
Message = Mapping[str, str]


@runtime_checkable
class Autoregressive(Protocol):
    """A left-to-right model: `p(next token | prefix)`."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_length(self) -> int:
        """The most tokens, prompt included, that the model can be conditioned on."""
        ...

    def encode(self, prompt: str) -> Tokens:
        """The tokens of a raw prompt, with what the tokenizer itself puts in front."""
        ...

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """The tokens of a conversation, up to where the assistant speaks.

        Raises `ModelError` if the tokenizer has no chat template.
        """
        ...

    def next_logits(self, prefixes: Sequence[Tokens]) -> Logits:
        """Unnormalised log-probabilities of the token after each prefix: `(B, V)`, float32 or float64.

        One forward pass; prefixes may differ in length. Rows beyond the
        vocabulary are cut off. Raises `ModelError` on NaN or +inf, and where
        a prefix is longer than the context.
        """
        ...

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> Logits:
        """Logits after `prefix` and after each token of `continuation`: `(n + 1, V)`."""
        ...
