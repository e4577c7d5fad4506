"""What the core asks of a model: the protocols, and the lazy registry of named models.

A backend is a function from token prefixes to distributions. It may cache (key
and value tensors, say) but a result never depends on what was asked before.
Names resolve to `"module:Class"` strings, imported when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgen.tokens import Vocabulary

if TYPE_CHECKING:
    import torch

    from pgen.sampling.token_step import Distribution

Logits = NDArray[np.floating[Any]]
LogMarginals: TypeAlias = "NDArray[np.floating[Any]] | torch.Tensor"
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


@runtime_checkable
class TokenMeasure(Autoregressive, Protocol):
    """A left-to-right measure, whose next-token masses need not sum to 1: a product of models.

    `next_logits` is `(B, k, V)`, one row for each of k factors, and is read by `weigh` alone.
    """

    def weigh(self, logits: Logits) -> Distribution:
        """The masses themselves, not normalised, from logits `(R, k, V)`."""
        ...

    def log_growth(self, n_tokens: int) -> float:
        """The most, in nats, that texts of up to `n_tokens` tokens can weigh beyond the masses on their way."""
        ...


class Insertions(NamedTuple):
    """One step of an insertion model: log-probabilities that sum to 1 over every (slot, token) and the stop.

    `slots (S, V)`, float32 or float64, row g for a token between the g-th token and
    the one before it, so S is one more than the tokens there are; `stop` is the log
    probability that the sequence is complete.
    """

    slots: Logits
    stop: float


@runtime_checkable
class Insertion(Protocol):
    """A model that grows a sequence by one token anywhere, or stops: `p(slot, token or stop | sequence)`."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_length(self) -> int:
        """The most tokens, prompt included, of a sequence that the model can be asked about."""
        ...

    @property
    def written(self) -> frozenset[int]:
        """The text tokens that the model inserts at all: all others have mass 0 after every sequence."""
        ...

    def encode(self, prompt: str) -> Tokens:
        """The tokens of a raw prompt, which stay in front of everything that is inserted."""
        ...

    def insertions(self, sequences: Sequence[Tokens]) -> list[Insertions]:
        """The step after each sequence, prompt included; sequences may differ in length.

        One forward pass. Slots within a prompt have mass like any other: whoever keeps
        some slots closed conditions on that. Columns of end, special and empty ids
        should be -inf. Raises `ModelError` on NaN or +inf, and where a sequence is
        longer than the context.
        """
        ...


Canvas = tuple[int | None, ...]
"""Positions of a text of known length, each committed to a token or open (`None`)."""


@runtime_checkable
class AnyOrder(Protocol):
    """A model of texts of known length in any order: `p(tokens at some positions | tokens at others)`.

    What it says must be one conditional per order: row k of `ordered` is the row that
    `conditionals` gives for the same position when the tokens before it in the order
    are committed. Different orders may have different joint laws.
    """

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_length(self) -> int:
        """The most positions, prompt included."""
        ...

    def encode(self, prompt: str) -> Tokens:
        """The tokens of a raw prompt, committed at the first positions."""
        ...

    def conditionals(self, canvases: Sequence[Canvas]) -> Logits:
        """`(B, L, V)` normalised log-probabilities of each position given the committed ones.

        One forward pass over canvases of one length; rows of committed positions mean
        nothing. Raises `ModelError` on NaN or +inf, and beyond the context.
        """
        ...

    def ordered(self, canvases: Sequence[Canvas], orders: Sequence[Sequence[int]], drafts: Sequence[Tokens]) -> Logits:
        """`(B, n, V)` normalised log-probabilities along orders of open positions, in one forward pass.

        Row k is that of position `orders[b][k]` given the committed ones of `canvases[b]`
        and `drafts[b][:k]` at `orders[b][:k]`: the density of a draft. All orders
        have one length n; `drafts[b]` has at least n - 1 tokens.
        """
        ...


@runtime_checkable
class MaskedDiffusion(Protocol):
    """A denoiser: independent marginals of every masked position, given the prompt and what is committed.

    What a model returns must be a function of the prompt and the canvas alone, however
    the call is batched; a model that wants noise in open positions, or its own earlier
    prediction, derives both from them. Special tokens have marginals like all others,
    but the mask token's probability is 0.
    """

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_length(self) -> int:
        """The most positions, prompt and canvas together."""
        ...

    @property
    def block_length(self) -> int | None:
        """`None` if all masked positions are predicted at once.

        Otherwise positions are committed block by block, and `marginals` is asked for
        canvases that end where a block ends: a multiple of this length, or the end of the text.
        """
        ...

    def encode(self, prompt: str) -> Tokens:
        """The tokens of a raw prompt, with what the tokenizer itself puts in front."""
        ...

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """The tokens of a conversation, up to where the assistant speaks.

        Raises `ModelError` if the model has no chat template.
        """
        ...

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> LogMarginals:
        """Log-probabilities `(B, L, V)` of each position, normalised over the vocabulary.

        Prompts may differ in length, canvases have L positions each. Rows of committed
        positions are never read. A NumPy array or a torch tensor on any device, float32
        or float64; a row holds -inf where a token is impossible. Raises `ModelError` on NaN.
        """
        ...
