"""What a builder lays, noted as it goes and written out at once: edges, words, copies of fragments, lists of items.

Python notes an integer or two for each part; one kernel writes the rows. Linear in the rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import Edges, Fragment

Ints = NDArray[np.int32]


Frame = tuple[int, int, int | None, int | None, bytes]
"""Between which states items are listed, the symbols that call separator and colon, and a colon that is a word."""


Way = tuple[int, int, int]
"""The number of an item, or what else is to be laid, between which states."""
COLON, SEPARATOR = -1, -2


class Listed(NamedTuple):
    """States of a list: item i runs from `now + i` to `begun + i`, its value from `values[i]`."""

    begun: int
    now: int
    values: list[int]


class Tape:
    """Rows to be written; `n_states` are numbered so far."""

    def __init__(self) -> None:
        self.n_states = 0
        self._edges, self._jumps, self._words, self._copies = array("i"), array("i"), array("i"), array("i")
        self._lists, self._items = array("i"), array("i")
        self._data = bytearray()
        self._parts: list[Fragment] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._n_edges, self._n_jumps, self._n_copied = 0, 0, 0

    @property
    def n_edges(self) -> int:
        """Edges so far."""
        return (len(self._edges) + 2 * len(self._items)) // 4 + len(self._data) + self._n_copied

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

    def listed(self, words: Sequence[bytes], kinds: bytes, symbols: Sequence[int | None], frame: Frame) -> Listed:
        """Items in order with separators between them: of each a word, a colon and a value, or the value alone.

        `kinds` are those of `ir.Separated`, `symbols` call values; where there is no symbol, the caller lays what is
        to be between the states.
        """
        start, end, separator, colon, fixed = frame
        count, first, items, values = len(words), self.n_states, self._items, []
        now, state = first + 2 * count - 1, first + 3 * count - 1
        self._lists.extend((start, end, first, count, separator or 0, colon or 0, len(fixed) > 0, len(self._data)))
        for i, (word, kind, symbol) in enumerate(zip(words, kinds, symbols, strict=True)):
            length, begin = 0, now + i
            if word:
                self._data += word
                self._data += fixed
                length = len(word) + len(fixed)
                state += length if fixed else length + 1
                begin = state - 1
            values.append(begin)
            items.extend((begin, symbol or 0, length, kind))
        self.n_states = state
        return Listed(first + count - 1, now, values)

    def at_will(self, words: Sequence[bytes], kinds: str, symbols: Sequence[int | None], frame: Frame) -> list[Way]:
        """Items in any order; of each a word, a colon and a value, or the value alone.

        For each set (bits) of items that came and cannot come again there is a state in which the next one begins, and
        one behind the item. Returns what has no symbol, to be laid by the caller.
        """
        start, end, separator, colon, fixed = frame
        once = [(i, 1 << bit) for bit, i in enumerate(i for i, kind in enumerate(kinds) if kind in "1?")]
        many = [(i, 0) for i, kind in enumerate(kinds) if kind in "*+"]
        needed, n_sets = sum(bit for i, bit in once if kinds[i] == "1"), 1 << len(once)
        now, apart = self.new(2 * n_sets), list[Way]()
        begun, places = now + n_sets, [self._noted(word + fixed if word else b"") for word in words]
        # The words are among the data once, but each is laid several times: `n_edges` counts data and copies.
        self._n_copied -= sum(length for _, length in places)
        self.jump(start, now)
        for came in range(n_sets):
            ways = [(i, bit) for i, bit in once if not came & bit] + many
            for i, bit in ways:
                here, (place, length) = now + came, places[i]
                if length:
                    state = self.n_states
                    self._words.extend((here, state, state + 1, place, length))
                    self.n_states = state + length if fixed else state + length + 1
                    self._n_copied += length
                    here = state if fixed else self.n_states - 1
                    if not fixed:
                        self._way(COLON, colon, state, here, apart)
                self._way(i, symbols[i], here, begun + (came | bit), apart)
            if came & needed == needed:
                self.jump(begun + came, end)
            if ways:
                self._way(SEPARATOR, separator, begun + came, now + came, apart)
        return apart

    def _noted(self, word: bytes) -> tuple[int, int]:
        """Where a word lies that may be laid several times, and its length."""
        self._data += word
        return len(self._data) - len(word), len(word)

    def _way(self, part: int, symbol: int | None, here: int, onward: int, apart: list[Way]) -> None:
        if symbol is None:
            apart.append((part, here, onward))
        else:
            self._edges.extend((here, symbol, symbol, onward))

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
        found: tuple[Edges, Edges] = written(*self.notes())
        return found

    def notes(self) -> tuple[Ints, NDArray[np.uint8], Edges, Edges]:
        """What the kernel `written` takes: the notes in one row, words, and the fragments to be copied."""
        inner_edges, inner_jumps = _NO_EDGES, _NO_JUMPS
        if self._parts:
            inner_edges = np.concatenate([part.edges for part in self._parts])
            inner_jumps = np.concatenate([part.jumps for part in self._parts])
        kinds = (self._edges, self._jumps, self._words, self._copies, self._lists, self._items)
        noted = array("i", [len(rows) // width for rows, width in zip(kinds, _WIDTHS, strict=True)])
        for rows in kinds:
            noted += rows
        return np.frombuffer(noted, np.int32), np.frombuffer(self._data + b"\0", np.uint8), inner_edges, inner_jumps


_NO_EDGES, _NO_JUMPS = np.zeros((0, 4), np.int32), np.zeros((0, 2), np.int32)


_WIDTHS = (4, 2, 5, 7, 8, 4)
_WIDTH_OF = np.array(_WIDTHS)


@njit(cache=True)
def _rows(notes: Ints, kind: int) -> Ints:
    """The notes of one kind, a row each."""
    at = len(_WIDTHS)
    for before in range(kind):
        at += notes[before] * _WIDTH_OF[before]
    width = _WIDTH_OF[kind]
    return notes[at : at + notes[kind] * width].reshape(notes[kind], width)


@njit(cache=True)
def written(notes: Ints, data: NDArray[np.uint8], inner_edges: Ints, inner_jumps: Ints) -> tuple[Ints, Ints]:
    """The edges and jumps of a tape, by its `notes`."""
    edges, jumps, words = _rows(notes, np.int64(0)), _rows(notes, np.int64(1)), _rows(notes, np.int64(2))
    copies, lists, items = _rows(notes, np.int64(3)), _rows(notes, np.int64(4)), _rows(notes, np.int64(5))
    n_edges, n_jumps = edges.shape[0], jumps.shape[0]
    count, n_all = n_edges + 4 * items.shape[0], n_jumps + 4 * items.shape[0]
    for k in range(items.shape[0]):
        count += items[k, 2]
    for k in range(words.shape[0]):
        count += words[k, 4]
    for k in range(copies.shape[0]):
        count += copies[k, 4]
        n_all += copies[k, 6]
    all_edges, all_jumps = np.empty((count, 4), np.int32), np.empty((n_all, 2), np.int32)
    for e in range(n_edges):
        for part in range(4):
            all_edges[e, part] = edges[e, part]
    for j in range(n_jumps):
        all_jumps[j, 0], all_jumps[j, 1] = jumps[j, 0], jumps[j, 1]
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
    at = 0
    for k in range(lists.shape[0]):
        n_edges, n_jumps = _put_list(lists[k], items[at:], data, all_edges, n_edges, all_jumps, n_jumps)
        at += lists[k, 3]
    return all_edges[:n_edges], all_jumps[:n_jumps]


@njit(inline="always")
def _put_list(
    frame: Ints, items: Ints, data: NDArray[np.uint8], edges: Ints, n_edges: int, jumps: Ints, n_jumps: int
) -> tuple[int, int]:
    """One list; items are fresh (nothing came yet), now, or begun (something came, the next item is next)."""
    fresh, end, first, count = np.int64(frame[0]), frame[1], np.int64(frame[2]), np.int64(frame[3])
    separator, colon, is_fixed, at = np.int64(frame[4]), np.int64(frame[5]), frame[6], np.int64(frame[7])
    jumps[n_jumps, 0], jumps[n_jumps, 1] = first + 2 * count - 2, end
    n_jumps += 1
    for i in range(count):
        begin, symbol, length, kind = np.int64(items[i, 0]), np.int64(items[i, 1]), items[i, 2], items[i, 3]
        begun, now = first + count - 1 + i, first + 2 * count - 1 + i
        jumps[n_jumps, 0], jumps[n_jumps, 1] = fresh, now
        n_jumps += 1
        if i and separator:
            n_edges = _put(edges, n_edges, begun - 1, separator, now)
        if separator and (kind in (_ANY, _SOME)):
            n_edges = _put(edges, n_edges, begun, separator, now)
        if (kind in (_MAYBE, _ANY)) and i + 1 < count:
            jumps[n_jumps, 0], jumps[n_jumps, 1] = fresh, first + i
            n_jumps += 1
        if (kind in (_MAYBE, _ANY)) and i:
            jumps[n_jumps, 0], jumps[n_jumps, 1] = begun - 1, begun
            n_jumps += 1
        here, inside = now, begin - length + is_fixed
        for k in range(length):
            onward = inside + k if k + 1 < length else begin if is_fixed else begin - 1
            n_edges = _put(edges, n_edges, here, np.int64(data[at + k]), onward)
            here = onward
        at += length
        if length and colon:
            n_edges = _put(edges, n_edges, begin - 1, colon, begin)
        if symbol:
            n_edges = _put(edges, n_edges, begin, symbol, begun)
        fresh = first + i
    return n_edges, n_jumps


_MAYBE, _ANY, _SOME = b"?*+"


@njit(cache=True)
def _put(edges: Ints, n_edges: int, start: int, symbol: int, end: int) -> int:
    edges[n_edges, 0], edges[n_edges, 1], edges[n_edges, 2], edges[n_edges, 3] = start, symbol, symbol, end
    return n_edges + 1


@njit(cache=True)
def _named(state: int, copies: Ints, k: int) -> int:
    """A state of a fragment as it is called in its copy."""
    return int(copies[k, state] if state < 2 else copies[k, 2] + state - 2)
