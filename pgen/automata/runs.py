"""Counted runs inside of DFA states: white space of up to so many characters, which leads to nearly the same state.

Between any two signs of a JSON text there may be a run of white space. A walk of the vocabulary would make a state for
each length of it, only to find the same words allowed after every one. A *run* is a chain of NFA states, each with the
same byte classes to the next and the same jumps out of it; a DFA state that has one member in a run, and no other that
takes these classes, differs from its successor in that member alone. So does that one from the next: all lead to the
same states by other bytes, and a walk need only count. Linear in the members; the lengths of runs are noted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pgen.automata.layout import (
    ARENA,
    ARENA_STACK,
    CALL_START,
    EDGE_HIGH,
    EDGE_LOW,
    EDGE_START,
    EDGE_TARGET,
    IS_END,
    JUMP_START,
    JUMP_TARGET,
    START,
    STEPS,
    UNMARKED,
    Bytes,
    Ints,
)
from pgen.automata.memory import Memory, ints, longs, octets


@njit(cache=True)
def run_from(memory: Memory, state: int, symbol: int, after: int) -> tuple[int, int]:
    """The member of a DFA state that is in a run of byte class `symbol`, and how many steps of it are left.

    So often can the classes of its edges be read and nothing but it changes; `after` is the state after one of them.
    (-1, 0) if that is not known to be a run, so that states have to be made.
    """
    member = _only_member(memory, state, symbol)
    if member < 0:
        return -1, 0
    following = np.int64(ints(memory, EDGE_TARGET)[ints(memory, EDGE_START)[member]])
    if not _same_but(memory, state, member, after, following):
        return -1, 0
    return member, int(np.int64(ints(memory, STEPS)[member]))


@njit(inline="always")
def takes(edge_start: Ints, low: Bytes, high: Bytes, member: int, symbol: int) -> bool:
    """Whether an edge of an NFA state holds a byte class."""
    found = False
    for e in range(np.uint64(edge_start[member]), np.uint64(edge_start[member + 1])):
        found |= low[e] <= symbol <= high[e]
    return found


@njit(inline="always")
def _only_member(memory: Memory, state: int, symbol: int) -> int:
    """The one member with edges for a byte class, where it is in a run and no other has edges for any class of it."""
    start, arena, edge_start = longs(memory, START), ints(memory, ARENA), ints(memory, EDGE_START)
    low, high, found = octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH), np.int64(-1)
    for i in range(start[state], start[state + 1]):
        for e in range(edge_start[arena[i]], edge_start[arena[i] + 1]):
            if low[e] <= symbol <= high[e] and found != arena[i]:
                if found >= 0:
                    return -1
                found = np.int64(arena[i])
    if found < 0 or _steps(memory, found) == 0:
        return -1
    for i in range(start[state], start[state + 1]):
        for e in range(edge_start[arena[i]], edge_start[arena[i] + 1]):
            for own in range(edge_start[found], edge_start[found + 1]):
                if arena[i] != found and low[e] <= high[own] and low[own] <= high[e]:
                    return -1
    return int(found)


@njit(inline="always")
def _steps(memory: Memory, member: int) -> int:
    """How many steps an NFA state is from the end of its run, 0 if it is in none; noted for its rest, too."""
    steps = ints(memory, STEPS)
    if steps[member] == UNMARKED:
        here, left = member, int(np.int64(_length(memory, member)))
        steps[here] = left
        while left > 1:
            here, left = int(np.int64(ints(memory, EDGE_TARGET)[ints(memory, EDGE_START)[here]])), left - 1
            steps[here] = left
    return int(steps[member])


@njit(cache=True)
def _sole_target(memory: Memory, member: int) -> int:
    """Where all edges of an NFA state lead that has jumps, but no calls and no return; else -1."""
    edge_start, target = ints(memory, EDGE_START), ints(memory, EDGE_TARGET)
    jump_start, call_start = ints(memory, JUMP_START), ints(memory, CALL_START)
    first, stop = edge_start[member], edge_start[member + 1]
    leaves = jump_start[member] < jump_start[member + 1]
    if first == stop or not leaves or call_start[member] < call_start[member + 1] or octets(memory, IS_END)[member]:
        return -1
    for e in range(first, stop):
        if target[e] != target[first]:
            return -1
    return int(target[first])


@njit(cache=True)
def _same_but(memory: Memory, state: int, member: int, after: int, following: int) -> bool:
    """Whether two DFA states have the same members, but that one has `member` and the other may have `following`."""
    start, arena, stacks = longs(memory, START), ints(memory, ARENA), ints(memory, ARENA_STACK)
    i, stop, j, end = start[state], start[state + 1], start[after], start[after + 1]
    while True:
        if i < stop and arena[i] == member:
            i += 1
        if j < end and arena[j] == following:
            j += 1
        if i == stop or j == end:
            return bool(i == stop and j == end)
        if arena[i] != arena[j] or stacks[i] != stacks[j]:
            return False
        i, j = i + 1, j + 1


@njit(cache=True)
def _length(memory: Memory, member: int) -> int:
    """How many steps a run takes to its end, where the only jump out of it leads, too; 0 if it is none, or a circle."""
    jump_start, jumps = ints(memory, JUMP_START), ints(memory, JUMP_TARGET)
    here, there, count = np.int64(member), np.int64(_sole_target(memory, member)), 1
    if there < 0:
        return 0
    while jump_start[here + 1] != jump_start[here] + 1 or jumps[jump_start[here]] != there:
        onward = _sole_target(memory, there)
        if onward < 0 or count == jump_start.shape[0] or not _alike(memory, here, there):
            return 0
        here, there, count = there, np.int64(onward), count + 1
    return count


@njit(cache=True)
def _alike(memory: Memory, here: int, there: int) -> bool:
    """Whether two NFA states have edges for the same byte classes and the same jumps."""
    edge_start, low, high = ints(memory, EDGE_START), octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH)
    jump_start, jumps = ints(memory, JUMP_START), ints(memory, JUMP_TARGET)
    e, f, j, k = edge_start[here], edge_start[there], jump_start[here], jump_start[there]
    if edge_start[here + 1] - e != edge_start[there + 1] - f or jump_start[here + 1] - j != jump_start[there + 1] - k:
        return False
    for i in range(edge_start[here + 1] - e):
        if low[e + i] != low[f + i] or high[e + i] != high[f + i]:
            return False
    for i in range(jump_start[here + 1] - j):  # noqa: SIM110 (numba compiles loops, not generators)
        if jumps[j + i] != jumps[k + i]:
            return False
    return True
