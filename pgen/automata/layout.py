"""The arrays of a lazy automaton, and their places in the memory that its kernels take.

The memory of an `Nfa` and behind it that of a `table.Table` have a row for each array; the constants below number
them in this order.
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
"""In `Nfa.endless` and `Nfa.steps` before they are filled, and what a kernel returns that needs the first filled."""
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
    steps: Ints  # (n,) steps left of a counted run (`pgen.automata.runs`); `UNMARKED` before they are asked for


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
    STEPS,
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
) = range(47)
