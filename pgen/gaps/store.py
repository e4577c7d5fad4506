"""What is remembered of the gaps of one token automaton: distance vectors by number, in a bounded space.

When it is full it is emptied, as the cache of a lazy automaton is, and filled anew by what is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.automata.memory import memory_of
from pgen.gaps.entries import Entries
from pgen.gaps.kernels import spread

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Small = NDArray[Any]
"""uint8 or uint16."""

MAX_BYTES = 1 << 27
"""Memory for the vectors of one automaton, unless a single sequence needs more."""
MAX_VECTORS = 1 << 16
MIN_VECTORS = 64
MOST = (1 << 14) - 1
"""The largest distance that is told; twice as much is a uint16."""
SMALL_MOST = 126
"""The largest distance for which bytes will do."""


class GapStore:
    """Vectors of a token table, with up to `most` insertions that are each charged with `cost` (0: mere sets).

    `memory` has the addresses of what `kernels` read and write, `like` the dtype of vectors. Not thread-safe by itself.
    """

    def __init__(self, table: TokenTable, cost: int, most: int) -> None:
        self.entries = e = Entries.of(table)
        self.like = np.empty(0, np.uint8 if most <= SMALL_MOST else np.uint16)
        self._bounds = np.array([cost, most, most + 1], np.int32)
        n_states, n_groups = e.delta.shape[1], len(e.member_first) - 1
        reaches = self._spread((n_states, n_groups), e.member, np.repeat(np.arange(n_groups), np.diff(e.member_first)))
        self._accepting = np.asarray(table.accepting, np.int32)
        ends = np.flatnonzero(table.accepting)
        nearest = self._spread((n_states, 1), ends, np.zeros_like(ends))[:, 0]
        onward = np.ascontiguousarray(reaches.T)
        self._before = reaches[0, e.group], (reaches, e.target, e.group, e.within_first, e.within)
        self._behind = nearest[e.target], (onward, e.group, e.target, e.member_first, e.member)
        n_bytes_each = 2 * len(e.target) * self.like.itemsize
        self._room = min(max(MAX_BYTES // n_bytes_each, MIN_VECTORS), MAX_VECTORS)
        self._empty()

    def make_room(self, *, bounded: bool) -> None:
        """Forget everything; if the space is not `bounded`, it is twice as large from now on."""
        self._room *= 1 if bounded else 2
        self._empty()

    def _empty(self) -> None:
        sides = [(*self._vectors(first), *lines) for first, lines in (self._before, self._behind)]
        self._arrays = (self.entries.delta, self.entries.class_first, self._accepting, self._bounds, *sides)
        self.memory = memory_of(self._arrays)

    def _vectors(self, first: Small) -> tuple[Small, NDArray[np.int32]]:
        vectors = np.empty((self._room, len(first)), self.like.dtype)  # taken page by page as it is filled
        vectors[0] = first
        return vectors, np.ones(1, np.int32)

    def _spread(self, shape: tuple[int, int], states: NDArray[Any], columns: NDArray[Any]) -> Small:
        """The fewest tokens from every state to one of the `states` of each column."""
        cost, _, far = self._bounds
        reaches = np.full(shape, far, self.like.dtype)
        reaches[states, columns] = 0
        spread(reaches, self.entries.next_first, self.entries.next, int(cost))
        return reaches
