"""Numba kernels over a `GapStore`: vectors and rows of gaps by number, each worked out once.

Distance vectors are numbered by content, so that the step from one gap to the next, over a
token, is a transition of an automaton that is made as it is needed (as lazy determinisation
makes one): `AFTER` and `BEFORE` hold what is known of it. A row, what may be put into
a gap, is known by the numbers of its two vectors. Numbers are kept plus one, 0 is unknown.

The cells of a sequence of n tokens are int32 `(5, n + 1)`, a column for each gap: the class of
the token behind it (of none, -1, at the end), forward vector, backward vector, row, and the
state that the tokens before it lead to (-1: none).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pgen.automata.memory import Memory, int_rows, ints
from pgen.gaps.kernels import Ints, after, before, closure, insertable

DELTA, NEXT_FIRST, NEXT, LAST_FIRST, LAST = range(5)
"""Transitions `(C, Q)`, then successors and predecessors as compressed rows."""
EDGE_FIRST, EDGE_TARGET, EDGE_LABEL, LABEL_FIRST, LABEL_CLASS = range(5, 10)
"""Edges with labels, as `insertable` reads them."""
VECTORS, VECTOR_PLACES, AFTER, BEFORE, ROWS, ROW_PAIRS, ROW_PLACES, COUNTS = range(10, 18)
"""What is remembered; `COUNTS` are the vectors and rows there are, and the cost of an insertion."""
CLASS, FORWARD, BACKWARD, ROW, REACHED = range(5)
"""The rows of cells."""
FULL = -1
"""In place of a number: there is no room for another one."""


@njit(inline="always")
def _mixed(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _sign(distances: Ints) -> np.uint64:
    """A hash, in two lanes that do not wait for each other."""
    even, odd, size = np.uint64(1), np.uint64(2), distances.shape[0]
    for state in range(0, size - 1, 2):
        even = (even ^ np.uint64(distances[state])) * np.uint64(0x100000001B3)
        odd = (odd ^ np.uint64(distances[state + 1])) * np.uint64(0x100000001B3)
    last = np.uint64(distances[size - 1])
    sign: np.uint64 = _mixed(_mixed(even ^ last) ^ odd)
    return sign


@njit(cache=True, nogil=True)
def numbered(memory: Memory, distances: Ints) -> int:
    """The number of a vector, a new one if it was not seen before; or `FULL`."""
    vectors, places, counts = int_rows(memory, VECTORS), ints(memory, VECTOR_PLACES), ints(memory, COUNTS)
    at = np.int64(_sign(distances) & np.uint64(places.shape[0] - 1))
    while places[at]:
        known = vectors[places[at] - 1]
        state = 0
        while state < distances.shape[0] and known[state] == distances[state]:
            state += 1
        if state == distances.shape[0]:
            seen: int = places[at] - 1
            return seen
        at = (at + 1) & (places.shape[0] - 1)
    number: int = counts[0]
    if number == vectors.shape[0]:
        return FULL
    vectors[number] = distances
    counts[0] = places[at] = number + 1
    return number


@njit(cache=True, nogil=True)
def forward_after(memory: Memory, vector: int, token_class: int) -> int:
    """The forward vector behind a token of this class, given the one before it; or `FULL`."""
    known = int_rows(memory, AFTER)
    if not known[vector, token_class]:
        distances = after(int_rows(memory, VECTORS)[vector], int_rows(memory, DELTA), token_class)
        closure(distances, ints(memory, NEXT_FIRST), ints(memory, NEXT), ints(memory, COUNTS)[2])
        known[vector, token_class] = numbered(memory, distances) + 1
    number: int = known[vector, token_class] - 1
    return number


@njit(cache=True, nogil=True)
def backward_before(memory: Memory, vector: int, token_class: int) -> int:
    """The backward vector before a token of this class, given the one behind it; or `FULL`."""
    known = int_rows(memory, BEFORE)
    if not known[vector, token_class]:
        distances = before(int_rows(memory, VECTORS)[vector], int_rows(memory, DELTA), token_class)
        closure(distances, ints(memory, LAST_FIRST), ints(memory, LAST), ints(memory, COUNTS)[2])
        known[vector, token_class] = numbered(memory, distances) + 1
    number: int = known[vector, token_class] - 1
    return number


@njit(cache=True, nogil=True)
def _row_place(memory: Memory, forward: int, backward: int) -> np.int64:
    """Where the row between two vectors is noted, or would be."""
    pairs, places = int_rows(memory, ROW_PAIRS), ints(memory, ROW_PLACES)
    sign = _mixed(np.uint64(forward) << np.uint64(32) | np.uint64(backward))
    at = np.int64(sign & np.uint64(places.shape[0] - 1))
    while places[at] and not (pairs[places[at] - 1, 0] == forward and pairs[places[at] - 1, 1] == backward):
        at = (at + 1) & (places.shape[0] - 1)
    return at


@njit(cache=True, nogil=True)
def row_between(memory: Memory, forward: int, backward: int) -> int:
    """The row of the gap between two vectors; or `FULL`."""
    rows, pairs, places = int_rows(memory, ROWS), int_rows(memory, ROW_PAIRS), ints(memory, ROW_PLACES)
    counts, vectors, at = ints(memory, COUNTS), int_rows(memory, VECTORS), _row_place(memory, forward, backward)
    number: int = places[at] - 1
    if number >= 0:
        return number
    number = counts[1]
    if number == rows.shape[0]:
        return FULL
    first, targets, labels = ints(memory, EDGE_FIRST), ints(memory, EDGE_TARGET), ints(memory, EDGE_LABEL)
    bounds, members = ints(memory, LABEL_FIRST), ints(memory, LABEL_CLASS)
    insertable(vectors[forward], vectors[backward], first, targets, labels, bounds, members, rows[number])
    pairs[number, 0], pairs[number, 1] = forward, backward
    counts[1] = places[at] = number + 1
    return number


@njit(cache=True, nogil=True)
def moved(memory: Memory, larger: Memory) -> None:
    """Copy what is remembered to a larger store, under the same numbers."""
    counts, pairs = ints(memory, COUNTS), int_rows(memory, ROW_PAIRS)
    for number in range(counts[0]):
        numbered(larger, int_rows(memory, VECTORS)[number])
    int_rows(larger, AFTER)[: counts[0]] = int_rows(memory, AFTER)[: counts[0]]
    int_rows(larger, BEFORE)[: counts[0]] = int_rows(memory, BEFORE)[: counts[0]]
    for number in range(counts[1]):
        at = _row_place(larger, pairs[number, 0], pairs[number, 1])
        int_rows(larger, ROWS)[number] = int_rows(memory, ROWS)[number]
        int_rows(larger, ROW_PAIRS)[number] = pairs[number]
        ints(larger, ROW_PLACES)[at] = number + 1
    ints(larger, COUNTS)[1] = counts[1]


@njit(cache=True, nogil=True)
def started(memory: Memory, cells: Ints) -> bool:
    """Fill `cells`, whose classes, first and last vector and first state are set; `False` if there is no room."""
    delta, size = int_rows(memory, DELTA), cells.shape[1]
    for at in range(1, size):
        cells[FORWARD, at] = forward_after(memory, cells[FORWARD, at - 1], cells[CLASS, at - 1])
        if cells[FORWARD, at] == FULL:
            return False
        state = cells[REACHED, at - 1]
        cells[REACHED, at] = delta[cells[CLASS, at - 1], state] if state >= 0 else -1
    for at in range(size - 2, -1, -1):
        cells[BACKWARD, at] = backward_before(memory, cells[BACKWARD, at + 1], cells[CLASS, at])
        if cells[BACKWARD, at] == FULL:
            return False
    fits: bool = _with_rows(memory, cells, 0, size)
    return fits


@njit(cache=True, nogil=True)
def inserted(memory: Memory, cells: Ints, gap: int, token_class: int, grown: Ints) -> bool:
    """Fill `grown`, the cells after a token is put into a gap; `False` if there is no room.

    What lies before the gap keeps its forward vectors, what lies behind it the backward
    ones; the others are followed until one is as before.
    """
    delta, size = int_rows(memory, DELTA), grown.shape[1]
    grown[:, : gap + 1] = cells[:, : gap + 1]
    grown[:, gap + 1 :] = cells[:, gap:]
    grown[CLASS, gap] = token_class
    low, high = gap, gap + 1
    while high < size:
        vector = forward_after(memory, grown[FORWARD, high - 1], grown[CLASS, high - 1])
        if vector == FULL:
            return False
        if vector == grown[FORWARD, high]:
            break
        grown[FORWARD, high] = vector
        high += 1
    while low >= 0:
        vector = backward_before(memory, grown[BACKWARD, low + 1], grown[CLASS, low])
        if vector == FULL:
            return False
        if vector == grown[BACKWARD, low]:
            break
        grown[BACKWARD, low] = vector
        low -= 1
    for at in range(gap + 1, size):
        state = grown[REACHED, at - 1]
        grown[REACHED, at] = delta[grown[CLASS, at - 1], state] if state >= 0 else -1
    fits: bool = _with_rows(memory, grown, low + 1, max(high, gap + 1))
    return fits


@njit(cache=True, nogil=True)
def _with_rows(memory: Memory, cells: Ints, low: int, high: int) -> bool:
    """Set the rows of the gaps `low` to `high - 1`."""
    for at in range(low, high):
        cells[ROW, at] = row_between(memory, cells[FORWARD, at], cells[BACKWARD, at])
        if cells[ROW, at] == FULL:
            return False
    return True
