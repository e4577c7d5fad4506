"""Numba kernels: subset construction on demand, with calls and returns, and everything that walks its table.

A DFA state is a configuration: a set of NFA states ("members"), each above a stack node
(`pgen.automata.stacks`; always the empty one in regular languages), kept sorted in an arena
and interned through an open-addressing hash table. A transition is computed when a walk
first needs it: -1 means unknown. Kernels never allocate and never call Python; when an
array is full they return `UNKNOWN` or `FULL`, the caller grows the arrays and calls again,
and what was computed stays. Ids are given in order of discovery, so runs repeat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.memory import Memory, int_rows, ints, long_rows, longs, octets
from pgen.automata.stacks import FAR, UNKNOWN, Stacks, heap, merged, node_of, rehash_nodes

OK, FULL = 0, 1
DEAD, ENDED = 0, 1

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


class Nfa(NamedTuple):
    """CSR arrays over states: byte-class edges, epsilon jumps, calls of rules, and per-state facts."""

    edge_start: Ints  # (n + 1,)
    edge_low: Bytes  # (E,) first byte class
    edge_high: Bytes  # (E,) last byte class
    edge_target: Ints  # (E,)
    jump_start: Ints  # (n + 1,)
    jump_target: Ints  # (J,)
    call_start: Ints  # (n + 1,)
    call_rule: Ints  # (K,)
    call_target: Ints  # (K,) where a call returns to
    begin: Ints  # (R,) first state of each rule, callers before those they begin with
    is_end: Bytes  # (n,) whether a rule returns from here
    live: Bytes  # (n,) whether tokens can lead to the end from here
    nearest: Ints  # (n,) fewest bytes to the end (of the rule): a lower bound, in bytes
    farthest: Ints  # (n,) fewest bytes by single-byte tokens: an upper bound, in tokens
    class_of: Bytes  # (256,)


class Table(NamedTuple):
    """Growable arrays of the DFA.

    `counters` are the numbers of (states, arena places used, the current mark, states
    with a complete row, members found, members to do, pending calls).
    """

    transitions: Ints  # (capacity, C)
    start: NDArray[np.int64]  # (capacity + 1,) into the arena
    arena: Ints
    arena_stack: Ints
    accepting: Bytes  # (capacity,)
    live: Bytes  # (capacity,)
    nearest: Ints  # (capacity,)
    farthest: Ints  # (capacity,)
    slots: Ints  # hash table, a power of two
    stacks: Stacks
    counters: NDArray[np.int64]
    stamp: Ints  # (n,) scratch: the mark under which an NFA state was last found
    waiting: Ints  # (n,) scratch: the mark under which it waits to be followed
    stack_of: Ints  # (n,) scratch: the stack it was found above
    found: Ints  # (n,) scratch: states found
    todo: Ints  # (n,) scratch: stack
    pending: Ints  # scratch: calls as (rule, return, stack)


@njit(inline="always")
def opened(memory: Memory) -> tuple[Nfa, Table]:
    """The arrays of `memory_of((nfa, table))`."""
    nfa = Nfa(
        ints(memory, 0),
        octets(memory, 1),
        octets(memory, 2),
        ints(memory, 3),
        ints(memory, 4),
        ints(memory, 5),
        ints(memory, 6),
        ints(memory, 7),
        ints(memory, 8),
        ints(memory, 9),
        octets(memory, 10),
        octets(memory, 11),
        ints(memory, 12),
        ints(memory, 13),
        octets(memory, 14),
    )
    stacks = Stacks(
        longs(memory, 24),
        ints(memory, 25),
        ints(memory, 26),
        ints(memory, 27),
        ints(memory, 28),
        ints(memory, 29),
        int_rows(memory, 30),
        ints(memory, 31),
        long_rows(memory, 32),
        longs(memory, 33),
    )
    table = Table(
        int_rows(memory, 15),
        longs(memory, 16),
        ints(memory, 17),
        ints(memory, 18),
        octets(memory, 19),
        octets(memory, 20),
        ints(memory, 21),
        ints(memory, 22),
        ints(memory, 23),
        stacks,
        longs(memory, 34),
        ints(memory, 35),
        ints(memory, 36),
        ints(memory, 37),
        ints(memory, 38),
        ints(memory, 39),
        ints(memory, 40),
    )
    return nfa, table


@njit(cache=True)
def arrive(nfa: Nfa, table: Table, state: int, stack: int) -> bool:
    """Add an NFA state above a stack to the configuration in the making; false if an array is full."""
    counters, mark = table.counters, table.counters[2]
    if table.stamp[state] != mark:
        table.stamp[state], table.stack_of[state] = mark, stack
        table.found[counters[4]] = state
        counters[4] += 1
    else:
        before = table.stack_of[state]
        if before == stack:
            return True
        after = merged(table.stacks, nfa.nearest, nfa.farthest, before, stack)
        if after == UNKNOWN:
            return False
        if after == before:
            return True
        table.stack_of[state] = after
    if table.waiting[state] != mark:
        table.waiting[state] = mark
        table.todo[counters[5]] = state
        counters[5] += 1
    return True


@njit(cache=True)
def settle(nfa: Nfa, table: Table) -> bool:
    """Follow jumps, calls and returns until nothing is new; false if an array is full.

    Calls of one rule share a stack node: they wait until all its callers are known,
    which their order (callers first) sees to; an order that fails costs a merge.
    """
    counters, stacks = table.counters, table.stacks
    while True:
        while counters[5] > 0:
            counters[5] -= 1
            here = table.todo[counters[5]]
            table.waiting[here] = 0
            stack = table.stack_of[here]
            for j in range(nfa.jump_start[here], nfa.jump_start[here + 1]):
                if not arrive(nfa, table, nfa.jump_target[j], stack):
                    return False
            if nfa.is_end[here]:
                for k in range(stacks.start[stack], stacks.start[stack + 1]):
                    if not arrive(nfa, table, stacks.returns[k], stacks.parents[k]):
                        return False
            for c in range(nfa.call_start[here], nfa.call_start[here + 1]):
                count = counters[6]
                if 3 * count + 3 > table.pending.shape[0]:
                    return False
                table.pending[3 * count], table.pending[3 * count + 1] = nfa.call_rule[c], nfa.call_target[c]
                table.pending[3 * count + 2] = stack
                counters[6] += 1
        if counters[6] == 0:
            return True
        if not call(nfa, table):
            return False


@njit(cache=True)
def call(nfa: Nfa, table: Table) -> bool:
    """Enter the first of the pending rules, above one node for all its callers; false if an array is full."""
    stacks, pending, waiting = table.stacks, table.pending, table.counters[6]
    rule = pending[0]
    for i in range(1, waiting):
        rule = min(rule, pending[3 * i])
    base, kept = stacks.counters[2], 0
    for i in range(waiting):
        if pending[3 * i] == rule:
            if not placed(nfa, stacks, base, pending[3 * i + 1], pending[3 * i + 2]):
                stacks.counters[2] = base
                return False
        else:
            for part in range(3):
                pending[3 * kept + part] = pending[3 * i + part]
            kept += 1
    table.counters[6] = kept
    node = node_of(stacks, nfa.nearest, nfa.farthest, base)
    return node != UNKNOWN and arrive(nfa, table, nfa.begin[rule], node)


@njit(cache=True)
def placed(nfa: Nfa, stacks: Stacks, base: int, state: int, parent: int) -> bool:
    """Put a pair where it belongs among the sorted pairs on the pile from `base`; false if an array is full."""
    pile, at = stacks.pile, base
    while at < stacks.counters[2] and pile[2 * at] < state:
        at += 1
    if at < stacks.counters[2] and pile[2 * at] == state:
        union = merged(stacks, nfa.nearest, nfa.farthest, pile[2 * at + 1], parent)
        if union == UNKNOWN:
            return False
        pile[2 * at + 1] = union
        return True
    if not heap(stacks, state, parent):
        return False
    for k in range(stacks.counters[2] - 1, at, -1):
        pile[2 * k], pile[2 * k + 1] = pile[2 * k - 2], pile[2 * k - 1]
    pile[2 * at], pile[2 * at + 1] = state, parent
    return True


@njit(cache=True)
def fresh(table: Table) -> None:
    """Begin a new configuration."""
    table.counters[2] += 1
    table.counters[4:7] = 0


@njit(cache=True)
def intern(nfa: Nfa, table: Table) -> int:
    """The id of the configuration found, `UNKNOWN` if an array is full; states without bytes are dropped."""
    found, count = table.found, 0
    for i in range(table.counters[4]):
        here = found[i]
        if here == 1 or nfa.edge_start[here] < nfa.edge_start[here + 1]:
            found[count] = here
            count += 1
    if count == 0:
        return DEAD
    members = found[:count]
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
        code = mixed(code, members[i], table.stack_of[members[i]])
    slot = np.int64(code & np.uint64(size - 1))
    while table.slots[slot] != UNKNOWN:
        known = table.slots[slot]
        if equal(table, known, count):
            return int(known)
        slot = (slot + 1) & (size - 1)
    return int(add_state(nfa, table, count, slot))


@njit(cache=True)
def mixed(code: int, state: int, stack: int) -> int:
    """A hash with one more member."""
    code = (code ^ np.uint64(state)) * np.uint64(1099511628211)
    code ^= code >> np.uint64(29)
    code = (code ^ np.uint64(stack)) * np.uint64(1099511628211)
    return code ^ (code >> np.uint64(29))


@njit(cache=True)
def equal(table: Table, known: int, count: int) -> bool:
    """Whether DFA state `known` has exactly the members `found[:count]`."""
    first = table.start[known]
    if table.start[known + 1] - first != count:
        return False
    for i in range(count):
        member = table.found[i]
        if table.arena[first + i] != member or table.arena_stack[first + i] != table.stack_of[member]:
            return False
    return True


@njit(cache=True)
def add_state(nfa: Nfa, table: Table, count: int, slot: int) -> int:
    """A new DFA state with members `found[:count]`, or `UNKNOWN` if it does not fit."""
    state, used, stacks = table.counters[0], table.counters[1], table.stacks
    if state >= table.accepting.shape[0] or used + count > table.arena.shape[0] or 2 * state > table.slots.shape[0]:
        return UNKNOWN
    live, nearest, farthest = np.uint8(0), np.int64(FAR), np.int64(FAR)
    for i in range(count):
        member = table.found[i]
        stack = table.stack_of[member]
        table.arena[used + i], table.arena_stack[used + i] = member, stack
        live |= nfa.live[member]
        nearest = min(nearest, np.int64(nfa.nearest[member]) + np.int64(stacks.nearest[stack]))
        farthest = min(farthest, np.int64(nfa.farthest[member]) + np.int64(stacks.farthest[stack]))
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
    fresh(table)
    for i in range(table.start[state], table.start[state + 1]):
        member = table.arena[i]
        for e in range(nfa.edge_start[member], nfa.edge_start[member + 1]):
            if nfa.edge_low[e] <= symbol <= nfa.edge_high[e] and not arrive(
                nfa, table, nfa.edge_target[e], table.arena_stack[i]
            ):
                return UNKNOWN
    if not settle(nfa, table):
        return UNKNOWN
    target = intern(nfa, table)
    if target != UNKNOWN:
        table.transitions[state, symbol] = target
    return int(target)


@njit(cache=True)
def enter(memory: Memory, state: int) -> int:
    """The DFA state of one NFA state with an empty stack, and what its jumps and calls reach."""
    nfa, table = opened(memory)
    fresh(table)
    if not arrive(nfa, table, state, 0) or not settle(nfa, table):
        return UNKNOWN
    return int(intern(nfa, table))


@njit(cache=True)
def run(memory: Memory, state: int, data: Bytes) -> int:
    """The state after `data`; `DEAD` as soon as it is, `UNKNOWN` if an array is full."""
    nfa, table = opened(memory)
    transitions, class_of = table.transitions, nfa.class_of
    for i in range(data.shape[0]):
        # Read known transitions in place: a call with tuples of arrays costs more than the step.
        known = transitions[state, class_of[data[i]]]
        state = known if known != UNKNOWN else follow(nfa, table, state, class_of[data[i]])
        if state <= DEAD:
            return state
    return state


@njit(cache=True)
def complete(memory: Memory) -> int:
    """Compute every transition of every reachable state; `OK` or `FULL`."""
    nfa, table = opened(memory)
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
def rehash(memory: Memory) -> None:
    """Fill the empty hash tables of grown arrays with the states and nodes there are."""
    _, table = opened(memory)
    rehash_nodes(table.stacks)
    size = table.slots.shape[0]
    for state in range(2, table.counters[0]):
        code = np.uint64(1469598103934665603)
        for i in range(table.start[state], table.start[state + 1]):
            code = mixed(code, table.arena[i], table.arena_stack[i])
        slot = np.int64(code & np.uint64(size - 1))
        while table.slots[slot] != UNKNOWN:
            slot = (slot + 1) & (size - 1)
        table.slots[slot] = state
