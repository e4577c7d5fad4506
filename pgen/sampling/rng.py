"""Random numbers as a pure function of (seed, place), so that results do not depend on batching.

`CounterRng` is Philox-4x64 (Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011): the seed is the key, the place is the counter. `rng.at(t, i)`
names the stream of particle i at step t; no stream depends on what was drawn
from another one, so neither order nor batch size can change a result.

Samplers draw through `uniform(breakpoints)`: the breakpoints say where in [0, 1)
the outcome changes. `CounterRng` ignores them; `pgen.testing.EnumeratingRng`
walks through all intervals, which turns a sampler into its exact law.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument

Breakpoints = Callable[[], NDArray[np.float64]]
"""Cumulative probabilities in (0, 1], increasing, the last one 1."""


class Rng(Protocol):
    """What every sampler of pgen asks of a source of randomness."""

    def at(self, *place: int) -> Rng:
        """The independent stream of a place (at most three non-negative numbers, nested calls append)."""
        ...

    def uniform(self, breakpoints: Breakpoints | None = None) -> float:
        """A float64 in [0, 1); `breakpoints` (if given) must be where the outcome changes."""
        ...

    def seed(self) -> int:
        """A 63-bit seed for libraries that bring their own generator."""
        ...


class CounterRng:
    """Philox keyed by a seed; each place is a stream of its own."""

    __slots__ = ("_generator", "_place", "_seed")

    def __init__(self, seed: int, place: tuple[int, ...] = ()) -> None:
        if seed < 0:
            raise InvalidArgument(f"seed must not be negative, got {seed}")
        self._seed = seed
        self._place = place
        self._generator: np.random.Generator | None = None

    def at(self, *place: int) -> CounterRng:
        joined = self._place + place
        if len(joined) > 3:
            raise InvalidArgument(f"a place has at most three numbers, got {joined}")
        return CounterRng(self._seed, joined)

    def uniform(self, breakpoints: Breakpoints | None = None) -> float:
        return float(self._stream().random())

    def seed(self) -> int:
        return int(self._stream().integers(0, 2**63))

    def _stream(self) -> np.random.Generator:
        if self._generator is None:
            # Word 0 counts the draws within a stream; the place fills the other three, plus one
            # so that a shorter place is never the same stream as one padded with zeros.
            words = [0] + [number + 1 for number in self._place] + [0] * (3 - len(self._place))
            key = [self._seed % 2**64, self._seed // 2**64 % 2**64]
            self._generator = np.random.Generator(
                np.random.Philox(key=np.array(key, np.uint64), counter=np.array(words, np.uint64))
            )
        return self._generator
