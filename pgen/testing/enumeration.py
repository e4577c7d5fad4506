"""Turn a sampler into its exact law by walking through all of its random choices.

A sampler takes its randomness as an argument (`pgen.sampling.Rng`) and says with
every draw where the outcome changes. `enumerate_outcomes` re-runs it once per path
through these intervals (the idea of genlm-control's `TraceSWOR`): the returned
probabilities are exact and sum to 1. Cost: one run per path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pgen.errors import LimitExceeded
from pgen.sampling.rng import Breakpoints

Outcome = TypeVar("Outcome")


class EnumeratingRng:
    """Follows `path` (interval numbers), then takes first intervals; records what it could have taken."""

    def __init__(self, path: list[int]) -> None:
        self.path = path
        self.sizes: list[int] = []
        self.probability = 1.0

    def at(self, *place: int) -> EnumeratingRng:
        return self

    def uniform(self, breakpoints: Breakpoints | None = None) -> float:
        """The middle of an interval between breakpoints; intervals narrower than 1e-15 are skipped."""
        if breakpoints is None:
            raise TypeError("this sampler draws a uniform without breakpoints: it cannot be enumerated")
        ends = np.asarray(breakpoints(), np.float64)
        starts = np.concatenate([[0.0], ends[:-1]])
        wide = np.flatnonzero(ends - starts > 1e-15)
        depth = len(self.sizes)
        self.sizes.append(len(wide))
        if depth == len(self.path):
            self.path.append(0)
        chosen = wide[self.path[depth]]
        self.probability *= float(ends[chosen] - starts[chosen])
        return float((starts[chosen] + ends[chosen]) / 2)

    def seed(self) -> int:
        raise TypeError("this sampler seeds a generator of its own: it cannot be enumerated")


def enumerate_outcomes(
    sampler: Callable[[EnumeratingRng], Outcome], max_paths: int = 1_000_000
) -> list[tuple[float, Outcome]]:
    """`(probability, outcome)` of every path through the random choices of `sampler(rng)`."""
    outcomes: list[tuple[float, Outcome]] = []
    path: list[int] | None = []
    while path is not None:
        if len(outcomes) >= max_paths:
            raise LimitExceeded(f"the sampler has more than {max_paths} paths", hint="use fewer particles or tokens")
        rng = EnumeratingRng(path)
        outcome = sampler(rng)
        outcomes.append((rng.probability, outcome))
        path = _next_path(rng)
    return outcomes


def _next_path(rng: EnumeratingRng) -> list[int] | None:
    """The next path in lexicographic order, `None` after the last."""
    path = rng.path[: len(rng.sizes)]
    while path and path[-1] + 1 == rng.sizes[len(path) - 1]:
        path.pop()
    if not path:
        return None
    path[-1] += 1
    return path
