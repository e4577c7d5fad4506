"""Truncation rules: which tokens a model's own distribution keeps, before any mask.

A rule is part of the model (`p` itself changes and is normalised over what it
keeps); a mask comes on top. Rules are applied after the temperature. Ties at the
border are kept. Sources: top-p, Holtzman et al. 2020; min-p, Nguyen et al. 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument

Logits = NDArray[np.floating[Any]]


class Truncation(Protocol):
    """A hashable rule."""

    def __call__(self, logits: Logits) -> Logits:
        """`(V,)` logits with -inf in place of what is cut."""
        ...


@dataclass(frozen=True)
class TopK:
    """Keep the `k` likeliest tokens."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InvalidArgument(f"TopK({self.k}): k must be at least 1")

    def __call__(self, logits: Logits) -> Logits:
        if self.k >= len(logits):
            return logits
        border = np.partition(logits, -self.k)[-self.k]
        return np.where(logits >= border, logits, -np.inf)


@dataclass(frozen=True)
class TopP:
    """Keep the smallest set of likeliest tokens whose mass reaches `p`."""

    p: float

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1:
            raise InvalidArgument(f"TopP({self.p}): p must lie in (0, 1]")

    def __call__(self, logits: Logits) -> Logits:
        if self.p == 1:
            return logits
        order = np.argsort(-logits, kind="stable")
        mass = np.exp(logits[order].astype(np.float64) - float(logits.max()))
        reached = np.cumsum(mass) / mass.sum()
        border = logits[order[int(np.searchsorted(reached, self.p))]]
        return np.where(logits >= border, logits, -np.inf)


@dataclass(frozen=True)
class MinP:
    """Keep the tokens at least `p` times as likely as the likeliest one."""

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise InvalidArgument(f"MinP({self.p}): p must lie in [0, 1]")

    def __call__(self, logits: Logits) -> Logits:
        if self.p == 0:
            return logits
        return np.where(logits >= logits.max() + np.log(self.p), logits, -np.inf)
