"""Distributions over the texts of any-order models: `model.text(prompt, length=12, order="random").given(language)`.

A canvas of `length` positions after the prompt is filled one position after another;
the text ends before the first end-of-sequence token, and what follows that is summed
over. The order is part of the law: a model's conditionals need not agree between orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.programs.orders import (
    LOW_CONFIDENCE,
    RANDOM,
    Canvas,
    check_order,
    looks_at_language,
    open_positions,
    ranking_of,
)
from pgen.programs.orders import Order as Policy
from pgen.programs.strings import StringDistribution

if TYPE_CHECKING:
    from pgen.backends.base import AnyOrder

LogRows = NDArray[np.floating[Any]]
Order = Policy | tuple[int, ...]
FIXED = ("left_to_right", "dilated", RANDOM)
"""Orders that do not depend on what the model says."""


@dataclass(frozen=True, kw_only=True)
class AnyOrderDistribution(StringDistribution):
    """What an any-order model writes into `length` positions after `prompt`; build it with `model.text(...)`.

    `draft` bounds the tokens that are drawn at once and verified by one density pass.
    """

    drafter: ClassVar[str] = "pgen.inference.drafting.anyorder:AnyOrderDrafter"

    model: AnyOrder
    prompt: tuple[int, ...]
    length: int
    order: Order = "left_to_right"
    draft: int = 8

    @property
    def adaptive(self) -> bool:
        """Whether the next position depends on what the model says: then tokens are drawn one by one."""
        return not isinstance(self.order, tuple) and self.order not in FIXED


def anyorder_distribution(
    model: AnyOrder, prompt: tuple[int, ...], *, length: int, order: Policy | Sequence[int], draft: int
) -> AnyOrderDistribution:
    """Check the arguments of `model.text` and build the distribution."""
    if length < 1:
        raise InvalidArgument(f"length={length}: must be at least 1")
    if len(prompt) + length > model.context_length:
        raise InvalidArgument(
            f"{len(prompt)} tokens of prompt and {length} positions, but {model.name} has room for "
            f"{model.context_length} in all",
            hint="use a smaller length or a shorter prompt",
        )
    if draft < 1:
        raise InvalidArgument(f"draft={draft}: must be at least 1", hint="1 draws token by token")
    checked = _checked(order, length)
    return AnyOrderDistribution(model=model, prompt=prompt, length=length, order=checked, draft=draft)


def _checked(order: Policy | Sequence[int], length: int) -> Order:
    if isinstance(order, Sequence) and not isinstance(order, str):
        if sorted(order) != list(range(length)):
            raise InvalidArgument(f"order={tuple(order)}: a permutation of 0 .. {length - 1} is needed")
        return tuple(order)
    check_order(order)
    if order == LOW_CONFIDENCE or looks_at_language(order):
        raise InvalidArgument(
            f"order={order!r} is for masked diffusion: an any-order model draws one position at a time",
            hint='for instance order="confidence"',
        )
    return order


def next_positions(order: Order, canvas: Canvas, rows: LogRows) -> list[tuple[int, float]]:
    """Open positions with the probability that each is filled next; `rows (L, V)` are log-probabilities there."""
    positions = open_positions(canvas)
    if order == RANDOM:
        return [(i, 1 / len(positions)) for i in positions.tolist()]
    return [(_first(order, canvas, positions, rows), 1.0)]


def _first(order: Order, canvas: Canvas, positions: NDArray[np.int64], rows: LogRows) -> int:
    if isinstance(order, tuple):
        return next(i for i in order if canvas[i] is None)
    ranking = ranking_of(order)
    if ranking is not None:
        return int(positions[np.argmax(ranking.scores(positions, rows[positions]))])
    assert callable(order)
    chosen = int(order(canvas, rows)[0])
    if chosen not in positions:
        raise InvalidArgument(f"the order chose position {chosen}; open are {positions.tolist()}")
    return chosen
