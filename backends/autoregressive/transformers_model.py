"""Any causal language model of `transformers` as a backend.

The model's own tokenizer gives the vocabulary; its end-of-text tokens are the
tokenizer's and those of its generation settings. Whether the row cache
serves the architecture is tried once on a few tokens when the model is loaded;
otherwise every call recomputes its prefixes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgen.backends.autoregressive.forward import CachedForward, PlainForward, Request
from pgen.backends.base import Message, Tokens
from pgen.backends.chat import chat_tokens
from pgen.backends.text_model import TextModel
from pgen.errors import InvalidArgument, ModelError
from pgen.tokens import Vocabulary

CACHE_BYTES = 2 * 2**30
"""Memory for keys and values."""

LOGITS_BYTES = 64 * 2**20
"""Memory for the logits of the prefixes asked for last: nobody pays twice for a prompt."""


class TransformersModel(TextModel):
    """A left-to-right model: `model` and `tokenizer` are the `transformers` objects.

    float32 logits; `cache_bytes` bounds the memory of the key-value cache. Calls from
    several threads are served one after the other.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str, cache_bytes: int = CACHE_BYTES) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.device = next(model.parameters()).device
        self.vocabulary = Vocabulary.from_tokenizer(tokenizer, eos=_eos(model, tokenizer, name))
        self.context_length = _context_length(model, tokenizer)
        n_rows = model.get_output_embeddings().weight.shape[0]
        if len(self.vocabulary) > n_rows:
            raise ModelError(f"{name}: the tokenizer has {len(self.vocabulary)} tokens, the model knows {n_rows}")
        self._lock = threading.Lock()
        self._forward = _forward(self.model, self.device, self.context_length, cache_bytes)
        self._known: OrderedDict[Tokens, NDArray[np.float32]] = OrderedDict()
        self._most_known = max(LOGITS_BYTES // (4 * len(self.vocabulary)), 1)

    def encode(self, prompt: str) -> Tokens:
        """Token ids of a prompt as the tokenizer spells it, with the special tokens that it puts first."""
        tokens = tuple(self.tokenizer(prompt)["input_ids"])
        if tokens:
            return tokens
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        if start is None:
            raise InvalidArgument(
                f"{self.name} has no token to begin an empty prompt with", hint="give a prompt of at least one token"
            )
        return (start,)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Token ids of a conversation by the tokenizer's chat template, up to where the answer begins."""
        return chat_tokens(self.tokenizer, messages, self.name)

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float32]:
        """`(B, V)` logits of the token after each prefix; equal beginnings are evaluated once."""
        if not prefixes:
            return np.zeros((0, len(self.vocabulary)), np.float32)
        asked = [tuple(prefix) for prefix in prefixes]
        with self._lock:
            known = {prefix: self._known.get(prefix) for prefix in asked}
            new = [prefix for prefix, row in known.items() if row is None]
            if new:
                logits = torch.cat(self._evaluate([Request(prefix) for prefix in new]))
                known.update(zip(new, self._checked(logits, new), strict=True))
            self._remember(known)
        return np.stack([row for prefix in asked if (row := known[prefix]) is not None])  # (B, V)

    def forget(self) -> None:
        """Drop what is remembered of prefixes: logits, keys and values. Needed after the weights have changed."""
        with self._lock:
            self._known.clear()
            self._forward.forget()

    def _remember(self, known: dict[Tokens, NDArray[np.float32] | None]) -> None:
        for prefix, row in known.items():
            if prefix not in self._known and row is not None:
                # A row of its own: a view would keep its whole batch alive.
                self._known[prefix] = row.copy()
            self._known.move_to_end(prefix)
        while len(self._known) > self._most_known:
            self._known.popitem(last=False)

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float32]:
        """`(n + 1, V)` logits after `prefix` and after each token of `continuation`, in one forward pass."""
        path = (*prefix, *continuation)
        with self._lock:
            (logits,) = self._evaluate([Request(path, len(continuation) + 1)])
        return self._checked(logits, [path[: len(prefix) + n] for n in range(len(continuation) + 1)])  # (n + 1, V)

    def _evaluate(self, requests: list[Request]) -> list[torch.Tensor]:
        for tokens, n_last in requests:
            if len(tokens) < n_last:
                raise ModelError(f"{self.name}: an empty prefix", hint="a prefix has at least one token; see encode")
            if not 0 <= min(tokens) <= max(tokens) < len(self.vocabulary):
                raise ModelError(f"{self.name}: the tokens {min(tokens)} … {max(tokens)} are not all in the vocabulary")
            if len(tokens) > self.context_length:
                raise ModelError(
                    f"{self.name}: {len(tokens)} tokens, but the context holds {self.context_length}",
                    hint="shorten the prompt or lower max_tokens",
                )
        return self._forward(requests)

    def _checked(self, logits: torch.Tensor, prefixes: list[Tokens]) -> NDArray[np.float32]:
        """The logits of the vocabulary, without NaN and +inf."""
        logits = logits[:, : len(self.vocabulary)]
        top = logits.amax(dim=1)  # (B,): NaN if there is one
        wrong = torch.isnan(top) | torch.isposinf(top)
        if wrong.any():
            tokens = prefixes[int(wrong.nonzero()[0])]
            text = self.vocabulary.decode(tokens).decode(errors="replace")
            raise ModelError(
                f"{self.name}: logits are NaN or +inf after …{text[-60:]!r}",
                hint="check the weights; half precision overflows in some models, load them in float32",
            )
        array: NDArray[np.float32] = logits.cpu().numpy()
        return array


def _forward(model: Any, device: torch.device, context_length: int, cache_bytes: int) -> CachedForward | PlainForward:
    plain = PlainForward(model, device)
    if _is_windowed(model.config, context_length):
        return plain
    probe = [Request((1, 2, 3)), Request((1, 2, 3, 4, 5)), Request((1, 4))]
    probe = [Request(tuple(t % model.config.vocab_size for t in r.tokens)) for r in probe]
    try:
        cached = CachedForward(model, device, context_length, cache_bytes)
        found = [cached(probe[i : i + 2]) for i in (0, 1)]
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return plain
    expected = plain(probe)
    pairs = zip([*found[0], found[1][1]], expected, strict=True)
    return cached if all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs) else plain


def _is_windowed(config: Any, context_length: int) -> bool:
    """Whether some layer does not attend to everything before it, which row masks would not reproduce."""
    kinds = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return bool(kinds - {"full_attention"}) or (not kinds and window is not None and window < context_length)


def _context_length(model: Any, tokenizer: Any) -> int:
    length = getattr(model.config, "max_position_embeddings", None)
    return int(length) if length else int(min(tokenizer.model_max_length, 2**20))


def _eos(model: Any, tokenizer: Any, name: str) -> set[int]:
    """The tokenizer's end of text, and those that the model's generation settings name."""
    settings = getattr(model, "generation_config", None)
    also = getattr(settings, "eos_token_id", None)
    found = {tokenizer.eos_token_id, *(also if isinstance(also, list) else [also])} - {None}
    if not found:
        raise ModelError(f"{name}: neither the tokenizer nor the generation settings name an end-of-text token")
    return found
