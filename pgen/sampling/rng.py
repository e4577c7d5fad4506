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

from collections.abc import Callable, Sequence
from typing import Protocol, overload

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

    __slots__ = ("_first", "_generator", "_n_drawn", "_place", "_seed")

    def __init__(self, seed: int, place: tuple[int, ...] = ()) -> None:
        if seed < 0:
            raise InvalidArgument(f"seed must not be negative, got {seed}")
        self._seed = seed
        self._place = place
        self._generator: np.random.Generator | None = None
        self._n_drawn = 0
        self._first: float | None = None

    def at(self, *place: int) -> CounterRng:
        """The stream at a place, a pure function of seed and numbers."""
        joined = self._place + place
        if len(joined) > 3:
            raise InvalidArgument(f"a place has at most three numbers, got {joined}")
        return CounterRng(self._seed, joined)

    def uniform(self, breakpoints: Breakpoints | None = None) -> float:
        """The next number in [0, 1) of this stream; `breakpoints` are for enumeration and ignored here."""
        if self._first is not None and self.is_fresh:
            self.skip()
            return self._first
        return float(self._stream().random())

    def several(self, count: int) -> NDArray[np.float64]:
        """The numbers that so many calls of `uniform` would return."""
        if self._first is not None and self.is_fresh:
            return np.array([self.uniform() for _ in range(count)], np.float64)
        return self._stream().random(count)

    def seed(self) -> int:
        """An integer seed for another generator, drawn from this stream."""
        return int(self._stream().integers(0, 2**63))

    @property
    def is_fresh(self) -> bool:
        """Whether nothing has been drawn from it."""
        return self._generator is None and self._n_drawn == 0

    @property
    def key(self) -> tuple[int, int]:
        """The seed as two words of 64 bits."""
        return self._seed % 2**64, self._seed // 2**64 % 2**64

    @property
    def place(self) -> tuple[int, ...]:
        """Where it is."""
        return self._place

    @property
    def words(self) -> tuple[int, int, int]:
        """The upper words of the counter: the place, plus one so that a shorter place is not one padded with zeros."""
        place = self._place
        if len(place) == 2:
            return place[0] + 1, place[1] + 1, 0
        first, second, third = (*place, -1, -1, -1)[:3]
        return first + 1, second + 1, third + 1

    def skip(self) -> None:
        """Count the first number of the stream as drawn."""
        self._n_drawn = 1

    def foresee(self, first: float) -> None:
        """Be told the first number of the stream, which is then not computed again."""
        self._first = first

    def _stream(self) -> np.random.Generator:
        if self._generator is None:
            # Word 0 counts the draws within a stream; the place fills the other three.
            key, counter = np.array(self.key, np.uint64), np.array((0, *self.words), np.uint64)
            self._generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
            self._generator.random(self._n_drawn)
        return self._generator


class Streams(Sequence[Rng]):
    """The streams `rng.at(i)` of many places i, each made when it is asked for."""

    def __init__(self, rng: CounterRng, places: Sequence[int]) -> None:
        self._rng = rng
        self._places = places
        self._made: dict[int, CounterRng] = {}
        self._n_drawn = 0

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Rng: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rng]: ...
    def __getitem__(self, index: int | slice) -> Rng | Sequence[Rng]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        place = self._places[index]
        if place not in self._made:
            self._made[place] = self._rng.at(place)
            if self._n_drawn:
                self._made[place].skip()
        return self._made[place]

    def first_uniforms(self) -> NDArray[np.float64] | None:
        """`(N,)` the first `uniform` of each, which then counts as drawn; `None` if one was made before."""
        if self._made or self._n_drawn or not self._places:
            return None
        from pgen.sampling.philox import first_uniforms

        words = np.zeros((len(self), 3), np.uint64)
        words[:] = self._rng.at(self._places[0]).words
        words[:, len(self._rng.place)] = np.asarray(self._places, np.uint64) + np.uint64(1)
        self._n_drawn = 1
        keys = np.broadcast_to(np.array(self._rng.key, np.uint64), (len(self), 2))
        drawn: NDArray[np.float64] = first_uniforms(np.ascontiguousarray(keys), words)
        return drawn


def streams(rng: Rng, places: Sequence[int]) -> Sequence[Rng]:
    """`rng.at(i)` for distinct places i."""
    return Streams(rng, places) if isinstance(rng, CounterRng) else [rng.at(i) for i in places]


def uniforms(rngs: Sequence[Rng], breakpoints: Callable[[int], Breakpoints]) -> NDArray[np.float64]:
    """`(N,)` one `uniform` from each; where all are untouched counter streams, in one kernel call.

    `breakpoints(i)` belongs to draw i. The numbers are the same either way.
    """
    at_once = rngs.first_uniforms() if isinstance(rngs, Streams) else None
    if at_once is not None:
        return at_once
    streams = [rng for rng in rngs if isinstance(rng, CounterRng) and rng.is_fresh]
    if not streams or len({id(stream) for stream in streams}) < len(rngs):
        return np.array([rng.uniform(breakpoints(i)) for i, rng in enumerate(rngs)], np.float64)
    drawn = _first_uniforms(streams)
    for stream in streams:
        stream.skip()
    return drawn


def foresee(rngs: Sequence[Rng]) -> None:
    """Compute the first `uniform` of all untouched counter streams in one kernel call; none counts as drawn."""
    streams = [rng for rng in rngs if isinstance(rng, CounterRng) and rng.is_fresh]
    if streams:
        for stream, first in zip(streams, _first_uniforms(streams).tolist(), strict=True):
            stream.foresee(first)


def _first_uniforms(streams: Sequence[CounterRng]) -> NDArray[np.float64]:
    from pgen.sampling.philox import first_uniforms

    by_seed = {stream._seed: stream.key for stream in streams}
    keys = np.array([by_seed[stream._seed] for stream in streams], np.uint64)
    places = np.array([stream.words for stream in streams], np.uint64)
    drawn: NDArray[np.float64] = first_uniforms(keys, places)
    return drawn
