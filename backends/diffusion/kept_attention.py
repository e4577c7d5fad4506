"""Attention to keys and values of a whole text of which only some positions are computed anew.

Any class of `transformers` that looks its attention up by name works: under the name `NAME` the keys and
values of the positions at hand are written into those that were kept, and queries see all.
Which were kept, the caller says with the argument `memory` of a forward pass.

Symbols: B texts of T tokens, R positions computed, A attention layers, H heads of D numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

NAME = "pgen_kept"


class Memory:
    """Keys and values of one forward pass: `whole (B, A, 2, H, T, D)`, once it is over.

    `kept` are those of the pass before, at the positions not computed anew, and are
    overwritten; `places (B, R)` the positions that are. Without `kept` all are.
    """

    def __init__(self, kept: Tensor | None, places: Tensor) -> None:
        self._kept, self._places = kept, places
        self._made: list[Tensor] = []
        self._layer = 0

    @property
    def whole(self) -> Tensor:
        return torch.stack(self._made, dim=1) if self._kept is None else self._kept

    def joined(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of all positions `(B, H, T, D)` at the next layer, from those computed, `(B, H, R, D)`."""
        if self._kept is None:
            self._made.append(torch.stack([key, value], dim=1))
            return key, value
        both = self._kept[:, self._layer]  # (B, 2, H, T, D)
        batch, _, heads, _, depth = both.shape
        index = self._places[:, None, None, :, None].expand(batch, 2, heads, -1, depth)
        both.scatter_(3, index, torch.stack([key, value], dim=1))
        self._layer += 1
        return both[:, 0], both[:, 1]


@contextmanager
def kept_attention(module: Any) -> Iterator[None]:
    """Within, `module(..., memory=...)` reads its keys and values through a `Memory`."""
    _register()
    config = module.config
    own = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = own


@cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    memory: Memory,
    **rest: Any,
) -> tuple[Tensor, Tensor | None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    joined = memory.joined(key, value)
    found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(module, query, *joined, attention_mask, **rest)
    return found
