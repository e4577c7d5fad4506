"""Numba kernels: interned return stacks of a pushdown automaton, merged where they meet.

A node is a set of (return state, node below) pairs with distinct return states, sorted,
interned by content; node 0 is the empty stack. So it stands for many stacks at once, as in
the graph-structured stack of generalised LR parsing (Tomita 1987), but immutable and
hash-consed. Two nodes merge into the union of their stacks: pairs of one return state
merge below. The union of two stack sets accepts what either accepts, so this is exact,
and a configuration needs one node for each state. Merging is memoised; its depth is
bounded by `Limits.nesting`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pgen.automata.layout import (
    FAR,
    FARTHEST,
    FRAMES,
    MEMO,
    NEAREST,
    NODE_COUNTERS,
    NODE_FARTHEST,
    NODE_NEAREST,
    NODE_SLOTS,
    NODE_START,
    PARENTS,
    PILE,
    RETURNS,
    UNKNOWN,
)
from pgen.automata.memory import Memory, int_rows, ints, long_rows, longs

WAITS, DONE = -2, -3
SEED = 1469598103934665603


@njit(cache=True)
def heap(memory: Memory, state: int, parent: int) -> bool:
    """Put a pair on the pile; false without room."""
    pile, counters = ints(memory, PILE), longs(memory, NODE_COUNTERS)
    top = counters[2]
    if 2 * top + 2 > pile.shape[0]:
        return False
    pile[2 * top], pile[2 * top + 1] = state, parent
    counters[2] = top + 1
    return True


@njit(cache=True)
def node_of(memory: Memory, base: int) -> int:
    """The node of the sorted pairs on the pile from `base`, which are taken off; `UNKNOWN` without room."""
    pile, slots, counters = ints(memory, PILE), ints(memory, NODE_SLOTS), longs(memory, NODE_COUNTERS)
    count = counters[2] - base
    counters[2] = base
    code = np.uint64(SEED)
    for i in range(2 * base, 2 * (base + count)):
        code = hashed(code, pile[i])
    slot = np.int64(code & np.uint64(slots.shape[0] - 1))
    while slots[slot] != 0:
        if holds(memory, np.int64(slots[slot]), base, count):
            return int(slots[slot])
        slot = (slot + 1) & (slots.shape[0] - 1)
    return int(add_node(memory, base, count, slot))


@njit(inline="always")
def hashed(code: np.uint64, value: int) -> np.uint64:
    """A hash with one more value."""
    code = (code ^ np.uint64(value)) * np.uint64(1099511628211)
    return code ^ (code >> np.uint64(29))


@njit(inline="always")
def holds(memory: Memory, node: int, base: int, count: int) -> bool:
    """Whether a node consists of the `count` pairs on the pile from `base`."""
    start, returns, parents = longs(memory, NODE_START), ints(memory, RETURNS), ints(memory, PARENTS)
    pile, first = ints(memory, PILE), start[node]
    if start[node + 1] - first != count:
        return False
    for i in range(count):
        if returns[first + i] != pile[2 * (base + i)] or parents[first + i] != pile[2 * (base + i) + 1]:
            return False
    return True


@njit(inline="always")
def add_node(memory: Memory, base: int, count: int, slot: int) -> int:
    """A new node of the pairs on the pile from `base`, or `UNKNOWN` if it does not fit."""
    start, returns, parents = longs(memory, NODE_START), ints(memory, RETURNS), ints(memory, PARENTS)
    behind_near, behind_far = ints(memory, NODE_NEAREST), ints(memory, NODE_FARTHEST)
    nearest, farthest, pile = ints(memory, NEAREST), ints(memory, FARTHEST), ints(memory, PILE)
    slots, counters = ints(memory, NODE_SLOTS), longs(memory, NODE_COUNTERS)
    node, used = counters[0], counters[1]
    if node >= behind_near.shape[0] or used + count > returns.shape[0] or 2 * node > slots.shape[0]:
        return UNKNOWN
    near, far = np.int64(FAR), np.int64(FAR)
    for i in range(count):
        state, parent = pile[2 * (base + i)], pile[2 * (base + i) + 1]
        returns[used + i], parents[used + i] = state, parent
        near = min(near, np.int64(nearest[state]) + np.int64(behind_near[parent]))
        far = min(far, np.int64(farthest[state]) + np.int64(behind_far[parent]))
    behind_near[node], behind_far[node] = near, far
    start[node + 1], slots[slot] = used + count, node
    counters[0], counters[1] = node + 1, used + count
    return int(node)


@njit(cache=True)
def merged(memory: Memory, left: int, right: int) -> int:
    """The union of two nodes; `UNKNOWN` without room, or too deep (then a counter says so)."""
    if left == right:
        return left
    known = remembered(memory, left, right)
    if known != UNKNOWN:
        return int(known)
    # Not recursive: numba cannot load recursive functions from its cache.
    frames, counters, memo = long_rows(memory, FRAMES), longs(memory, NODE_COUNTERS), int_rows(memory, MEMO)
    returns, parents = ints(memory, RETURNS), ints(memory, PARENTS)
    bottom, depth, result = counters[2], np.int64(1), np.int64(UNKNOWN)
    begin(memory, np.int64(0), left, right)
    while depth > 0:
        here = depth - 1
        if result != UNKNOWN:
            if not heap(memory, np.int64(returns[frames[here, 2]]), result):
                break
            frames[here, 2] += 1
            frames[here, 3] += 1
            result = np.int64(UNKNOWN)
        below = zipped(memory, here)
        if below == WAITS:
            if depth == frames.shape[0]:
                counters[3] = 1
                break
            begin(memory, depth, np.int64(parents[frames[here, 2]]), np.int64(parents[frames[here, 3]]))
            depth += 1
        elif below == UNKNOWN:
            break
        else:
            result = node_of(memory, frames[here, 4])
            if result == UNKNOWN:
                break
            slot = place(memo.shape[0], frames[here, 0], frames[here, 1])
            memo[slot, 0], memo[slot, 1], memo[slot, 2] = frames[here, 0], frames[here, 1], result
            depth -= 1
    if depth > 0:
        counters[2] = bottom
        return UNKNOWN
    return int(result)


@njit(cache=True)
def begin(memory: Memory, frame: int, left: int, right: int) -> None:
    """Begin to merge two nodes; a frame holds both, the next pair of each, and where its pile begins."""
    frames, start = long_rows(memory, FRAMES), longs(memory, NODE_START)
    frames[frame, 0], frames[frame, 1] = left, right
    frames[frame, 2], frames[frame, 3] = start[left], start[right]
    frames[frame, 4] = longs(memory, NODE_COUNTERS)[2]


@njit(inline="always")
def zipped(memory: Memory, frame: int) -> int:
    """Pile up pairs in order; `WAITS` before parents that have to merge, `UNKNOWN` without room, else `DONE`."""
    frames, start = long_rows(memory, FRAMES), longs(memory, NODE_START)
    returns, parents = ints(memory, RETURNS), ints(memory, PARENTS)
    last_i, last_j = start[frames[frame, 0] + 1], start[frames[frame, 1] + 1]
    while frames[frame, 2] < last_i or frames[frame, 3] < last_j:
        i, j = frames[frame, 2], frames[frame, 3]
        if j == last_j or (i < last_i and returns[i] < returns[j]):
            state, parent = np.int64(returns[i]), np.int64(parents[i])
            frames[frame, 2] += 1
        elif i == last_i or returns[j] < returns[i]:
            state, parent = np.int64(returns[j]), np.int64(parents[j])
            frames[frame, 3] += 1
        else:
            state, parent = np.int64(returns[i]), np.int64(parents[i])
            if parent != parents[j]:
                parent = remembered(memory, parent, np.int64(parents[j]))
                if parent == UNKNOWN:
                    return WAITS
            frames[frame, 2] += 1
            frames[frame, 3] += 1
        if not heap(memory, state, parent):
            return UNKNOWN
    return DONE


@njit(inline="always")
def place(size: int, left: int, right: int) -> int:
    """Where a memo of that size keeps a union."""
    return (left * 40503 + right * 30011) & (size - 1)


@njit(cache=True)
def remembered(memory: Memory, left: int, right: int) -> int:
    """The union of two nodes if it was made lately, else `UNKNOWN`."""
    memo = int_rows(memory, MEMO)
    slot = place(memo.shape[0], left, right)
    return int(memo[slot, 2]) if memo[slot, 0] == left and memo[slot, 1] == right else UNKNOWN


@njit(cache=True)
def rehash_nodes(memory: Memory) -> None:
    """Fill the empty hash table of grown arrays with the nodes there are."""
    start, returns, parents = longs(memory, NODE_START), ints(memory, RETURNS), ints(memory, PARENTS)
    slots = ints(memory, NODE_SLOTS)
    for node in range(1, longs(memory, NODE_COUNTERS)[0]):
        code = np.uint64(SEED)
        for i in range(start[node], start[node + 1]):
            code = hashed(hashed(code, returns[i]), parents[i])
        slot = np.int64(code & np.uint64(slots.shape[0] - 1))
        while slots[slot] != 0:
            slot = (slot + 1) & (slots.shape[0] - 1)
        slots[slot] = node
