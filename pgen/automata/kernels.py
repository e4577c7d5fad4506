"""Numba kernels: subset construction on demand, with calls and returns, and everything that walks its table.

A DFA state is a configuration: a set of NFA states ("members"), each above a stack node
(`pgen.automata.stacks`; always the empty one in regular languages), kept sorted in an arena
and interned through an open-addressing hash table. A transition is computed when a walk
first needs it, for all byte classes that the same edges hold. Kernels never allocate and never call Python; when an
array is full they return `UNKNOWN` or `FULL`, the caller grows the arrays and calls again,
and what was computed stays. Ids are given in order of discovery, so runs repeat.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pgen.automata.layout import (
    ARENA,
    ARENA_STACK,
    BEGIN,
    CALL_RULE,
    CALL_START,
    CALL_TARGET,
    CLASS_OF,
    COUNTERS,
    DEAD,
    EDGE_HIGH,
    EDGE_LOW,
    EDGE_START,
    EDGE_TARGET,
    FAR,
    FARTHEST,
    FOUND,
    FULL,
    IS_END,
    JUMP_START,
    JUMP_TARGET,
    LIVE,
    NEAREST,
    NODE_COUNTERS,
    NODE_FARTHEST,
    NODE_NEAREST,
    NODE_START,
    OK,
    PARENTS,
    PENDING,
    PILE,
    RECENT,
    RETURNS,
    SIGNS,
    SLOTS,
    STACK_OF,
    STAMP,
    START,
    STATE_ACCEPTING,
    STATE_FARTHEST,
    STATE_LIVE,
    STATE_NEAREST,
    TODO,
    TRANSITIONS,
    UNKNOWN,
    WAITING,
    Bytes,
)
from pgen.automata.memory import Memory, int_rows, ints, longs, octets
from pgen.automata.sorting import arrange
from pgen.automata.stacks import SEED, hashed, heap, merged, node_of, place, rehash_nodes


@njit(cache=True)
def arrive(memory: Memory, state: int, stack: int) -> bool:
    """Add an NFA state above a stack to the configuration in the making; false if an array is full."""
    counters, stamp, stack_of = longs(memory, COUNTERS), ints(memory, STAMP), ints(memory, STACK_OF)
    mark = counters[2]
    if stamp[state] != mark:
        stamp[state], stack_of[state] = mark, stack
        ints(memory, FOUND)[counters[4]] = state
        counters[4] += 1
    else:
        before = stack_of[state]
        if before == stack:
            return True
        after = merged(memory, np.int64(before), stack)
        if after == UNKNOWN:
            return False
        if after == before:
            return True
        stack_of[state] = after
    waiting = ints(memory, WAITING)
    if waiting[state] != mark:
        waiting[state] = mark
        ints(memory, TODO)[counters[5]] = state
        counters[5] += 1
    return True


@njit(cache=True)
def settle(memory: Memory) -> bool:
    """Follow jumps, calls and returns until nothing is new; false if an array is full.

    Calls of one rule share a stack node: they wait until all its callers are known,
    which their order (callers first) sees to; an order that fails costs a merge.
    """
    counters, todo, waiting = longs(memory, COUNTERS), ints(memory, TODO), ints(memory, WAITING)
    jump_start, jump_target = ints(memory, JUMP_START), ints(memory, JUMP_TARGET)
    stack_of, is_end = ints(memory, STACK_OF), octets(memory, IS_END)
    while True:
        while counters[5] > 0:
            counters[5] -= 1
            here = np.int64(todo[counters[5]])
            waiting[here] = 0
            for j in range(jump_start[here], jump_start[here + 1]):
                if not arrive(memory, np.int64(jump_target[j]), np.int64(stack_of[here])):
                    return False
            if is_end[here] and not returned(memory, np.int64(stack_of[here])):
                return False
            if not noted_calls(memory, here, np.int64(stack_of[here])):
                return False
        if counters[6] == 0:
            return True
        if not call(memory):
            return False


@njit(inline="always")
def returned(memory: Memory, stack: int) -> bool:
    """Arrive wherever the end of a rule above `stack` returns to."""
    start, returns, parents = longs(memory, NODE_START), ints(memory, RETURNS), ints(memory, PARENTS)
    for k in range(start[stack], start[stack + 1]):
        if not arrive(memory, np.int64(returns[k]), np.int64(parents[k])):
            return False
    return True


@njit(inline="always")
def noted_calls(memory: Memory, state: int, stack: int) -> bool:
    """Note the calls from a state as pending."""
    call_start, call_rule, call_target = ints(memory, CALL_START), ints(memory, CALL_RULE), ints(memory, CALL_TARGET)
    counters, pending = longs(memory, COUNTERS), ints(memory, PENDING)
    for c in range(call_start[state], call_start[state + 1]):
        at = 3 * counters[6]
        if at + 3 > pending.shape[0]:
            return False
        pending[at], pending[at + 1], pending[at + 2] = call_rule[c], call_target[c], stack
        counters[6] += 1
    return True


@njit(cache=True)
def call(memory: Memory) -> bool:
    """Enter the first of the pending rules, above one node for all its callers; false if an array is full.

    False, too, if the rule has to be written first; `counters` then say so.
    """
    counters, node_counters, pending = longs(memory, COUNTERS), longs(memory, NODE_COUNTERS), ints(memory, PENDING)
    waiting, rule = counters[6], np.int64(pending[0])
    for i in range(1, waiting):
        rule = min(rule, np.int64(pending[3 * i]))
    if ints(memory, BEGIN)[rule] < 0:
        counters[7] = rule + 1
        return False
    base, kept = node_counters[2], 0
    for i in range(waiting):
        if pending[3 * i] == rule:
            if not pushed(memory, base, np.int64(pending[3 * i + 1]), np.int64(pending[3 * i + 2])):
                node_counters[2] = base
                return False
        else:
            for part in range(3):
                pending[3 * kept + part] = pending[3 * i + part]
            kept += 1
    counters[6] = kept
    node = node_of(memory, base)
    return bool(node != UNKNOWN and arrive(memory, np.int64(ints(memory, BEGIN)[rule]), node))


@njit(inline="always")
def pushed(memory: Memory, base: int, state: int, stack: int) -> bool:
    """Add a return to `state` above `stack` to the pile; a tail call adds none of its own."""
    if not octets(memory, IS_END)[state]:
        return bool(placed(memory, base, state, stack))
    start, returns, parents = longs(memory, NODE_START), ints(memory, RETURNS), ints(memory, PARENTS)
    for k in range(start[stack], start[stack + 1]):
        if not placed(memory, base, np.int64(returns[k]), np.int64(parents[k])):
            return False
    return True


@njit(cache=True)
def placed(memory: Memory, base: int, state: int, parent: int) -> bool:
    """Put a pair where it belongs among the sorted pairs on the pile from `base`; false if an array is full."""
    pile, counters, at = ints(memory, PILE), longs(memory, NODE_COUNTERS), base
    while at < counters[2] and pile[2 * at] < state:
        at += 1
    if at < counters[2] and pile[2 * at] == state:
        union = merged(memory, np.int64(pile[2 * at + 1]), parent)
        if union == UNKNOWN:
            return False
        pile[2 * at + 1] = union
        return True
    if not heap(memory, state, parent):
        return False
    for k in range(counters[2] - 1, at, -1):
        pile[2 * k], pile[2 * k + 1] = pile[2 * k - 2], pile[2 * k - 1]
    pile[2 * at], pile[2 * at + 1] = state, parent
    return True


@njit(inline="always")
def fresh(memory: Memory) -> None:
    """Begin a new configuration."""
    counters = longs(memory, COUNTERS)
    counters[2] += 1
    counters[4] = counters[5] = counters[6] = 0


@njit(cache=True)
def intern(memory: Memory) -> int:
    """The id of the configuration found, `UNKNOWN` if an array is full; states without bytes are dropped."""
    found, stack_of, edge_start = ints(memory, FOUND), ints(memory, STACK_OF), ints(memory, EDGE_START)
    slots, count = ints(memory, SLOTS), np.int64(0)
    for i in range(longs(memory, COUNTERS)[4]):
        here = found[i]
        if here == 1 or edge_start[here] < edge_start[here + 1]:
            found[count] = here
            count += 1
    if count == 0:
        return DEAD
    arrange(found, ints(memory, TODO), count)
    code = np.uint64(SEED)
    for i in range(count):
        code = hashed(hashed(code, found[i]), stack_of[found[i]])
    slot = np.int64(code & np.uint64(slots.shape[0] - 1))
    while slots[slot] != 0:
        if equal(memory, np.int64(slots[slot]), count):
            return int(slots[slot])
        slot = (slot + 1) & (slots.shape[0] - 1)
    return int(add_state(memory, count, slot))


@njit(inline="always")
def equal(memory: Memory, known: int, count: int) -> bool:
    """Whether DFA state `known` has exactly the members `found[:count]`."""
    start, arena, arena_stack = longs(memory, START), ints(memory, ARENA), ints(memory, ARENA_STACK)
    found, stack_of, first = ints(memory, FOUND), ints(memory, STACK_OF), start[known]
    if start[known + 1] - first != count:
        return False
    for i in range(count):  # noqa: SIM110 (numba compiles loops, not generators)
        if arena[first + i] != found[i] or arena_stack[first + i] != stack_of[found[i]]:
            return False
    return True


@njit(cache=True)
def add_state(memory: Memory, count: int, slot: int) -> int:
    """A new DFA state with members `found[:count]`, or `UNKNOWN` if it does not fit."""
    arena, arena_stack, accepting = ints(memory, ARENA), ints(memory, ARENA_STACK), octets(memory, STATE_ACCEPTING)
    counters, slots = longs(memory, COUNTERS), ints(memory, SLOTS)
    state, used = counters[0], counters[1]
    if state >= accepting.shape[0] or used + count > arena.shape[0] or 2 * state > slots.shape[0]:
        return UNKNOWN
    found, stack_of, live = ints(memory, FOUND), ints(memory, STACK_OF), octets(memory, LIVE)
    nearest, farthest = ints(memory, NEAREST), ints(memory, FARTHEST)
    behind_near, behind_far = ints(memory, NODE_NEAREST), ints(memory, NODE_FARTHEST)
    any_live, near, far, accepts = np.uint8(0), np.int64(FAR), np.int64(FAR), False
    for i in range(count):
        member = found[i]
        stack = stack_of[member]
        arena[used + i], arena_stack[used + i] = member, stack
        any_live |= live[member]
        near = min(near, np.int64(nearest[member]) + np.int64(behind_near[stack]))
        far = min(far, np.int64(farthest[member]) + np.int64(behind_far[stack]))
        accepts |= member == 1
    accepting[state] = accepts
    octets(memory, STATE_LIVE)[state] = any_live
    ints(memory, STATE_NEAREST)[state], ints(memory, STATE_FARTHEST)[state] = near, far
    longs(memory, START)[state + 1], slots[slot] = used + count, state
    transitions = int_rows(memory, TRANSITIONS)
    for symbol in range(transitions.shape[1]):
        transitions[state, symbol] = UNKNOWN
    counters[0], counters[1] = state + 1, used + count
    return int(state)


@njit(cache=True)
def follow(memory: Memory, state: int, symbol: int) -> int:
    """The successor of `state` by byte class `symbol`, computed if unknown; `UNKNOWN` if an array is full."""
    row = int_rows(memory, TRANSITIONS)[state]
    if row[symbol] == UNKNOWN:
        partition(memory, state)
    code = row[symbol]
    if code >= 0:
        return int(code)
    target = successor(memory, state, -2 - code)
    if target != UNKNOWN:
        for c in range(row.shape[0]):
            if row[c] == code:
                row[c] = target
    return int(target)


@njit(cache=True)
def partition(memory: Memory, state: int) -> None:
    """Put byte classes that the same edges hold together in a row: their code is -2 minus the first; the others die.

    Where no two edges hold a class in common, as in most states, each edge is a part.
    """
    start, arena = longs(memory, START), ints(memory, ARENA)
    edge_start, row = ints(memory, EDGE_START), int_rows(memory, TRANSITIONS)[state]
    edge_low, edge_high = octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH)
    row[:] = DEAD
    for i in range(start[state], start[state + 1]):
        for e in range(edge_start[arena[i]], edge_start[arena[i] + 1]):
            for c in range(edge_low[e], edge_high[e] + 1):
                if row[c] != DEAD:
                    separate(memory, state)
                    return
                row[c] = -2 - np.int32(edge_low[e])


@njit(cache=True)
def separate(memory: Memory, state: int) -> None:
    """`partition` where edges share classes."""
    start, arena, signs = longs(memory, START), ints(memory, ARENA), longs(memory, SIGNS)
    edge_start, row = ints(memory, EDGE_START), int_rows(memory, TRANSITIONS)[state]
    edge_low, edge_high = octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH)
    signs[:] = 0
    for i in range(start[state], start[state + 1]):
        member = arena[i]
        for e in range(edge_start[member], edge_start[member + 1]):
            # Two hashes of a set of edges (a xor and a sum): 128 bits, so that equal means equal.
            first = (np.int64(e) + 1) * np.int64(-7046029254386353131)
            first ^= first >> 29
            second = first * np.int64(-4658895280553007687)
            second ^= second >> 32
            for c in range(edge_low[e], edge_high[e] + 1):
                signs[2 * c] ^= first
                signs[2 * c + 1] += second
    n_heads, heads = 0, signs[2 * row.shape[0] :]
    for c in range(row.shape[0]):
        first, second = signs[2 * c], signs[2 * c + 1]
        if first == 0 and second == 0:
            row[c] = DEAD
        elif c > 0 and signs[2 * c - 2] == first and signs[2 * c - 1] == second:
            row[c] = row[c - 1]
        else:
            k = 0
            while k < n_heads and not (signs[2 * heads[k]] == first and signs[2 * heads[k] + 1] == second):
                k += 1
            if k == n_heads:
                heads[k], n_heads = c, n_heads + 1
            row[c] = -2 - heads[k]


@njit(cache=True)
def successor(memory: Memory, state: int, symbol: int) -> int:
    """Where the edges of a state that hold a byte class lead; `UNKNOWN` if an array is full.

    What a single edge leads to depends on its target and the stack alone, and is remembered.
    """
    start, arena, arena_stack = longs(memory, START), ints(memory, ARENA), ints(memory, ARENA_STACK)
    edge_start, edge_target = ints(memory, EDGE_START), ints(memory, EDGE_TARGET)
    edge_low, edge_high, recent = octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH), int_rows(memory, RECENT)
    held, stack, n_held = np.int64(0), np.int64(0), 0
    fresh(memory)
    for i in range(start[state], start[state + 1]):
        member = arena[i]
        for e in range(edge_start[member], edge_start[member + 1]):
            if edge_low[e] <= symbol <= edge_high[e]:
                if n_held == 1 and not arrive(memory, held, stack):
                    return UNKNOWN
                if n_held > 0 and not arrive(memory, np.int64(edge_target[e]), np.int64(arena_stack[i])):
                    return UNKNOWN
                held, stack, n_held = np.int64(edge_target[e]), np.int64(arena_stack[i]), n_held + 1
    slot = place(recent.shape[0], held, stack)
    if n_held == 1:
        if recent[slot, 0] == held and recent[slot, 1] == stack:
            return int(recent[slot, 2])
        if not arrive(memory, held, stack):
            return UNKNOWN
    if not settle(memory):
        return UNKNOWN
    target = intern(memory)
    if n_held == 1 and target != UNKNOWN:
        recent[slot, 0], recent[slot, 1], recent[slot, 2] = held, stack, target
    return int(target)


@njit(cache=True)
def enter(memory: Memory, state: int) -> int:
    """The DFA state of one NFA state with an empty stack, and what its jumps and calls reach."""
    fresh(memory)
    if not arrive(memory, state, np.int64(0)) or not settle(memory):
        return UNKNOWN
    return int(intern(memory))


@njit(cache=True)
def run(memory: Memory, state: int, data: Bytes) -> int:
    """The state after `data`; `DEAD` as soon as it is, `UNKNOWN` if an array is full."""
    transitions, class_of = int_rows(memory, TRANSITIONS), octets(memory, CLASS_OF)
    for i in range(data.shape[0]):
        known = transitions[state, class_of[data[i]]]
        state = known if known >= 0 else follow(memory, state, np.int64(class_of[data[i]]))
        if state <= DEAD:
            return state
    return state


@njit(cache=True)
def complete(memory: Memory) -> int:
    """Compute every transition of every reachable state; `OK` or `FULL`."""
    counters, width = longs(memory, COUNTERS), int_rows(memory, TRANSITIONS).shape[1]
    while counters[3] < counters[0]:
        for symbol in range(width):
            if follow(memory, counters[3], symbol) == UNKNOWN:
                return FULL
        counters[3] += 1
    return OK


@njit(cache=True)
def rehash(memory: Memory) -> None:
    """Fill the empty hash tables of grown arrays with the states and nodes there are."""
    rehash_nodes(memory)
    start, arena, arena_stack = longs(memory, START), ints(memory, ARENA), ints(memory, ARENA_STACK)
    slots = ints(memory, SLOTS)
    for state in range(2, longs(memory, COUNTERS)[0]):
        code = np.uint64(SEED)
        for i in range(start[state], start[state + 1]):
            code = hashed(hashed(code, arena[i]), arena_stack[i])
        slot = np.int64(code & np.uint64(slots.shape[0] - 1))
        while slots[slot] != 0:
            slot = (slot + 1) & (slots.shape[0] - 1)
        slots[slot] = state
