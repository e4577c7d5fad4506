"""log probabilities of observed values; equal observations of texts are scored once a run."""

from __future__ import annotations

from collections.abc import Sequence

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.drafting.drafts import at_sites
from pgen.programs.effects import Observe
from pgen.programs.strings import StringDistribution

TOLERANCE = 1e-6
"""Nats to which a sum over all spellings is known."""


def observe_all(context: Context, effects: Sequence[Observe]) -> list[float]:
    """`(N,)` log probabilities, -inf outside the support. Raises `InvalidArgument` for a value of the wrong type."""
    return [_observe(context, effect) for effect in effects]


def _observe(context: Context, effect: Observe) -> float:
    distribution = effect.distribution
    if not isinstance(distribution, StringDistribution):
        return distribution.log_prob(effect.value)
    if not isinstance(effect.value, str):
        raise InvalidArgument(
            f"observe {effect.address!r}: a text distribution needs a string, got {type(effect.value).__name__}"
        )
    key = (distribution, str(effect.value), effect.tokenization)
    known = context.recall(key)
    if known is not None:
        return known
    drafter = context.drafter(distribution)
    with at_sites([effect.address]):
        return context.remember(key, drafter.score(distribution, effect.value, effect.tokenization, TOLERANCE))
