"""Exact toy any-order models given by a function, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.backends.anyorder_model import AnyOrderModel
from pgen.backends.base import Canvas, Tokens
from pgen.backends.tables import checked_context, require_normalised, require_room, shaped
from pgen.tokens import Vocabulary


class TabularAnyOrder(AnyOrderModel):
    """An any-order model from `conditionals(canvas) -> (L, V)` normalised log-probabilities.

    `canvas` has a token id or `None` at each position, the prompt's tokens first; rows
    at committed positions are not read. Orders whose conditionals disagree are allowed.
    Wrong shapes, NaN, +inf or an open row that does not sum to 1 within 1e-6 raise
    `ModelError` naming the canvas.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        conditionals: Callable[[Canvas], ArrayLike],
        *,
        context_length: int = 1024,
        name: str = "tabular",
    ) -> None:
        self.vocabulary = vocabulary
        self.context_length = checked_context(context_length)
        self.name = name
        self._conditionals = conditionals

    def encode(self, prompt: str) -> Tokens:
        return self.vocabulary.encode(prompt)

    def conditionals(self, canvases: Sequence[Canvas]) -> NDArray[np.float64]:
        return np.stack([self._rows(tuple(canvas)) for canvas in canvases])  # (B, L, V)

    def ordered(
        self, canvases: Sequence[Canvas], orders: Sequence[Sequence[int]], drafts: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        return np.stack([self._along(*given) for given in zip(canvases, orders, drafts, strict=True)])  # (B, n, V)

    def _along(self, canvas: Canvas, order: Sequence[int], draft: Tokens) -> NDArray[np.float64]:
        rows, filled = [], list(canvas)
        for k, position in enumerate(order):
            rows.append(self._rows(tuple(filled))[position])
            if k + 1 < len(order):
                filled[position] = draft[k]
        return np.stack(rows)

    def _rows(self, canvas: Canvas) -> NDArray[np.float64]:
        require_room(self.name, len(canvas), self.context_length)
        rows = shaped(self.name, self._conditionals(canvas), (len(canvas), len(self.vocabulary)), canvas)
        for i, token in enumerate(canvas):
            if token is None:
                total = float(np.exp(rows[i]).sum())
                require_normalised(self.name, total, f"at position {i} of {canvas}", "conditionals")
        return rows
