"""Any-order models as denoisers that commit one position a step: the same law, drawn with a look-ahead.

An any-order model's conditionals are the marginals of a canvas. One commit a step in a
given order is what drawing position by position in that order is, so that masses agree;
but a step of a canvas sums over all fillings inside the language (`pgen.inference.drafting.canvas_steps`),
where drawing by masks alone sees no farther than what is possible. Templates need that:
where their fixed parts stand is settled with the first positions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import AnyOrder, Canvas, Message, Tokens
from pgen.errors import InvalidArgument, ModelError
from pgen.programs.orders import Choose, Order, Ranking
from pgen.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class AsDenoiser:
    """Implements `pgen.backends.base.MaskedDiffusion`; equal for equal models, so that their calls are joined."""

    model: AnyOrder

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def vocabulary(self) -> Vocabulary:
        return self.model.vocabulary

    @property
    def context_length(self) -> int:
        return self.model.context_length

    @property
    def block_length(self) -> None:
        """All positions are predicted at once."""
        return

    def encode(self, prompt: str) -> Tokens:
        return self.model.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> NoReturn:
        raise ModelError(f"{self.name} has no chat template")

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> NDArray[np.floating[Any]]:
        rows: dict[int, NDArray[np.floating[Any]]] = {}
        of_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, prompt in enumerate(prompts):
            of_length[len(prompt)].append(i)
        for n_prompt, indices in of_length.items():
            found = np.asarray(self.model.conditionals([(*prompts[i], *canvases[i]) for i in indices]))
            rows.update(zip(indices, found[:, n_prompt:], strict=True))  # (L, V) each
        return np.stack([rows[i] for i in range(len(prompts))])  # (B, L, V)


@dataclass(frozen=True)
class Permutation(Ranking):
    """The positions one after another, as listed."""

    positions: tuple[int, ...]

    def scores(self, positions: NDArray[np.int64], rows: Any) -> NDArray[np.float64]:
        return -np.argsort(self.positions)[positions].astype(np.float64)


@dataclass(frozen=True)
class First:
    """Of the positions that a function chooses, the first."""

    order: Choose

    def __call__(self, canvas: Canvas, rows: Any) -> Sequence[int]:
        return list(self.order(canvas, rows))[:1]


def one_by_one(order: Order | Sequence[int], length: int) -> Order:
    """An order of an any-order model as one that commits a position a step. Raises `InvalidArgument`."""
    if isinstance(order, Sequence) and not isinstance(order, str):
        if sorted(order) != list(range(length)):
            raise InvalidArgument(f"order={tuple(order)}: a permutation of 0 .. {length - 1} is needed")
        return Permutation(tuple(order))
    return First(order) if callable(order) and not isinstance(order, Ranking) else order
