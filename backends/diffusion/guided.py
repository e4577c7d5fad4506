"""Classifier-free guidance: a masked diffusion model pushed away from what it says without its prompt.

    log q(v) = (1 + s) log p(v | prompt) - s log p(v | without) + const,

position by position and normalised (Ho and Salimans 2022; Nie et al., "Scaling up masked
diffusion models on text", 2024). It is a masked diffusion model like any other, so that everything
exact about them is exact about it; two evaluations of the model behind it a canvas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pgen.backends.base import Canvas, LogMarginals, MaskedDiffusion, Tokens
from pgen.backends.diffusion.behind import Behind
from pgen.errors import InvalidArgument


class Guided(Behind[MaskedDiffusion]):
    """`model` with guidance of strength s; at 0 it is the model itself.

    `without=None`: the prompt's own positions are masked, as LLaDA does it. Otherwise `without` is
    another prompt, which the text is to be unlike. Tokens that are impossible with
    the prompt stay impossible.
    """

    def __init__(self, model: MaskedDiffusion, strength: float, without: str | None = None) -> None:
        if not math.isfinite(strength) or strength < 0:
            raise InvalidArgument(f"strength={strength}: guidance is a finite number of at least 0")
        if without is None and model.block_length is not None:
            raise InvalidArgument(
                f"without=None masks the prompt, but {model.name} masks only the block at work",
                hint="name another prompt: without='...'",
            )
        super().__init__(model, "guided")
        self._strength = strength
        self._without = None if without is None else model.encode(without)
        self.context_length -= len(self._without or ())
        self.block_length = model.block_length

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> LogMarginals:
        wanted = self.model.marginals(prompts, canvases)  # (B, L, V)
        if self._strength == 0.0:
            return wanted
        return _pushed(wanted, self._unprompted(prompts, canvases, wanted), self._strength)

    def _unprompted(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas], like: Any) -> Any:
        """The marginals without the prompts, `(B, L, V)`."""
        if self._without is not None:
            return self.model.marginals([self._without] * len(canvases), canvases)
        rows = like.copy() if isinstance(like, np.ndarray) else like.clone()
        for size in {len(prompt) for prompt in prompts}:
            chosen = [b for b, prompt in enumerate(prompts) if len(prompt) == size]
            masked = [(None,) * size + canvases[b] for b in chosen]
            rows[chosen] = self.model.marginals([()] * len(chosen), masked)[:, size:]
        return rows


def _pushed(wanted: Any, unwanted: Any, strength: float) -> LogMarginals:
    """`(B, L, V)`; what is impossible without the prompt counts as if it were no less likely there than e^-30."""
    if isinstance(wanted, np.ndarray):
        pushed = (1.0 + strength) * wanted - strength * np.maximum(unwanted, -30.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(pushed - np.logaddexp.reduce(pushed, axis=-1, keepdims=True))
    pushed = (1.0 + strength) * wanted - strength * unwanted.clamp(min=-30.0)
    made: LogMarginals = pushed.log_softmax(dim=-1)
    return made
