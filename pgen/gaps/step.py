"""One constrained step of an insertion model: the masses of what is allowed, and a draw from them.

The step is the model's own, given that nothing goes into closed slots (a prompt, the
fixed parts of a template): its probabilities are divided by the mass of the open
slots and the stop. What the constraint then leaves is the weight of the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import ModelError
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert

if TYPE_CHECKING:
    from pgen.backends.base import Insertions

STOP = -1
"""In place of a slot: the sequence is complete."""
DEAD = -2
"""In place of a slot: nothing allowed has any mass."""


class OpenSlots(NamedTuple):
    """Consecutive slots from `first` on that take the tokens whose class is in their row of `within (S, C)`."""

    first: int
    within: NDArray[np.bool_]
    class_of: NDArray[np.integer]


class Choice(NamedTuple):
    """What may come next: tokens in the open slots, and the stop."""

    slots: Sequence[OpenSlots]
    stop: bool


class Masses(NamedTuple):
    """Probabilities of what is allowed: `stop`, and `tokens (S, V)` float64 for the open slots `slots (S,)`.

    `precise`: the model computes in float64.
    """

    stop: float
    slots: NDArray[np.int64]
    tokens: NDArray[np.float64]
    precise: bool


class Drawn(NamedTuple):
    """A token for a slot (`STOP` and `DEAD` stand in its place), and the log mass of all that was allowed."""

    slot: int
    token: int
    log_weight: float


def masses(step: Insertions, choice: Choice) -> Masses:
    """All 0 where the model has no mass for any open slot nor the stop; raises `ModelError` on NaN or +inf."""
    shown = [np.exp(step.slots[o.first : o.first + len(o.within)].astype(np.float64)) for o in choice.slots]  # (S, V)
    stop = float(np.exp(step.stop))
    total = stop + sum(float(block.sum()) for block in shown)
    if not np.isfinite(total):
        raise ModelError(
            f"the model returned log-probabilities whose exponentials sum to {total}",
            hint="NaN or infinite numbers usually mean corrupt weights or a dtype with too little range",
        )
    total = total or 1.0
    allowed = [
        np.where(o.within[:, o.class_of], block, 0.0) / total for o, block in zip(choice.slots, shown, strict=True)
    ]
    slots = np.concatenate([np.arange(o.first, o.first + len(o.within)) for o in choice.slots])
    precise = step.slots.dtype == np.float64
    return Masses(stop / total if choice.stop else 0.0, slots, np.concatenate(allowed), precise)


def draw(allowed: Masses, rng: Rng) -> Drawn:
    """The stop or a slot, then a token in it, each in proportion to its mass; two numbers of `rng`."""
    ways = np.append(allowed.stop, allowed.tokens.sum(1))  # (1 + S,)
    log_weight = log_or_ninf(float(ways.sum()))
    if log_weight == -np.inf:
        return Drawn(DEAD, DEAD, log_weight)
    way = invert(ways, rng)
    if way == 0:
        return Drawn(STOP, STOP, log_weight)
    return Drawn(int(allowed.slots[way - 1]), invert(allowed.tokens[way - 1], rng), log_weight)
