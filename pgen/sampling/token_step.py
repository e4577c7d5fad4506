"""One masked step for a batch of particles: weigh what is allowed, draw from it.

The kernel lives in `token_kernels` (numba); `reference_step` is the definition.
Log-softmax: exponentials in the dtype of the logits, sums in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import ModelError
from pgen.sampling.rng import Rng, uniforms

STOP = -1
"""In place of a token: the text ends here."""
DEAD = -2
"""In place of a token: nothing allowed has any mass."""

Packed = NDArray[np.uint32]


class StopMass(IntEnum):
    """What the text can end with, beside an EOS token in the mask."""

    NONE = 0
    LEAVING = 1
    """The mass of the tokens in `leaving` (rule "match": those that leave the language)."""
    ONE = 2
    """Mass 1, whatever comes next (rule "prefix")."""


class Distribution(NamedTuple):
    """Exponentiated logits of several prefixes: `weights (R, V)`, `totals (R,)` float64."""

    weights: NDArray[np.floating[Any]]
    totals: NDArray[np.float64]
    factors: tuple[Factor, ...] = ()
    """What was multiplied, for products: the mass of an event is the product of its masses, not a sum of products."""


class Factor(NamedTuple):
    """The probabilities of one expert `(R, V)`, and the power that it has in a product."""

    probabilities: NDArray[np.float64]
    power: float

    def mass(self, row: int, tokens: NDArray[np.int64]) -> float:
        """The probability of any of `tokens`, to the power; 0 stays 0."""
        probability = float(self.probabilities[row, tokens].sum())
        return probability**self.power if probability > 0 else 0.0


class Choice(NamedTuple):
    """What one particle may do next; packed masks are `(ceil(V / 32),)` uint32."""

    mask: Packed
    leaving: Packed
    stop: StopMass


class Drawn(NamedTuple):
    """`tokens (B,)` (`STOP`, `DEAD` or an id) and `log_weights (B,)`: log of the allowed mass."""

    tokens: NDArray[np.int64]
    log_weights: NDArray[np.float64]


def exponentiate(logits: NDArray[np.floating[Any]]) -> Distribution:
    """Weights proportional to the model's probabilities, `(R, V)`; raises `ModelError` on NaN or +inf."""
    top = logits.max(axis=1, keepdims=True)  # (R, 1)
    if not np.isfinite(top).all():
        row = int(np.flatnonzero(~np.isfinite(top[:, 0]))[0])
        raise ModelError(
            f"the model returned {float(top[row, 0])} as its largest logit (row {row} of the batch)",
            hint="NaN or infinite logits usually mean corrupt weights or a dtype with too little range",
        )
    weights = np.exp(logits - top)
    return Distribution(weights, weights.sum(axis=1, dtype=np.float64))


def multiplied(factors: Sequence[Factor]) -> Distribution:
    """The product of experts, not normalised: a weight's ratio to its total is the mass itself. Rows may be empty."""
    possible = np.all([factor.probabilities > 0 for factor in factors], axis=0)  # (R, V)
    log_masses = np.full(possible.shape, -np.inf)
    log_masses[possible] = sum(factor.power * np.log(factor.probabilities[possible]) for factor in factors)
    top = log_masses.max(axis=1)  # (R,)
    top[np.isneginf(top)] = 0.0
    return Distribution(np.exp(log_masses - top[:, None]), np.exp(-top), tuple(factors))


def step(given: Distribution, rows: Sequence[int], choices: Sequence[Choice], rngs: Sequence[Rng]) -> Drawn:
    """Draw for each particle b from `choices[b]` under `given` row `rows[b]`.

    The log weight is the mass of everything allowed (stop included), so that
    draw times weight is the model's own measure restricted to the choice.
    """
    from pgen.sampling.token_kernels import step_kernel

    points = uniforms(rngs, lambda i: lambda: _breakpoints(given, rows[i], choices[i]))
    drawn = Drawn(np.empty(len(choices), np.int64), np.empty(len(choices), np.float64))
    distinct = {id(choice): choice for choice in choices}
    order = {key: n for n, key in enumerate(distinct)}
    which = [order[id(choice)] for choice in choices]
    step_kernel(
        given.weights,
        given.totals,
        np.asarray(rows, np.int64),
        np.stack([choice.mask for choice in distinct.values()])[which],
        np.stack([choice.leaving for choice in distinct.values()])[which],
        np.array([choice.stop for choice in distinct.values()], np.int8)[which],
        points,
        *drawn,
    )
    return drawn


def outcome_masses(given: Distribution, row: int, choice: Choice) -> tuple[float, NDArray[np.int64], Any]:
    """`(stop, tokens, masses)`: the probability of stopping, and of each allowed token with any mass (float64)."""
    weights, total = given.weights[row], float(given.totals[row])
    tokens = unpack(choice.mask, len(weights))
    masses = weights[tokens].astype(np.float64) / total
    stop = 0.0
    if choice.stop is StopMass.LEAVING:
        leaving = unpack(choice.leaving, len(weights))
        stop = float(weights[leaving].sum(dtype=np.float64)) / total
        if given.factors:
            stop = math.prod(factor.mass(row, leaving) for factor in given.factors)
    elif choice.stop is StopMass.ONE:
        stop = 1.0
    keep = masses > 0
    return stop, tokens[keep], masses[keep]


def reference_step(given: Distribution, row: int, choice: Choice, uniform: float) -> tuple[int, float]:
    """`(token, log_weight)` of one particle: the definition that the kernel equals."""
    stop, tokens, masses = outcome_masses(given, row, choice)
    mass = stop + float(masses.sum())
    if mass <= 0:
        return DEAD, -np.inf
    running = np.cumsum(masses) + stop
    if uniform * mass < stop or not len(tokens):
        return STOP, float(np.log(mass))
    index = min(int(np.searchsorted(running, uniform * mass, side="right")), len(tokens) - 1)
    return int(tokens[index]), float(np.log(mass))


def _breakpoints(given: Distribution, row: int, choice: Choice) -> NDArray[np.float64]:
    stop, _, masses = outcome_masses(given, row, choice)
    running = np.concatenate([[stop], stop + np.cumsum(masses)])
    return running / running[-1] if running[-1] > 0 else np.ones(1)


def unpack(mask: Packed, size: int) -> NDArray[np.int64]:
    """The ids below `size` whose bit is set, ascending; few of them are looked for in the words that have some."""
    words = np.flatnonzero(mask)
    if 4 * len(words) > len(mask):
        return np.flatnonzero(_bits(mask)[:size])
    at = np.flatnonzero(_bits(mask[words]))
    ids = 32 * words[at // 32] + at % 32
    return ids[ids < size]


def _bits(words: Packed) -> NDArray[np.uint8]:
    return np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")


def pack(tokens: Sequence[int] | NDArray[np.int64], size: int) -> Packed:
    """The packed mask `(ceil(size / 32),)` of some token ids."""
    bits = np.zeros(-(-size // 32) * 32, np.uint8)
    bits[np.asarray(tokens, np.int64)] = 1
    return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)
