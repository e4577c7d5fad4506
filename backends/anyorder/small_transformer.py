"""A small transformer as an any-order model: one pass gives the whole density along an order.

As in sigma-GPT (Pannatier et al. 2024), the mask is causal over a shuffled sequence and positions are
told twice: *token* rows know where they stand and what stands there, *asking* rows know where they are
to predict. Asking row k of an order reads the token rows of what comes before it. Token rows read
nobody but the beginning (in sigma-GPT and in XLNet, Yang et al. 2019, they read each other), so a row depends on the
*set* of positions that it reads, not on the order in which these came: what is drawn one by one and
what is verified along an order are the same conditionals.

Symbols: B batch, L positions of a canvas, n drafted tokens, S = 1 + L + n rows of a pass, V tokens. Rows of
the canvas come first, behind the beginning: a token row where a token is committed, else an asking row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgen.backends.anyorder_model import AnyOrderModel
from pgen.backends.base import Canvas, Tokens
from pgen.backends.small_model import BATCH, SmallModel, said
from pgen.backends.transformer import Transformer


class SmallAnyOrder(SmallModel, AnyOrderModel):
    """Implements `pgen.backends.base.AnyOrder` in float32; a text ends at its first end token."""

    def conditionals(self, canvases: Sequence[Canvas]) -> NDArray[np.float32]:
        length = len(canvases[0]) if canvases else 0
        rows = [self._rows(canvases[i : i + BATCH]) for i in range(0, len(canvases), BATCH)]
        return np.concatenate([np.zeros((0, length, len(self.vocabulary)), np.float32), *rows])  # (B, L, V)

    def ordered(
        self, canvases: Sequence[Canvas], orders: Sequence[Sequence[int]], drafts: Sequence[Tokens]
    ) -> NDArray[np.float32]:
        n = len(orders[0]) if orders else 0
        chunks = [slice(i, i + BATCH) for i in range(0, len(canvases), BATCH)]
        rows = [self._along(canvases[chunk], orders[chunk], drafts[chunk]) for chunk in chunks]
        return np.concatenate([np.zeros((0, n, len(self.vocabulary)), np.float32), *rows])  # (B, n, V)

    def _along(
        self, canvases: Sequence[Canvas], orders: Sequence[Sequence[int]], drafts: Sequence[Tokens]
    ) -> NDArray[np.float32]:
        asked = np.array([list(order) for order in orders])  # (B, n)
        read = [tuple(draft[: len(order) - 1]) for order, draft in zip(orders, drafts, strict=True)]
        for tokens in read:
            self._check(tokens)
        rows = self._rows(canvases, asked, read)  # (B, L, V)
        return np.take_along_axis(rows, asked[:, :, None], axis=1)

    def _rows(
        self, canvases: Sequence[Canvas], orders: NDArray[np.int64] | None = None, drafts: Sequence[Tokens] = ()
    ) -> NDArray[np.float32]:
        """`(B, L, V)`: each open position given the committed ones, and those before it in its order `(B, n)`."""
        mask, empty = self._mask_id, np.zeros((len(canvases), 0), np.int64)
        inputs = self._inputs([tuple(mask if token is None else token for token in canvas) for canvas in canvases])
        order = torch.as_tensor(empty if orders is None else orders, device=self.device)  # (B, n)
        tokens = torch.as_tensor(np.array(drafts, np.int64) if len(drafts) else empty, device=self.device)
        with torch.inference_mode():
            rows = self._widened(any_order_log_probs(self.network, inputs, order, tokens))
        array: NDArray[np.float32] = rows.cpu().numpy()
        return array


def any_order_log_probs(network: Transformer, inputs: Tensor, orders: Tensor, drafts: Tensor) -> Tensor:
    """Log-probabilities at each position behind the beginning: `(B, L, V)`; those of committed ones mean nothing.

    `inputs` `(B, 1 + L)` are the beginning and a canvas, with the mask token where it is open; `orders` `(B, m)`
    are open positions, which read the committed ones and what comes before them in the order;
    `drafts` `(B, n)` are the tokens there, at least of all but the last.
    """
    size, n = inputs.shape[1], drafts.shape[1]
    reads = _reads(inputs == network.shape.n_tokens - 1, orders, n)
    places = torch.arange(size, device=inputs.device).expand(len(inputs), -1)
    places = torch.cat([places, 1 + orders[:, :n]], dim=1)  # (B, S)
    features = network.features(torch.cat([inputs, drafts], dim=1), reads[:, None], places)
    return said(network.logits(features[:, 1:size])).log_softmax(-1)


def _reads(is_open: Tensor, orders: Tensor, n: int) -> Tensor:
    """Who reads whom, `(B, S, S)`: all rows the beginning and themselves, asking rows what is known to them."""
    ranks = torch.arange(orders.shape[1], device=orders.device).expand_as(orders)
    rank = torch.zeros_like(is_open, dtype=torch.long).scatter(1, 1 + orders, ranks)  # (B, 1 + L)
    of_canvas = is_open[:, :, None] & ~is_open[:, None]  # (B, 1 + L, 1 + L)
    of_drafts = torch.arange(n, device=orders.device) < rank[:, :, None]  # (B, 1 + L, n)
    reads = functional.pad(torch.cat([of_canvas, of_drafts], dim=2), (0, 0, 0, n))
    reads |= torch.eye(reads.shape[2], dtype=torch.bool, device=reads.device)
    reads[:, :, 0] = True
    return reads
