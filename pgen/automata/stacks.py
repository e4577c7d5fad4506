"""Numba kernels: interned return stacks of a pushdown automaton, merged where they meet.

A node is a set of (return state, node below) pairs with distinct return states, sorted,
interned by content; node 0 is the empty stack. So it stands for many stacks at once, as in
the graph-structured stack of generalised LR parsing (Tomita 1987), but immutable and
hash-consed. Two nodes merge into the union of their stacks: pairs of one return state
merge below. The union of two stack sets accepts what either accepts, so this is exact,
and a configuration needs one node for each state. Merging is memoised; its depth is
bounded by `MAX_DEPTH`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]

UNKNOWN, WAITS, DONE = -1, -2, -3
FAR = 2**30
MAX_DEPTH = 1500
"""Nested levels at which two different stacks may be merged."""


class Stacks(NamedTuple):
    """Growable arrays of nodes; `counters` are (nodes, arena used, pile used, whether merging went too deep)."""

    start: NDArray[np.int64]  # (capacity + 1,) into returns and parents
    returns: Ints
    parents: Ints
    nearest: Ints  # (capacity,) fewest bytes to acceptance behind a return
    farthest: Ints  # (capacity,) the same by single-byte tokens
    slots: Ints  # hash table, a power of two
    memo: Ints  # (power of two, 3) recent unions
    pile: Ints  # scratch: pairs of nodes in the making
    frames: NDArray[np.int64]  # (MAX_DEPTH, 5) scratch: merges in progress
    counters: NDArray[np.int64]


@njit(cache=True)
def heap(stacks: Stacks, state: int, parent: int) -> bool:
    """Put a pair on the pile; false without room."""
    top = stacks.counters[2]
    if 2 * top + 2 > stacks.pile.shape[0]:
        return False
    stacks.pile[2 * top], stacks.pile[2 * top + 1] = state, parent
    stacks.counters[2] = top + 1
    return True


@njit(cache=True)
def node_of(stacks: Stacks, nearest: Ints, farthest: Ints, base: int) -> int:
    """The node of the sorted pairs on the pile from `base`, which are taken off; `UNKNOWN` without room."""
    pile, count = stacks.pile, stacks.counters[2] - base
    stacks.counters[2] = base
    size = stacks.slots.shape[0]
    code = np.uint64(1469598103934665603)
    for i in range(2 * base, 2 * (base + count)):
        code = (code ^ np.uint64(pile[i])) * np.uint64(1099511628211)
        code ^= code >> np.uint64(29)
    slot = np.int64(code & np.uint64(size - 1))
    while stacks.slots[slot] != UNKNOWN:
        known = stacks.slots[slot]
        if holds(stacks, known, base, count):
            return int(known)
        slot = (slot + 1) & (size - 1)
    node, used = stacks.counters[0], stacks.counters[1]
    if node >= stacks.nearest.shape[0] or used + count > stacks.returns.shape[0] or 2 * node > size:
        return UNKNOWN
    near, far = np.int64(FAR), np.int64(FAR)
    for i in range(count):
        state, parent = pile[2 * (base + i)], pile[2 * (base + i) + 1]
        stacks.returns[used + i], stacks.parents[used + i] = state, parent
        near = min(near, np.int64(nearest[state]) + np.int64(stacks.nearest[parent]))
        far = min(far, np.int64(farthest[state]) + np.int64(stacks.farthest[parent]))
    stacks.nearest[node], stacks.farthest[node] = near, far
    stacks.start[node + 1] = used + count
    stacks.slots[slot] = node
    stacks.counters[0], stacks.counters[1] = node + 1, used + count
    return int(node)


@njit(cache=True)
def holds(stacks: Stacks, node: int, base: int, count: int) -> bool:
    """Whether a node consists of the `count` pairs on the pile from `base`."""
    first = stacks.start[node]
    if stacks.start[node + 1] - first != count:
        return False
    for i in range(count):
        if (
            stacks.returns[first + i] != stacks.pile[2 * (base + i)]
            or stacks.parents[first + i] != stacks.pile[2 * (base + i) + 1]
        ):
            return False
    return True


@njit(cache=True)
def merged(stacks: Stacks, nearest: Ints, farthest: Ints, left: int, right: int) -> int:
    """The union of two nodes; `UNKNOWN` without room, or too deep (then a counter says so)."""
    if left == right:
        return left
    known = remembered(stacks, left, right)
    if known != UNKNOWN:
        return known
    # Not recursive: numba cannot load recursive functions from its cache.
    frames, bottom, depth, result = stacks.frames, stacks.counters[2], 1, UNKNOWN
    opened(stacks, 0, left, right)
    while depth > 0:
        here = depth - 1
        if result != UNKNOWN:
            if not heap(stacks, stacks.returns[frames[here, 2]], result):
                break
            frames[here, 2] += 1
            frames[here, 3] += 1
            result = UNKNOWN
        below = zipped(stacks, here)
        if below == WAITS:
            if depth == frames.shape[0]:
                stacks.counters[3] = 1
                break
            opened(stacks, depth, stacks.parents[frames[here, 2]], stacks.parents[frames[here, 3]])
            depth += 1
        elif below == UNKNOWN:
            break
        else:
            result = node_of(stacks, nearest, farthest, frames[here, 4])
            if result == UNKNOWN:
                break
            slot = place(stacks, frames[here, 0], frames[here, 1])
            stacks.memo[slot, 0], stacks.memo[slot, 1] = frames[here, 0], frames[here, 1]
            stacks.memo[slot, 2] = result
            depth -= 1
    if depth > 0:
        stacks.counters[2] = bottom
        return UNKNOWN
    return int(result)


@njit(cache=True)
def opened(stacks: Stacks, frame: int, left: int, right: int) -> None:
    """Begin to merge two nodes; a frame holds both, the next pair of each, and where its pile begins."""
    frames = stacks.frames
    frames[frame, 0], frames[frame, 1] = left, right
    frames[frame, 2], frames[frame, 3] = stacks.start[left], stacks.start[right]
    frames[frame, 4] = stacks.counters[2]


@njit(cache=True)
def zipped(stacks: Stacks, frame: int) -> int:
    """Pile up pairs in order; `WAITS` before parents that have to merge, `UNKNOWN` without room, else `DONE`."""
    frames, returns, parents = stacks.frames, stacks.returns, stacks.parents
    last_i, last_j = stacks.start[frames[frame, 0] + 1], stacks.start[frames[frame, 1] + 1]
    while frames[frame, 2] < last_i or frames[frame, 3] < last_j:
        i, j = frames[frame, 2], frames[frame, 3]
        if j == last_j or (i < last_i and returns[i] < returns[j]):
            state, parent = returns[i], parents[i]
            frames[frame, 2] += 1
        elif i == last_i or returns[j] < returns[i]:
            state, parent = returns[j], parents[j]
            frames[frame, 3] += 1
        else:
            state, parent = returns[i], parents[i]
            if parent != parents[j]:
                parent = remembered(stacks, parent, parents[j])
                if parent == UNKNOWN:
                    return WAITS
            frames[frame, 2] += 1
            frames[frame, 3] += 1
        if not heap(stacks, state, parent):
            return UNKNOWN
    return DONE


@njit(cache=True)
def place(stacks: Stacks, left: int, right: int) -> int:
    """Where the memo keeps a union."""
    return int((left * 40503 + right * 30011) & (stacks.memo.shape[0] - 1))


@njit(cache=True)
def remembered(stacks: Stacks, left: int, right: int) -> int:
    """The union of two nodes if it was made lately, else `UNKNOWN`."""
    slot = place(stacks, left, right)
    if stacks.memo[slot, 0] == left and stacks.memo[slot, 1] == right:
        return int(stacks.memo[slot, 2])
    return UNKNOWN


@njit(cache=True)
def rehash_nodes(stacks: Stacks) -> None:
    """Fill the empty hash table of grown arrays with the nodes there are."""
    size = stacks.slots.shape[0]
    for node in range(1, stacks.counters[0]):
        code = np.uint64(1469598103934665603)
        for i in range(stacks.start[node], stacks.start[node + 1]):
            code = (code ^ np.uint64(stacks.returns[i])) * np.uint64(1099511628211)
            code ^= code >> np.uint64(29)
            code = (code ^ np.uint64(stacks.parents[i])) * np.uint64(1099511628211)
            code ^= code >> np.uint64(29)
        slot = np.int64(code & np.uint64(size - 1))
        while stacks.slots[slot] != UNKNOWN:
            slot = (slot + 1) & (size - 1)
        stacks.slots[slot] = node


def empty_stacks(capacity: int) -> Stacks:
    """Node 0, the empty stack, alone."""
    return Stacks(
        start=np.zeros(capacity + 1, np.int64),
        returns=np.zeros(4 * capacity, np.int32),
        parents=np.zeros(4 * capacity, np.int32),
        nearest=np.zeros(capacity, np.int32),
        farthest=np.zeros(capacity, np.int32),
        slots=np.full(4 * capacity, UNKNOWN, np.int32),
        memo=np.full((1024, 3), UNKNOWN, np.int32),
        pile=np.zeros(8 * capacity, np.int32),
        frames=np.zeros((MAX_DEPTH, 5), np.int64),
        counters=np.array([1, 0, 0, 0], np.int64),
    )


def grown_stacks(stacks: Stacks) -> Stacks:
    """The same nodes in arrays twice as long."""

    def longer(array: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.concatenate([array, np.zeros_like(array)])

    capacity = 2 * len(stacks.nearest)
    return stacks._replace(
        start=np.concatenate([stacks.start, np.zeros(capacity + 1 - len(stacks.start), np.int64)]),
        returns=longer(stacks.returns),
        parents=longer(stacks.parents),
        nearest=longer(stacks.nearest),
        farthest=longer(stacks.farthest),
        slots=np.full(4 * capacity, UNKNOWN, np.int32),
        pile=longer(stacks.pile),
    )
