"""One constrained step of an insertion model: the masses of what is allowed, and a draw from them.

The step is the model's own, given that nothing goes into closed slots (a prompt, the
fixed parts of a template): its probabilities are divided by the mass of the open
slots and the stop. What the constraint then leaves is the weight of the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import ModelError
from pgen.gaps.step_kernels import picked, weighed
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.backends.base import Insertions

STOP = -1
"""In place of a slot: the sequence is complete."""
DEAD = -2
"""In place of a slot: nothing allowed has any mass."""


class OpenSlots(NamedTuple):
    """Consecutive slots from `first` on; one takes a token iff `further (S, C)` is at most `most` for its class."""

    first: int
    further: NDArray[np.int32]
    most: int
    class_of: NDArray[np.int32]


class Choice(NamedTuple):
    """What may come next: tokens in the open slots, and the stop."""

    slots: Sequence[OpenSlots]
    stop: bool


class Masses(NamedTuple):
    """Probabilities of what is allowed: `stop`, and `sums (S,)` float64 for the open slots `slots (S,)`.

    `tokens (S, V)` float64, times `share`, are those of tokens; `precise`: the model computes in float64.
    """

    stop: float
    slots: NDArray[np.int64]
    tokens: NDArray[np.float64]
    share: float
    sums: NDArray[np.float64]
    precise: bool


class Drawn(NamedTuple):
    """A token for a slot (`STOP` and `DEAD` stand in its place), and the log mass of all that was allowed."""

    slot: int
    token: int
    log_weight: float


def masses(step: Insertions, choice: Choice) -> Masses:
    """All 0 where the model has no mass for any open slot nor the stop; raises `ModelError` on NaN or +inf."""
    shown, stop = np.ascontiguousarray(step.slots), math.exp(step.stop)
    totals, tokens, sums = zip(
        *(weighed(shown, o.first, o.further, o.most, o.class_of) for o in choice.slots), strict=True
    )
    total = sum(totals, stop)
    if not math.isfinite(total):
        raise ModelError(
            f"the model returned log-probabilities whose exponentials sum to {total}",
            hint="NaN or infinite numbers usually mean corrupt weights or a dtype with too little range",
        )
    share = 1.0 / (total or 1.0)
    slots = [np.arange(o.first, o.first + len(o.further)) for o in choice.slots]
    return Masses(
        stop * share if choice.stop else 0.0,
        _joined(slots),
        _joined(tokens),
        share,
        _joined(sums) * share,
        step.slots.dtype == np.float64,
    )


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def draw(allowed: Masses, rng: Rng) -> Drawn:
    """The stop or a slot, then a token in it, each in proportion to its mass; two numbers of `rng`."""
    ways = np.append(allowed.stop, allowed.sums)  # (1 + S,)
    log_weight = log_or_ninf(float(ways.sum()))
    if log_weight == -np.inf:
        return Drawn(DEAD, DEAD, log_weight)
    way = pick(ways, rng)
    if way == 0:
        return Drawn(STOP, STOP, log_weight)
    return Drawn(int(allowed.slots[way - 1]), pick(allowed.tokens[way - 1], rng), log_weight)


def pick(weights: NDArray[np.float64], rng: Rng) -> int:
    """An index in proportion to its weight, of which some are above 0; one number of `rng`."""

    def breakpoints() -> NDArray[np.float64]:
        running = np.cumsum(weights)
        return np.asarray(running / running[-1], np.float64)

    return int(picked(weights, rng.uniform(breakpoints)))
