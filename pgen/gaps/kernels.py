"""Numba kernels of the gaps of a sequence, over the fewest tokens inserted before and behind every entry.

What may stand before a gap is told by a distance for each entry (`gaps.entries`) of the token
read there, and what may stand behind it likewise, so that a step from gap to gap is

    forward:   after(p') = min over entries p of the class just read of before(p) + R(p, p')
    backward:  before(p) = min over entries p' of the class read next of R(p, p') + after(p')

with R(p, p') the fewest tokens inserted between two entries: rows of bytes, added and compared
many at a time, one for each state that entries lead to (group of states that they are taken from).

An entry is dead where before and behind together are more than what is left. It then stays dead whatever is inserted,
since an insertion takes one from what is left and at most one from either distance, so that it need not be followed:
its distances may be told too large from then on, those of all others are right. An insertion changes
what is before the gaps behind it and behind the gaps before it, and is followed until no entry that was not dead
differs from what was known by more than a constant, which then holds for all gaps beyond. Vectors never change: a
sequence has the numbers of those of its gaps, and bases to add, and shares most of them with the one it came of.
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
FULL = -1
"""In place of a gap: there is no room for another vector."""
DELTA, CLASS_FIRST, ACCEPTING, BOUNDS, BEFORE, BEHIND = 0, 1, 2, 3, 4, 11
"""Places in `GapStore.memory`: `delta` and `class_first` of `Entries`, whether states accept; the cost of an insertion,
the most tokens of a text, and what counts as too far; then the two sides of gaps, each with:"""
VECTORS, N_VECTORS, REACHES, LINE, COLUMN, NEAR_FIRST, NEAR = range(7)
"""`vectors (M, P + 1)`: by entry; number 0 is that of the empty sequence. `n_vectors (1,)`: how many there are.
`reaches`: the fewest tokens inserted between a line and a column; before gaps from states to groups `(Q, G)`,
behind them to groups from states `(G, Q)`. `line`, `column (P + 1,)`: those of entries. `near_first`, `near`: the
columns at distance 0 of a line."""
OF_BEFORE, OF_BEHIND = 0, 1
"""The rows of `numbers` and `bases (2, gaps)`: which vectors stand before and behind every gap, and what to add."""


@njit(inline="always")
def _rows(memory: Memory, at: int, like: Small) -> Small:
    """Array `at` as that of `like`, of two dimensions."""
    opened: Small = carray(_pointer(memory[at, 0]), (memory[at, 1], memory[at, 2]), like.dtype)
    return opened


@njit(cache=True, nogil=True)
def spread(reaches: Small, next_first: Ints, following: Ints, cost: int) -> None:
    """Lower `reaches (Q, G)`, from each state itself, to the least over all ways: sweeps, last states first."""
    again, small = True, reaches.dtype.type
    while again:
        again = False
        for state in range(reaches.shape[0] - 1, -1, -1):
            here = reaches[state]
            for at in range(next_first[state], next_first[state + 1]):
                there, lower = reaches[following[at]], False
                for column in range(here.shape[0]):
                    total, least = small(there[column] + cost), here[column]
                    lower |= total < least
                    here[column] = total if total < least else least
                again |= lower


@njit(cache=True, nogil=True)
def _step(memory: Memory, side: int, token_class: int, known: Small, across: Small, left: int, found: Small) -> None:
    """The vector `found (P + 1,)` after (before) a token of a class, of that on its other side, `known`.

    `across`: what lies behind (before) the token; an entry is dead where the sum is more than `left`. It adds nothing
    where the columns nearest to its line are already as near: all ways lead through one of them. Most ways lead
    to later states (`gaps.merging`), so that those where they begin are taken first.
    """
    bounds, far, small = ints(memory, CLASS_FIRST), ints(memory, BOUNDS)[2], known.dtype.type
    reaches, lines = _rows(memory, side + REACHES, known), ints(memory, side + LINE)
    columns = ints(memory, side + COLUMN)
    near_first, near = ints(memory, side + NEAR_FIRST), ints(memory, side + NEAR)
    least = np.full(reaches.shape[1], far, known.dtype)
    first, end = bounds[token_class], bounds[token_class + 1]
    for at in range(first, end):
        entry = at if side == BEFORE else first + end - 1 - at
        base, line, beaten = known[entry], lines[entry], True
        if base + across[entry] > left:
            continue
        for place in range(near_first[line], near_first[line + 1]):
            beaten &= least[near[place]] <= base
        if not beaten:
            reach = reaches[line]
            for column in range(least.shape[0]):
                total, before = small(base + reach[column]), least[column]
                least[column] = total if total < before else before
    for entry in range(found.shape[0]):
        found[entry] = least[columns[entry]]


@njit(cache=True, nogil=True)
def _alike(known: Small, found: Small, across: Small, left: int, beyond: Small, left_beyond: int) -> tuple[bool, int]:
    """Whether all entries but those that were dead differ by a constant, and which; not if all were.

    `across`: what lies on the other side, if the token of an entry is inserted; `beyond`: if it is the next (last) one.
    """
    small, entry, different = known.dtype.type, 0, np.uint8(0)
    while known[entry] + across[entry] > left and known[entry] + beyond[entry] > left_beyond:
        entry += 1
        if entry == known.shape[0]:
            return False, 0
    shift, highest = np.int64(found[entry]) - np.int64(known[entry]), np.iinfo(known.dtype).max
    by, below = small(shift), small(min(max(left + 1, 0), highest))
    below_beyond = small(min(max(left_beyond + 1, 0), highest))
    for entry in range(known.shape[0]):
        before = known[entry]
        alive = small(before + across[entry]) < below or small(before + beyond[entry]) < below_beyond
        if alive and small(before + by) != found[entry]:
            different = np.uint8(1)
    alike: bool = different == 0
    return alike, int(shift)


@njit(cache=True, nogil=True)
def _follow_before(
    memory: Memory, like: Small, classes: Ints, gap: int, left: int, numbers: Ints, bases: Ints
) -> tuple[int, int]:
    """Work out what is before the gaps behind `gap`, up to the first where only the base is new, and by how much."""
    cost, last = ints(memory, BOUNDS)[0], numbers.shape[1] - 1
    before, behind = _rows(memory, BEFORE + VECTORS, like), _rows(memory, BEHIND + VECTORS, like)
    count = ints(memory, BEFORE + N_VECTORS)
    for high in range(gap + 1, last + 1):
        if count[0] == before.shape[0]:
            return FULL, 0
        base, known, across = bases[OF_BEFORE, high - 1], numbers[OF_BEFORE, high], behind[numbers[OF_BEHIND, high]]
        found, here = before[count[0]], left - bases[OF_BEHIND, high]
        _step(memory, BEFORE, classes[high - 1], before[numbers[OF_BEFORE, high - 1]], across, here - base, found)
        after, rest = min(high + 1, last), left + cost - bases[OF_BEFORE, high]
        alike, shift = _alike(
            before[known],
            found,
            across,
            rest - bases[OF_BEHIND, high],
            behind[numbers[OF_BEHIND, after]],
            rest - bases[OF_BEHIND, after],
        )
        if alike:
            more = base + shift - bases[OF_BEFORE, high]
            bases[OF_BEFORE, high:] += more
            return high, more
        numbers[OF_BEFORE, high], bases[OF_BEFORE, high] = count[0], base
        count[0] += 1
    return last + 1, 0


@njit(cache=True, nogil=True)
def _follow_behind(
    memory: Memory, like: Small, classes: Ints, gap: int, left: int, numbers: Ints, bases: Ints
) -> tuple[int, int]:
    """Work out what is behind the gaps down from `gap`, to the first where only the base is new, and by how much."""
    cost = ints(memory, BOUNDS)[0]
    before, behind = _rows(memory, BEFORE + VECTORS, like), _rows(memory, BEHIND + VECTORS, like)
    count = ints(memory, BEHIND + N_VECTORS)
    for low in range(gap, -1, -1):
        if count[0] == behind.shape[0]:
            return FULL, 0
        base, known, across = bases[OF_BEHIND, low + 1], numbers[OF_BEHIND, low], before[numbers[OF_BEFORE, low]]
        found, here = behind[count[0]], left - bases[OF_BEFORE, low]
        _step(memory, BEHIND, classes[low], behind[numbers[OF_BEHIND, low + 1]], across, here - base, found)
        ahead, rest = max(low - 1, 0), left + cost - bases[OF_BEHIND, low]
        alike, shift = _alike(
            behind[known],
            found,
            across,
            rest - bases[OF_BEFORE, low],
            before[numbers[OF_BEFORE, ahead]],
            rest - bases[OF_BEFORE, ahead],
        )
        if alike and low > 0:  # the entry of the start counts in the first gap, where nothing is before it
            more = base + shift - bases[OF_BEHIND, low]
            bases[OF_BEHIND, : low + 1] += more
            return low, more
        numbers[OF_BEHIND, low], bases[OF_BEHIND, low] = count[0], base
        count[0] += 1
    return FULL, 0


@njit(cache=True, nogil=True)
def _rest(memory: Memory, like: Small, gap: int, numbers: Ints, bases: Ints, rest: Ints) -> None:
    """The fewest further tokens after one of each class comes into a gap: `rest (C,)`."""
    before = _rows(memory, BEFORE + VECTORS, like)[numbers[OF_BEFORE, gap]]
    behind = _rows(memory, BEHIND + VECTORS, like)[numbers[OF_BEHIND, gap]]
    bounds, far, small = ints(memory, CLASS_FIRST), ints(memory, BOUNDS)[2], like.dtype.type
    base = bases[OF_BEFORE, gap] + bases[OF_BEHIND, gap]
    for token_class in range(rest.shape[0]):
        first, end = bounds[token_class], bounds[token_class + 1]
        ahead, after, least = before[first:end], behind[first:end], small(far)
        for at in range(ahead.shape[0]):  # over slices, so that many are added and compared at a time
            total = small(ahead[at] + after[at])
            least = total if total < least else least
        rest[token_class] = base + least


@njit(cache=True, nogil=True)
def _cut(rows: Ints, most: int) -> None:
    """More than `most` is too far."""
    for gap in range(rows.shape[0]):
        for token_class in range(rows.shape[1]):
            if rows[gap, token_class] > most:
                rows[gap, token_class] = FAR


@njit(cache=True, nogil=True)
def begun(memory: Memory, like: Small) -> tuple[bool, Ints, Ints, Ints, Ints, Ints]:
    """What `grown` gives of the empty sequence."""
    classes, rows = np.empty(0, np.int32), np.empty((1, int_rows(memory, DELTA).shape[0]), np.int32)
    numbers, bases, (cost, most, _) = np.zeros((2, 1), np.int32), np.zeros((2, 1), np.int32), ints(memory, BOUNDS)
    _rest(memory, like, 0, numbers, bases, rows[0])
    _cut(rows, most - cost)
    return True, classes, numbers, bases, rows, _facts(memory, like, classes, numbers, bases)


@njit(cache=True, nogil=True)
def grown(
    memory: Memory, like: Small, gap: int, token_class: int, classes: Ints, numbers: Ints, bases: Ints, rows: Ints
) -> tuple[bool, Ints, Ints, Ints, Ints, Ints]:
    """What is known of a sequence, from the same before it got a token of a class in a gap.

    That is, if there was room for it, its `classes (gaps - 1,)`, `numbers` and `bases (2, gaps)`,
    `rows (gaps, C)`, the fewest further insertions after one of each class, or `FAR`, and `_facts`.
    `like`: an empty array with the dtype of vectors.
    """
    longer, told = np.empty(classes.shape[0] + 1, np.int32), np.empty((rows.shape[0] + 1, rows.shape[1]), np.int32)
    longer[:gap], longer[gap], longer[gap + 1 :] = classes[:gap], token_class, classes[gap:]
    told[: gap + 1], told[gap + 1 :] = rows[: gap + 1], rows[gap:]
    numbers, bases = _split(numbers, gap), _split(bases, gap)
    cost, most, _ = ints(memory, BOUNDS)
    left = most - cost * longer.shape[0]
    high, after = _follow_before(memory, like, longer, gap, left, numbers, bases)
    low, ahead = _follow_behind(memory, like, longer, gap, left, numbers, bases)
    told[: low + 1] += ahead
    told[high:] += after
    for at in range(low + 1, high):
        _rest(memory, like, at, numbers, bases, told[at])
    _cut(told, left - cost)
    is_room = high != FULL and ints(memory, BEHIND + N_VECTORS)[0] < _rows(memory, BEHIND + VECTORS, like).shape[0]
    return is_room, longer, numbers, bases, told, _facts(memory, like, longer, numbers, bases)


@njit(cache=True, nogil=True)
def _split(known: Ints, gap: int) -> Ints:
    """A copy with a column twice."""
    copy = np.empty((known.shape[0], known.shape[1] + 1), np.int32)
    copy[:, : gap + 1], copy[:, gap + 1 :] = known[:, : gap + 1], known[:, gap:]
    return copy


@njit(cache=True, nogil=True)
def _facts(memory: Memory, like: Small, classes: Ints, numbers: Ints, bases: Ints) -> Ints:
    """The fewest insertions to a member, and 1 if the sequence is one. The last entry is the start."""
    delta, (cost, most, _), state = int_rows(memory, DELTA), ints(memory, BOUNDS), 0
    for token_class in classes:
        state = delta[token_class, state] if state >= 0 else -1
    first = _rows(memory, BEHIND + VECTORS, like)[numbers[OF_BEHIND, 0]]
    fewest = bases[OF_BEHIND, 0] + first[first.shape[0] - 1]
    member = state >= 0 and ints(memory, ACCEPTING)[state]
    return np.array([fewest if fewest <= most - cost * classes.shape[0] else FAR, member], np.int32)
