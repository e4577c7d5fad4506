"""What is remembered of the gaps of one token automaton: vectors and rows by number, in a bounded space.

When the space is full it is doubled, and from a bound on emptied, as the cache of a lazy
automaton is, and filled anew by what is asked for. `epoch` says since when numbers are valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.automata.memory import memory_of
from pgen.gaps.kernels import FAR, closure
from pgen.gaps.store_kernels import moved, numbered

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]

MAX_BYTES = 1 << 26
"""Memory for what is remembered of one automaton, unless a single sequence needs more."""
FIRST_ENTRIES = 1024


class GapStore:
    """The arrays behind `store_kernels`; `cost` is that of an insertion, 0 or 1. Not thread-safe by itself."""

    def __init__(self, table: TokenTable, cost: int) -> None:
        delta = np.asarray(table.delta, np.int32)
        self.cost = cost
        self.epoch = 0
        self._accepting = np.asarray(table.accepting, np.bool_)
        self._fixed = (np.ascontiguousarray(delta.T), *_neighbours(delta), *_edges(delta))
        n_states, n_classes = delta.shape
        self._most_entries = MAX_BYTES // (4 * (n_states + 6 * n_classes + 18))
        self._allocate(FIRST_ENTRIES)

    @property
    def rows(self) -> Ints:
        """`(R, C)`: the rows by number."""
        return self._rows

    @property
    def vectors(self) -> Ints:
        """`(M, Q)`: the vectors by number."""
        return self._vectors

    def make_room(self, *, bounded: bool) -> None:
        """Twice as much, or, where that is `bounded` and too much, by forgetting everything."""
        n_entries, arrays, memory = len(self._vectors), self._arrays, self.memory
        if not bounded or 2 * n_entries <= self._most_entries:
            self._allocate(2 * n_entries)
            moved(memory, self.memory)
            del arrays  # kept alive until here: `memory` holds addresses only
        else:
            self._allocate(n_entries)
            self.epoch += 1

    def _allocate(self, n_entries: int) -> None:
        n_classes, n_states = self._fixed[0].shape
        self._vectors = np.zeros((n_entries, n_states), np.int32)
        self._rows = np.zeros((4 * n_entries, n_classes), np.int32)
        self._counts = np.array([0, 0, self.cost], np.int32)
        steps = np.zeros((n_entries, n_classes), np.int32), np.zeros((n_entries, n_classes), np.int32)
        pairs = np.zeros((4 * n_entries, 2), np.int32)
        places = np.zeros(2 * n_entries, np.int32), np.zeros(8 * n_entries, np.int32)
        self._arrays = (*self._fixed, self._vectors, places[0], *steps, self._rows, pairs, places[1], self._counts)
        self.memory = memory_of(self._arrays)
        self.first = self._closed(np.arange(n_states) == 0, *self._fixed[1:3])
        self.last = self._closed(self._accepting, *self._fixed[3:5])

    def _closed(self, inside: NDArray[np.bool_], first: Ints, targets: Ints) -> int:
        distances = np.where(inside, 0, FAR).astype(np.int32)
        closure(distances, first, targets, self.cost)
        return int(numbered(self.memory, distances))


def _edges(delta: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Edges by source with targets and labels, and the classes of each label: equal sets of classes are one label."""
    numbers: dict[tuple[int, ...], int] = {}
    first, targets, labels = [0], list[int](), list[int]()
    for row in delta.tolist():
        leading: dict[int, list[int]] = {}
        for token_class, target in enumerate(row):
            if target >= 0:
                leading.setdefault(target, []).append(token_class)
        targets += leading
        labels += [numbers.setdefault(tuple(classes), len(numbers)) for classes in leading.values()]
        first.append(len(targets))
    bounds = np.cumsum([0, *map(len, numbers)])
    members = [token_class for classes in numbers for token_class in classes]
    return _ints32(first), _ints32(targets), _ints32(labels), _ints32(bounds), _ints32(members)


def _ints32(values: ArrayLike) -> Ints:
    return np.asarray(values, np.int32)


def _neighbours(delta: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Successors and predecessors of every state as compressed rows, each once."""
    sources, classes = np.nonzero(delta >= 0)
    pairs = np.unique(np.stack([sources, delta[sources, classes]], 1), axis=0)
    return *_compressed(pairs, len(delta)), *_compressed(pairs[:, ::-1], len(delta))


def _compressed(pairs: NDArray[np.int64], n_states: int) -> tuple[Ints, Ints]:
    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    first = np.searchsorted(ordered[:, 0], np.arange(n_states + 1))
    return first.astype(np.int32), np.ascontiguousarray(ordered[:, 1], np.int32)
