"""Numba kernels of the gaps of a sequence, over distances by entry that are numbered and remembered.

What may stand before a gap is told by a distance for each entry (`gaps.entries`) of the token
read there, and what may stand behind it likewise, so that a step from gap to gap is

    forward:   after(p') = min over entries p of the class just read of before(p) + R(p, p')
    backward:  before(p) = min over entries p' of the class read next of R(p, p') + after(p')

with R(p, p') the fewest tokens inserted between two entries: rows of bytes, added and compared
many at a time, one for each state that entries lead to (group of states that they are taken from).
Vectors are kept less their smallest element, and numbered by content, so
that a step is a transition of an automaton that is made as it is needed (as lazy
determinisation with residual weights makes one; Mohri 1997): an insertion is followed until a gap
has its old number again, from where on distances differ by a constant. Numbers are kept plus
one, 0 is unknown; number 0 is the vector without any way, and number 1 that of the first (last) gap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit
from numpy.typing import NDArray

from pgen.automata.memory import Memory, _pointer, int_rows, ints

Ints = NDArray[np.int32]
Small = NDArray[Any]
"""uint8 or uint16."""

FAR = 1 << 28
"""More tokens than any text has; the sum of three still is an int32."""
CLASS, BEFORE, BEFORE_BASE, BEHIND, BEHIND_BASE = range(5)
"""The rows of cells: class of the token behind a gap (of none, -1), numbers of its two vectors, and what to add."""
FEWEST, REACHED = range(2)
"""Facts: the fewest insertions to a member, and the state that the tokens lead to (-1: none)."""
FULL = -1
"""In place of a number: there is no room for another one."""


(DELTA, CLASS_FIRST, TARGET, GROUP, MEMBER_FIRST, MEMBER, WITHIN_FIRST, WITHIN) = range(8)
NEXT_FIRST, NEXT, LAST_FIRST, LAST = range(8, 12)
"""Places in `GapStore.memory` of the arrays of `Entries`."""
BOUNDS, BEFORE_SIDE, BEHIND_SIDE = 12, 13, 26
"""The cost of an insertion and what counts as too far; then the two sides of gaps, each with:"""
VECTORS, CLASSES, PACKED, PLACES, STEPS, SHIFTS, REACHES, REACHED_FROM, N_VECTORS = range(9)
LINE, COLUMN, NEAR_FIRST, NEAR = range(9, 13)
"""`vectors (M, P + 1)`: by entry. `classes (M,)` and `packed (M, T)`: the class that a vector was made of, and the
distances of its entries, less the smallest. `places`: where vectors are by content. `steps (M, C)`, `shifts (M, C)`:
the vector after (before) one more token, and what to add. `reaches`: the fewest tokens inserted between a line and
a column, if `reached_from` the line; before gaps from states to groups `(Q, G)`, behind them to groups from
states `(G, Q)`. `n_vectors (1,)`: how many there are. `line`, `column (P + 1,)`: those of entries; `near_first`,
`near`: the columns at distance 0 of a line."""


@njit(inline="always")
def _rows(memory: Memory, at: int, like: Small) -> Small:
    """Array `at` as that of `like`, of two dimensions."""
    opened: Small = carray(_pointer(memory[at, 0]), (memory[at, 1], memory[at, 2]), like.dtype)
    return opened


@njit(cache=True, nogil=True)
def _spread(distances: Ints, first: Ints, targets: Ints, cost: int) -> None:
    """Lower `distances (Q,)`, each 0 or `FAR`, to the shortest way to (from) a state at 0. Breadth first."""
    queue, count, at = np.empty(distances.shape[0], np.int32), 0, 0
    for state in range(distances.shape[0]):
        if distances[state] == 0:
            queue[count] = state
            count += 1
    while at < count:
        state = queue[at]
        at += 1
        for edge in range(first[state], first[state + 1]):
            if distances[targets[edge]] == FAR:
                distances[targets[edge]] = distances[state] + cost
                queue[count] = targets[edge]
                count += 1


@njit(cache=True, nogil=True)
def _columns_of(memory: Memory, side: int, distances: Ints) -> Ints:
    """The fewest tokens inserted up to (from) each column of a side, from (up to) the states at distance 0."""
    cost, far = ints(memory, BOUNDS)
    if side == BEHIND_SIDE:
        _spread(distances, ints(memory, LAST_FIRST), ints(memory, LAST), cost)
        near: Ints = np.minimum(distances, far).astype(np.int32)
        return near
    _spread(distances, ints(memory, NEXT_FIRST), ints(memory, NEXT), cost)
    first, members = ints(memory, MEMBER_FIRST), ints(memory, MEMBER)
    found = np.full(first.shape[0] - 1, far, np.int32)
    for group in range(found.shape[0]):
        for at in range(first[group], first[group + 1]):
            found[group] = min(found[group], distances[members[at]])
    return found


@njit(cache=True, nogil=True)
def _reach_of(memory: Memory, side: int, line: int) -> Ints:
    """The fewest tokens inserted between a line of a side and each of its columns."""
    distances = np.full(int_rows(memory, DELTA).shape[1], FAR, np.int32)
    if side == BEFORE_SIDE:
        distances[line] = 0
    else:
        first, members = ints(memory, MEMBER_FIRST), ints(memory, MEMBER)
        for at in range(first[line], first[line + 1]):
            distances[members[at]] = 0
    found: Ints = _columns_of(memory, side, distances)
    return found


@njit(cache=True, nogil=True)
def begin(memory: Memory, like: Small, side: int, distances: Ints) -> None:
    """Number 1, the vector before the first (behind the last) gap, from the states at distance 0; others are `FAR`."""
    found = _columns_of(memory, side, distances)
    columns, vector = ints(memory, side + COLUMN), _rows(memory, side + VECTORS, like)[1]
    for entry in range(vector.shape[0]):
        vector[entry] = found[columns[entry]]


@njit(cache=True, nogil=True)
def _nearest_first(packed: Small, far: int) -> Ints:
    """Where the distances below `far` are, the least first (counting sort)."""
    first = np.zeros(far + 1, np.int32)
    for distance in packed:
        if distance < far:
            first[distance + 1] += 1
    for distance in range(far):
        first[distance + 1] += first[distance]
    places = np.empty(first[far], np.int32)
    for at in range(packed.shape[0]):
        if packed[at] < far:
            places[first[packed[at]]] = at
            first[packed[at]] += 1
    return places


@njit(cache=True, nogil=True)
def _fill(memory: Memory, side: int, token_class: int, packed: Small, vector: Small) -> None:
    """The vector made of the distances of the entries of a class.

    An entry adds nothing where the columns nearest to its line are already as near: all ways lead through one of them.
    """
    first, far, small = ints(memory, CLASS_FIRST)[token_class], ints(memory, BOUNDS)[1], packed.dtype.type
    reaches, reached_from = _rows(memory, side + REACHES, packed), ints(memory, side + REACHED_FROM)
    near_first, near = ints(memory, side + NEAR_FIRST), ints(memory, side + NEAR)
    lines, columns = ints(memory, side + LINE), ints(memory, side + COLUMN)
    found = np.full(reaches.shape[1], far, packed.dtype)
    for at in _nearest_first(packed, far):
        line, base, known = lines[first + at], packed[at], True
        for place in range(near_first[line], near_first[line + 1]):
            known &= found[near[place]] <= base
        if known:
            continue
        reach = reaches[line]
        if not reached_from[line]:
            reach[:] = _reach_of(memory, side, line)
            reached_from[line] = 1
        for column in range(found.shape[0]):
            total, least = small(base + reach[column]), found[column]
            found[column] = total if total < least else least
    for entry in range(vector.shape[0]):
        vector[entry] = found[columns[entry]]


@njit(cache=True, nogil=True)
def _sign(token_class: int, packed: Small) -> np.uint64:
    """A hash of a vector before it is spread (FNV-1a, then the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    value = np.uint64(token_class + 1)
    for distance in packed:
        value = (value ^ np.uint64(distance)) * np.uint64(0x100000001B3)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _place(memory: Memory, side: int, token_class: int, packed: Small) -> int:
    """Where the vector is noted that is made of some distances, or would be."""
    places, classes = ints(memory, side + PLACES), ints(memory, side + CLASSES)
    known = _rows(memory, side + PACKED, packed)
    at = np.int64(_sign(token_class, packed) & np.uint64(places.shape[0] - 1))
    while places[at]:
        number = places[at] - 1
        if classes[number] == token_class:
            same = 0
            while same < packed.shape[0] and known[number, same] == packed[same]:
                same += 1
            if same == packed.shape[0]:
                break
        at = (at + 1) & (places.shape[0] - 1)
    return int(at)


@njit(cache=True, nogil=True)
def _numbered(memory: Memory, side: int, token_class: int, packed: Small) -> int:
    """The number of the vector made of distances of the entries of a class, a new one if need be; or `FULL`."""
    places, place = ints(memory, side + PLACES), _place(memory, side, token_class, packed)
    number: int = places[place] - 1
    if number >= 0:
        return number
    vectors, count = _rows(memory, side + VECTORS, packed), ints(memory, side + N_VECTORS)
    number = count[0]
    if number == vectors.shape[0]:
        return FULL
    _fill(memory, side, token_class, packed, vectors[number])
    ints(memory, side + CLASSES)[number] = token_class
    _rows(memory, side + PACKED, packed)[number, : packed.shape[0]] = packed
    count[0] = places[place] = number + 1
    return number


@njit(cache=True, nogil=True)
def _stepped(memory: Memory, like: Small, side: int, number: int, token_class: int) -> int:
    """The vector behind (before) a token of this class, given the one on the other side of it; or `FULL`."""
    steps = int_rows(memory, side + STEPS)
    if not steps[number, token_class]:
        bounds, far = ints(memory, CLASS_FIRST), ints(memory, BOUNDS)[1]
        shown = _rows(memory, side + VECTORS, like)[number, bounds[token_class] : bounds[token_class + 1]]
        least, packed = np.int64(far), np.empty(shown.shape[0], like.dtype)
        for distance in shown:
            least = min(least, np.int64(distance))
        following = 0
        if least < far:
            for at in range(shown.shape[0]):
                packed[at] = far if shown[at] == far else shown[at] - least
            following = _numbered(memory, side, token_class, packed)
            if following == FULL:
                return FULL
            int_rows(memory, side + SHIFTS)[number, token_class] = least
        steps[number, token_class] = following + 1
    found: int = steps[number, token_class] - 1
    return found


@njit(cache=True, nogil=True)
def _rest(memory: Memory, before: Small, behind: Small, rest: Ints) -> None:
    """The fewest further tokens after one of each class comes between two vectors: `rest (C,)`, less their bases."""
    bounds, far, small = ints(memory, CLASS_FIRST), ints(memory, BOUNDS)[1], before.dtype.type
    for token_class in range(rest.shape[0]):
        first, end = bounds[token_class], bounds[token_class + 1]
        left, right, least = before[first:end], behind[first:end], small(far)
        for at in range(left.shape[0]):  # over slices, so that many are added and compared at a time
            total = small(left[at] + right[at])
            least = total if total < least else least
        rest[token_class] = least if least < far else FAR


@njit(cache=True, nogil=True)
def _follow_before(memory: Memory, like: Small, cells: Ints, low: int) -> int:
    """Work out what stands before the gaps from `low` on, until the number is the old one; the gap where it is."""
    shifts = int_rows(memory, BEFORE_SIDE + SHIFTS)
    for gap in range(low, cells.shape[1]):
        last, token_class = cells[BEFORE, gap - 1], cells[CLASS, gap - 1]
        number = _stepped(memory, like, BEFORE_SIDE, last, token_class)
        if number == FULL:
            return FULL
        base = cells[BEFORE_BASE, gap - 1] + shifts[last, token_class]
        if number == cells[BEFORE, gap]:
            more = base - cells[BEFORE_BASE, gap]
            for at in range(gap, cells.shape[1]):
                cells[BEFORE_BASE, at] += more
            return gap
        cells[BEFORE, gap], cells[BEFORE_BASE, gap] = number, base
    behind_all: int = cells.shape[1]
    return behind_all


@njit(cache=True, nogil=True)
def _follow_behind(memory: Memory, like: Small, cells: Ints, high: int) -> int:
    """Work out what stands behind the gaps from `high` down, until the number is the old one; the gap after it."""
    shifts = int_rows(memory, BEHIND_SIDE + SHIFTS)
    for gap in range(high, -1, -1):
        last, token_class = cells[BEHIND, gap + 1], cells[CLASS, gap]
        number = _stepped(memory, like, BEHIND_SIDE, last, token_class)
        if number == FULL:
            return FULL
        base = cells[BEHIND_BASE, gap + 1] + shifts[last, token_class]
        if number == cells[BEHIND, gap]:
            more = base - cells[BEHIND_BASE, gap]
            for at in range(gap + 1):
                cells[BEHIND_BASE, at] += more
            return gap + 1
        cells[BEHIND, gap], cells[BEHIND_BASE, gap] = number, base
    return 0


@njit(cache=True, nogil=True)
def _tell(memory: Memory, like: Small, cells: Ints, rests: Ints, rows: Ints, facts: Ints) -> None:
    """Add bases to what is known of the gaps: `rows (gaps, C)` and `facts`."""
    delta, far, state = int_rows(memory, DELTA), ints(memory, BOUNDS)[1], 0
    for gap in range(cells.shape[1]):
        base = cells[BEFORE_BASE, gap] + cells[BEHIND_BASE, gap]
        for token_class in range(rows.shape[1]):
            total = base + rests[gap, token_class]
            rows[gap, token_class] = total if total < far else FAR
        if gap + 1 < cells.shape[1]:
            state = delta[cells[CLASS, gap], state] if state >= 0 else -1
    vectors = _rows(memory, BEHIND_SIDE + VECTORS, like)
    fewest = cells[BEHIND_BASE, 0] + np.int64(vectors[cells[BEHIND, 0], vectors.shape[1] - 1])
    facts[FEWEST], facts[REACHED] = fewest if fewest < far else FAR, state


@njit(cache=True, nogil=True)
def grown(memory: Memory, like: Small, gap: int, cells: Ints, rests: Ints, rows: Ints, facts: Ints) -> bool:
    """Finish `cells (5, gaps)`, `rests (gaps, C)`, `rows (gaps, C)`, `facts` after a token came into `gap`.

    On entry both gaps that came of one hold what that held. For a whole sequence (`gap` < 0) the
    first gap's `BEFORE` and the last gap's `BEHIND` are set, and other numbers are -1. `like` is an empty array
    with the dtype of vectors. `False` if there is no room.
    """
    high = _follow_before(memory, like, cells, max(gap, 0) + 1)
    low = _follow_behind(memory, like, cells, gap if gap >= 0 else cells.shape[1] - 2)
    if high == FULL or low == FULL:
        return False
    if gap < 0:
        low, high = 0, cells.shape[1]
    before, behind = _rows(memory, BEFORE_SIDE + VECTORS, like), _rows(memory, BEHIND_SIDE + VECTORS, like)
    for at in range(low, high):
        _rest(memory, before[cells[BEFORE, at]], behind[cells[BEHIND, at]], rests[at])
    _tell(memory, like, cells, rests, rows, facts)
    return True
