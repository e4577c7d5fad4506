"""The arrays of a lazy automaton, and their places in the memory that its kernels take.

`memory_of((nfa, table))` flattens the tuples in the order of their fields; the constants
below number the arrays in that order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

OK, FULL = 0, 1
UNKNOWN, DEAD, ENDED = -1, 0, 1
UNMARKED = -2
"""In `Nfa.endless` before it is filled, and what a kernel returns that needs it filled."""
FAR = 2**30
"""A distance that stands for infinity; two of them still fit 64 bits, not 32."""


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
    begin: Ints  # (R,) first state of each rule, callers before those they begin with; -1: to be written
    is_end: Bytes  # (n,) whether a rule returns from here
    live: Bytes  # (n,) whether tokens can lead to the end from here
    nearest: Ints  # (n,) fewest bytes to the end (of the rule): a lower bound, in bytes
    farthest: Ints  # (n,) fewest bytes by single-byte tokens: an upper bound, in tokens
    class_of: Bytes  # (256,)
    endless: Ints  # (n,) see `pgen.tokens.endless`, as for the next two
    inside: NDArray[np.uint64]  # (n,) places inside characters (bits) from which everyday text does not leave
    beyond: Ints  # (n,) most single-byte tokens to the end from wherever everyday text leads


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
    frames: NDArray[np.int64]  # (nesting, 5) scratch: merges in progress
    counters: NDArray[np.int64]


class Table(NamedTuple):
    """Growable arrays of the DFA.

    `counters` are the numbers of (states, arena places used, the current mark, states
    with a complete row, members found, members to do, pending calls, one more than the rule to be written).
    """

    transitions: Ints  # (capacity, C); below 0: unknown, -1 of a new state, -2 - c of classes that go where c goes
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
    signs: NDArray[np.int64]  # (3 C,) scratch: which edges hold each byte class, as two hashes; classes that differ
    recent: Ints  # (power of two, 3) NFA state, stack, and the state of the two


(
    EDGE_START,
    EDGE_LOW,
    EDGE_HIGH,
    EDGE_TARGET,
    JUMP_START,
    JUMP_TARGET,
    CALL_START,
    CALL_RULE,
    CALL_TARGET,
    BEGIN,
    IS_END,
    LIVE,
    NEAREST,
    FARTHEST,
    CLASS_OF,
    ENDLESS,
    INSIDE,
    BEYOND,
    TRANSITIONS,
    START,
    ARENA,
    ARENA_STACK,
    STATE_ACCEPTING,
    STATE_LIVE,
    STATE_NEAREST,
    STATE_FARTHEST,
    SLOTS,
    NODE_START,
    RETURNS,
    PARENTS,
    NODE_NEAREST,
    NODE_FARTHEST,
    NODE_SLOTS,
    MEMO,
    PILE,
    FRAMES,
    NODE_COUNTERS,
    COUNTERS,
    STAMP,
    WAITING,
    STACK_OF,
    FOUND,
    TODO,
    PENDING,
    SIGNS,
    RECENT,
) = range(46)
