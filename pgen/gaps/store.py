"""What is remembered of the gaps of one token automaton: distance vectors by number, in a bounded space.

All of it is set aside at once, and taken page by page as it is filled. When it is full it is
emptied, as the cache of a lazy automaton is, and filled anew by what is asked for. `epoch` says
since when numbers are valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.automata.memory import memory_of
from pgen.gaps.entries import Entries
from pgen.gaps.kernels import BEFORE_SIDE, BEHIND_SIDE, FAR, begin

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]

MAX_BYTES = 1 << 27
"""Memory for what is remembered of one automaton, unless a single sequence needs more."""
MAX_VECTORS = 1 << 15
MIN_VECTORS = 64
MOST = (1 << 14) - 1
"""The largest distance that is told; twice as much is a uint16."""
SMALL_MOST = 126
"""The largest distance for which bytes will do."""


class GapStore:
    """The arrays behind `kernels`, for distances of at most `most` (0: sets). Not thread-safe by itself.

    `memory` has their addresses, and `like` the dtype of vectors.
    """

    def __init__(self, table: TokenTable, cost: int, most: int) -> None:
        self.entries = Entries.of(table)
        self.cost, self.far = cost, most + 1
        self.epoch = 0
        self.like = np.empty(0, np.uint8 if most <= SMALL_MOST else np.uint16)
        self._accepting = np.asarray(table.accepting, np.bool_)
        self._room = min(max(MAX_BYTES // self._n_bytes_each, MIN_VECTORS), MAX_VECTORS)
        self._empty()

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.entries.delta)

    def make_room(self, *, bounded: bool) -> None:
        """Forget everything; if the space is not `bounded`, it is twice as large from now on."""
        self._room *= 1 if bounded else 2
        self.epoch += 1
        self._empty()

    @property
    def _n_bytes_each(self) -> int:
        """Memory for a vector and for what was added up to it, on both sides."""
        return 2 * (2 * len(self.entries.target) * self.like.itemsize + 8 * self.n_classes + 20)

    def _empty(self) -> None:
        bounds = np.array([self.cost, self.far], np.int32)
        n_states, n_groups = self.entries.delta.shape[1], len(self.entries.member_first) - 1
        e = self.entries
        before = *self._side(n_states, n_groups), e.target, e.group, e.within_first, e.within
        behind = *self._side(n_groups, n_states), e.group, e.target, e.member_first, e.member
        self._arrays = (*self.entries, bounds, *before, *behind)
        self.memory = memory_of(self._arrays)
        for side, at_gap in (BEFORE_SIDE, np.arange(n_states) == 0), (BEHIND_SIDE, self._accepting):
            begin(self.memory, self.like, side, np.where(at_gap, 0, FAR).astype(np.int32))

    def _side(self, n_lines: int, n_columns: int) -> tuple[NDArray[Any], ...]:
        """Without memory of anything but vector 0, no way, and the place of vector 1, the first or last of all."""
        n_entries, room, small = len(self.entries.target), self._room, self.like.dtype
        widest = int(np.diff(self.entries.class_first).max(initial=1))
        vectors = np.empty((room, n_entries), small)
        vectors[0] = self.far
        return (
            vectors,
            np.full(room, -1, np.int32),
            np.empty((room, widest), small),
            np.zeros(1 << (2 * room - 1).bit_length(), np.int32),
            np.zeros((room, self.n_classes), np.int32),
            np.zeros((room, self.n_classes), np.int32),
            np.empty((n_lines, n_columns), small),
            np.zeros(n_lines, np.int32),
            np.array([2], np.int32),
        )
