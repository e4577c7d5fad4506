"""Numba kernels: subset construction on demand, and everything that walks its table.

A DFA state is a set of NFA states ("members"), kept sorted in an arena and interned
through an open-addressing hash table. A transition is computed when a walk first
needs it: -1 means unknown. Kernels never allocate and never call Python; when an
array is full they return `FULL`, the caller grows the arrays and calls again, and
what was computed stays. Ids are given in order of discovery, so runs repeat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

OK, FULL = 0, 1
UNKNOWN, DEAD, ENDED = -1, 0, 1

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


class Nfa(NamedTuple):
    """CSR arrays over states: byte-class edges, epsilon jumps, and per-state facts."""

    edge_start: Ints  # (n + 1,)
    edge_low: Bytes  # (E,) first byte class
    edge_high: Bytes  # (E,) last byte class
    edge_target: Ints  # (E,)
    jump_start: Ints  # (n + 1,)
    jump_target: Ints  # (J,)
    live: Bytes  # (n,) whether tokens can lead to acceptance from here
    nearest: Ints  # (n,) fewest bytes to acceptance: a lower bound, in bytes
    farthest: Ints  # (n,) fewest bytes by single-byte tokens: an upper bound, in tokens
    class_of: Bytes  # (256,)


class Table(NamedTuple):
    """Growable arrays of the DFA; `counters` are (number of states, arena used)."""

    transitions: Ints  # (capacity, C)
    start: NDArray[np.int64]  # (capacity + 1,) into the arena
    arena: Ints
    accepting: Bytes  # (capacity,)
    live: Bytes  # (capacity,)
    nearest: Ints  # (capacity,)
    farthest: Ints  # (capacity,)
    slots: Ints  # hash table, a power of two
    counters: NDArray[np.int64]
    stamp: Ints  # (n,) scratch: last search that reached an NFA state
    found: Ints  # (n,) scratch: states reached
    todo: Ints  # (n,) scratch: stack


@njit(cache=True)
def reach(nfa: Nfa, table: Table, state: int, count: int) -> int:
    """Add `state` and what its jumps reach to `found`; states without edges are dropped, but for the end."""
    mark = table.counters[2]
    if table.stamp[state] == mark:
        return count
    table.stamp[state] = mark
    table.todo[0] = state
    depth = 1
    while depth > 0:
        depth -= 1
        here = table.todo[depth]
        if here == 1 or nfa.edge_start[here] < nfa.edge_start[here + 1]:
            table.found[count] = here
            count += 1
        for j in range(nfa.jump_start[here], nfa.jump_start[here + 1]):
            target = nfa.jump_target[j]
            if table.stamp[target] != mark:
                table.stamp[target] = mark
                table.todo[depth] = target
                depth += 1
    return count


@njit(cache=True)
def intern(nfa: Nfa, table: Table, count: int) -> int:
    """The id of the configuration in `found[:count]`, `UNKNOWN` if an array is full."""
    if count == 0:
        return DEAD
    members = table.found[:count]
    if count <= 24:
        for i in range(1, count):
            value, j = members[i], i
            while j > 0 and members[j - 1] > value:
                members[j] = members[j - 1]
                j -= 1
            members[j] = value
    else:
        members.sort()
    size = table.slots.shape[0]
    code = np.uint64(1469598103934665603)
    for i in range(count):
        code = (code ^ np.uint64(members[i])) * np.uint64(1099511628211)
        code ^= code >> np.uint64(29)
    slot = np.int64(code & np.uint64(size - 1))
    while table.slots[slot] != UNKNOWN:
        known = table.slots[slot]
        if equal(table, known, count):
            return int(known)
        slot = (slot + 1) & (size - 1)
    return int(add_state(nfa, table, count, slot))


@njit(cache=True)
def equal(table: Table, known: int, count: int) -> bool:
    """Whether DFA state `known` has exactly the members `found[:count]`."""
    first = table.start[known]
    if table.start[known + 1] - first != count:
        return False
    for i in range(count):  # noqa: SIM110 (numba compiles loops, not generators)
        if table.arena[first + i] != table.found[i]:
            return False
    return True


@njit(cache=True)
def add_state(nfa: Nfa, table: Table, count: int, slot: int) -> int:
    """A new DFA state with members `found[:count]`, or `UNKNOWN` if it does not fit."""
    state, used = table.counters[0], table.counters[1]
    if state >= table.accepting.shape[0] or used + count > table.arena.shape[0] or 2 * state > table.slots.shape[0]:
        return UNKNOWN
    live, nearest, farthest = np.uint8(0), np.int32(2**30), np.int32(2**30)
    for i in range(count):
        member = table.found[i]
        table.arena[used + i] = member
        live |= nfa.live[member]
        nearest = min(nearest, nfa.nearest[member])
        farthest = min(farthest, nfa.farthest[member])
        if member == 1:
            table.accepting[state] = 1
    table.live[state], table.nearest[state], table.farthest[state] = live, nearest, farthest
    table.start[state + 1] = used + count
    table.slots[slot] = state
    table.counters[0], table.counters[1] = state + 1, used + count
    return int(state)


@njit(cache=True)
def follow(nfa: Nfa, table: Table, state: int, symbol: int) -> int:
    """The successor of `state` by byte class `symbol`, computed if unknown; `UNKNOWN` if an array is full."""
    known = table.transitions[state, symbol]
    if known != UNKNOWN:
        return int(known)
    table.counters[2] += 1
    count = 0
    for i in range(table.start[state], table.start[state + 1]):
        member = table.arena[i]
        for e in range(nfa.edge_start[member], nfa.edge_start[member + 1]):
            if nfa.edge_low[e] <= symbol <= nfa.edge_high[e]:
                count = reach(nfa, table, nfa.edge_target[e], count)
    target = intern(nfa, table, count)
    if target != UNKNOWN:
        table.transitions[state, symbol] = target
    return int(target)


@njit(cache=True)
def enter(nfa: Nfa, table: Table, state: int) -> int:
    """The DFA state of one NFA state and what its jumps reach."""
    table.counters[2] += 1
    return int(intern(nfa, table, reach(nfa, table, state, 0)))


@njit(cache=True)
def run(nfa: Nfa, table: Table, state: int, data: Bytes) -> int:
    """The state after `data`; `DEAD` as soon as it is, `UNKNOWN` if an array is full."""
    transitions, class_of = table.transitions, nfa.class_of
    for i in range(data.shape[0]):
        # Read known transitions in place: a call with tuples of arrays costs more than the step.
        known = transitions[state, class_of[data[i]]]
        state = known if known != UNKNOWN else follow(nfa, table, state, class_of[data[i]])
        if state <= DEAD:
            return state
    return state


@njit(cache=True)
def complete(nfa: Nfa, table: Table) -> int:
    """Compute every transition of every reachable state; `OK` or `FULL`."""
    state = table.counters[3]
    while state < table.counters[0]:
        for symbol in range(table.transitions.shape[1]):
            if follow(nfa, table, state, symbol) == UNKNOWN:
                table.counters[3] = state
                return FULL
        state += 1
    table.counters[3] = state
    return OK


@njit(cache=True)
def rehash(table: Table) -> None:
    """Fill the empty hash table of grown arrays with the states there are."""
    size = table.slots.shape[0]
    for state in range(2, table.counters[0]):
        code = np.uint64(1469598103934665603)
        for i in range(table.start[state], table.start[state + 1]):
            code = (code ^ np.uint64(table.arena[i])) * np.uint64(1099511628211)
            code ^= code >> np.uint64(29)
        slot = np.int64(code & np.uint64(size - 1))
        while table.slots[slot] != UNKNOWN:
            slot = (slot + 1) & (size - 1)
        table.slots[slot] = state
