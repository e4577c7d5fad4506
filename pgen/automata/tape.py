"""What a builder lays, noted as it goes and written out at once: edges, words byte by byte, and copies of fragments.

Python notes an integer or two for each part; one kernel writes the rows. Linear in the rows.
"""

from __future__ import annotations

from array import array

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import Edges, Fragment

Ints = NDArray[np.int32]


class Tape:
    """Rows to be written; `n_states` are numbered so far."""

    def __init__(self) -> None:
        self.n_states = 0
        self._edges, self._jumps, self._words, self._copies = array("i"), array("i"), array("i"), array("i")
        self._data = bytearray()
        self._parts: list[Fragment] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._n_edges, self._n_jumps, self._n_copied = 0, 0, 0

    @property
    def n_edges(self) -> int:
        """Edges so far."""
        return len(self._edges) // 4 + len(self._data) + self._n_copied

    def new(self, count: int) -> int:
        """The first of so many new states."""
        first = self.n_states
        self.n_states += count
        return first

    def edge(self, start: int, low: int, high: int, end: int) -> None:
        """One edge."""
        self._edges.extend((start, low, high, end))

    def jump(self, start: int, end: int) -> None:
        """One epsilon edge."""
        self._jumps.extend((start, end))

    def word(self, data: bytes, start: int, end: int) -> None:
        """The bytes of a word that has some, through new states."""
        self._words.extend((start, end, self.n_states, len(self._data), len(data)))
        self._data += data
        self.n_states += len(data) - 1

    def copy(self, part: Fragment, start: int, end: int) -> None:
        """A fragment between two states; its rules are left out."""
        place = self._places.get(id(part))
        if place is None:
            place = self._places[id(part)] = self._n_edges, self._n_jumps
            self._parts.append(part)
            self._n_edges += len(part.edges)
            self._n_jumps += len(part.jumps)
        self._copies.extend((start, end, self.n_states, place[0], len(part.edges), place[1], len(part.jumps)))
        self._n_copied += len(part.edges)
        self.n_states += part.n_states - 2

    def written(self) -> tuple[Edges, Edges]:
        """`(E, 4)` edges and `(J, 2)` jumps."""
        edges, jumps = _rows(self._edges, 4), _rows(self._jumps, 2)
        if not self._words and not self._copies:
            return edges, jumps
        inner_edges, inner_jumps = _NO_EDGES, _NO_JUMPS
        if self._parts:
            inner_edges = np.concatenate([part.edges for part in self._parts])
            inner_jumps = np.concatenate([part.jumps for part in self._parts])
        data = np.frombuffer(self._data + b"\0", np.uint8)
        words, copies = _rows(self._words, 5), _rows(self._copies, 7)
        found: tuple[Edges, Edges] = _written(edges, jumps, words, data, copies, inner_edges, inner_jumps)
        return found


_NO_EDGES, _NO_JUMPS = np.zeros((0, 4), np.int32), np.zeros((0, 2), np.int32)


def _rows(noted: array[int], width: int) -> Ints:
    return np.array(noted, np.int32).reshape(-1, width)


@njit(cache=True)
def _written(
    edges: Ints,
    jumps: Ints,
    words: Ints,
    data: NDArray[np.uint8],
    copies: Ints,
    inner_edges: Ints,
    inner_jumps: Ints,
) -> tuple[Ints, Ints]:
    n_edges, n_jumps = edges.shape[0], jumps.shape[0]
    count, n_all = n_edges, n_jumps
    for k in range(words.shape[0]):
        count += words[k, 4]
    for k in range(copies.shape[0]):
        count += copies[k, 4]
        n_all += copies[k, 6]
    all_edges, all_jumps = np.empty((count, 4), np.int32), np.empty((n_all, 2), np.int32)
    all_edges[:n_edges] = edges
    all_jumps[:n_jumps] = jumps
    for k in range(words.shape[0]):
        here, length = words[k, 0], words[k, 4]
        for i in range(length):
            onward = words[k, 2] + i if i + 1 < length else words[k, 1]
            byte = np.int32(data[words[k, 3] + i])
            all_edges[n_edges, 0], all_edges[n_edges, 3] = here, onward
            all_edges[n_edges, 1] = all_edges[n_edges, 2] = byte
            n_edges += 1
            here = onward
    for k in range(copies.shape[0]):
        for e in range(copies[k, 3], copies[k, 3] + copies[k, 4]):
            all_edges[n_edges, 0] = _named(inner_edges[e, 0], copies, k)
            all_edges[n_edges, 1], all_edges[n_edges, 2] = inner_edges[e, 1], inner_edges[e, 2]
            all_edges[n_edges, 3] = _named(inner_edges[e, 3], copies, k)
            n_edges += 1
        for j in range(copies[k, 5], copies[k, 5] + copies[k, 6]):
            all_jumps[n_jumps, 0] = _named(inner_jumps[j, 0], copies, k)
            all_jumps[n_jumps, 1] = _named(inner_jumps[j, 1], copies, k)
            n_jumps += 1
    return all_edges, all_jumps


@njit(cache=True)
def _named(state: int, copies: Ints, k: int) -> int:
    """A state of a fragment as it is called in its copy."""
    return int(copies[k, state] if state < 2 else copies[k, 2] + state - 2)
