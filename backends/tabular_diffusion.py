"""Exact toy denoisers given by a function, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.backends.base import Canvas, Message, Tokens
from pgen.backends.canvas_model import CanvasModel
from pgen.backends.chat import no_chat
from pgen.backends.tables import require_normalised, shaped
from pgen.errors import InvalidArgument
from pgen.programs.canvas import CanvasDistribution
from pgen.programs.orders import Order
from pgen.tokens import Vocabulary


class TabularDiffusion(CanvasModel):
    """A denoiser from `marginals(tokens) -> (L, V)` normalised log-probabilities.

    `tokens` are ids, `None` where a position is masked, the prompt's first (the prompt
    `""` has none); the L rows are those of the positions after the prompt, and texts may
    have up to `length` of them. Rows of committed positions are never read. Rows of masked
    ones are checked: wrong shape, NaN, +inf or a sum that differs from 1 by more than 1e-6
    raise `ModelError` naming the tokens.
    """

    block_length = None

    def __init__(
        self,
        vocabulary: Vocabulary,
        length: int,
        marginals: Callable[[Canvas], ArrayLike],
        *,
        context_length: int = 1024,
        name: str = "tabular",
    ) -> None:
        if length < 1:
            raise InvalidArgument(f"length={length}: a canvas has at least one position")
        if context_length < length:
            raise InvalidArgument(f"context_length={context_length}: must hold the {length} positions of the canvas")
        self.vocabulary = vocabulary
        self.length = length
        self.context_length = context_length
        self.name = name
        self._marginals = marginals

    def text(
        self,
        prompt: str,
        *,
        length: int,
        steps: int | None = None,
        order: Order = "confidence",
        block: int | None = None,
        temperature: float = 1.0,
    ) -> CanvasDistribution:
        """A distribution over the texts of its canvas; settings as for any masked diffusion model."""
        if length > self.length:
            raise InvalidArgument(f"length={length}, but {self.name} has a canvas of {self.length} positions")
        return super().text(prompt, length=length, steps=steps, order=order, block=block, temperature=temperature)

    def encode(self, prompt: str) -> Tokens:
        return self.vocabulary.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        raise no_chat(self.name)

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> NDArray[np.float64]:
        """`(L, V)` log-probabilities for each position of each canvas."""
        return np.stack([self._rows(*each) for each in zip(prompts, canvases, strict=True)])  # (B, L, V)

    def _rows(self, prompt: Tokens, canvas: Canvas) -> NDArray[np.float64]:
        tokens = (*prompt, *canvas)
        rows = shaped(self.name, self._marginals(tokens), (len(canvas), len(self.vocabulary)), tokens)
        for i, token in enumerate(canvas):
            if token is None:
                total = float(np.exp(rows[i]).sum())
                require_normalised(self.name, total, f"at position {i} of {tokens}", "marginals")
        return rows
