"""A masked denoiser as an any-order model: `p(x_i | the committed positions)` for every open position at once.

A denoiser has one conditional for each *set* of committed positions, so that every
order has an exact density (Uria et al. 2014, Hoogeboom et al. 2022): the law of masked
diffusion with one commit a step (Ou et al. 2025). The density along an order of n
positions is one batch of n canvases, one for each prefix of the order. (The single row
of a two-stream model such as XLNet would be cheaper, but there the committed tokens
have read each other, and so what it says depends on the order in which they came.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.backends.anyorder_model import AnyOrderModel
from pgen.backends.base import Canvas, MaskedDiffusion, Tokens


class AnyOrderDenoiser(AnyOrderModel):
    """Implements `pgen.backends.base.AnyOrder` by the marginals of a `MaskedDiffusion` without blocks."""

    def __init__(self, denoiser: MaskedDiffusion, *, name: str | None = None) -> None:
        self.denoiser = denoiser
        self.vocabulary = denoiser.vocabulary
        self.context_length = denoiser.context_length
        self.name = name or denoiser.name

    def encode(self, prompt: str) -> Tokens:
        return self.denoiser.encode(prompt)

    def conditionals(self, canvases: Sequence[Canvas]) -> NDArray[np.floating]:
        rows = self.denoiser.marginals([()] * len(canvases), canvases)  # (B, L, V)
        return rows if isinstance(rows, np.ndarray) else rows.cpu().numpy()

    def ordered(
        self, canvases: Sequence[Canvas], orders: Sequence[Sequence[int]], drafts: Sequence[Tokens]
    ) -> NDArray[np.floating]:
        n = len(orders[0]) if orders else 0
        items = zip(canvases, orders, drafts, strict=True)
        prefixes = [canvas for item in items for canvas in _prefixes(*item)]
        rows = self.conditionals(prefixes)  # (B n, L, V)
        asked = np.array([position for order in orders for position in order], np.int64)
        return rows[np.arange(len(asked)), asked].reshape(len(orders), n, -1)


def _prefixes(canvas: Canvas, order: Sequence[int], draft: Tokens) -> Iterator[Canvas]:
    """The canvas before each position of the order is drawn."""
    filled = list(canvas)
    for k, position in enumerate(order):
        yield tuple(filled)
        if k + 1 < len(order):
            filled[position] = draft[k]
