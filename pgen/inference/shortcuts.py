"""Methods of text distributions that need inference: `sample` and `log_prob`."""

from __future__ import annotations

from typing import overload

import numpy as np

from pgen.errors import InvalidArgument, ZeroEvidence
from pgen.inference.context import Context
from pgen.inference.importance import Importance
from pgen.inference.infer import infer
from pgen.programs.strings import StringDistribution, Text, Tokenization

ROUNDING = 1e-6
"""Nats by which draws without weight may differ: their masses are sums over a vocabulary."""


@overload
def sample_text(distribution: StringDistribution, seed: int, n: None) -> Text: ...
@overload
def sample_text(distribution: StringDistribution, seed: int, n: int) -> list[Text]: ...
def sample_text(distribution: StringDistribution, seed: int, n: int | None) -> Text | list[Text]:
    """Draws from the posterior: ancestral where a draw has no weight, else by `infer`'s automatic method."""
    count = 1 if n is None else n
    if count < 1:
        raise InvalidArgument(f"n={n}: must be at least 1")
    drawn = (distribution.language is None and _ancestral(distribution, seed, count)) or infer(
        distribution, seed=seed
    ).sample(seed, count)
    return drawn[0] if n is None else drawn


def _ancestral(distribution: StringDistribution, seed: int, count: int) -> list[Text] | None:
    """Independent draws; `None` where they turn out to be weighted (by critics, or as a product)."""
    try:
        drawn = infer(distribution, method=Importance(count, lookahead=0), seed=seed)
    except ZeroEvidence:
        return None
    plain = len(drawn.values) == count and np.ptp(drawn.log_weights) < ROUNDING
    return list(drawn.values) if plain else None


def log_prob(distribution: StringDistribution, text: str, tokenization: Tokenization, tol: float) -> float:
    """log mass of `text`: its own spelling, or all of them to within `tol` nats."""
    if not tol > 0:
        raise InvalidArgument(f"tol={tol}: must be positive")
    return Context().drafter(distribution).score(distribution, text, tokenization, tol)
