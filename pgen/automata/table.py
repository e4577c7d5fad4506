"""The growable arrays of a lazy DFA: where they lie, made as arrays for Python only when it asks for them.

Most automata are small, and live for a few masks: making thirty arrays would take longer than their first walk. So a
`Table` is one block of memory, besides the transitions, and a row for each array in it. Memory that nothing has
touched costs nothing; what has to be zero at first is cleared by a kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.layout import (
    COUNTERS,
    DEAD,
    ENDED,
    MEMO,
    NODE_COUNTERS,
    NODE_FARTHEST,
    NODE_NEAREST,
    NODE_SLOTS,
    NODE_START,
    RECENT,
    SLOTS,
    STAMP,
    START,
    STATE_ACCEPTING,
    STATE_FARTHEST,
    STATE_LIVE,
    STATE_NEAREST,
    TRANSITIONS,
    WAITING,
    Bytes,
    Ints,
)
from pgen.automata.memory import Memory, Plan, int_rows, ints, joined, longs, memory_of, octets, plan
from pgen.limits import Limits

FIRST_STATE = 2
"""The first state that is neither dead nor ended."""
FREE_CELLS = 1_000_000
"""Cells to begin with: untouched memory costs nothing, and below 4 MB no huge pages are cleared at first touch."""
FIRST_SLOTS, FIRST_NODE_SLOTS = 8192, 2048
"""Places of the hash tables of states and stack nodes to begin with, powers of two: they have to be cleared."""
Longs = NDArray[np.int64]


class Table:
    """Growable arrays of the DFA and of its stack nodes.

    `counters` are the numbers of (states, arena places used, the current mark, states
    with a complete row, members found, members to do, pending calls, one more than the rule to be written),
    `node_counters` those of (nodes, places used, pile used, whether merging went too deep).
    """

    transitions: Ints  # (capacity, C); below 0: unknown, -1 of a new state, -2 - c of classes that go where c goes
    start: Longs  # (capacity + 1,) into the arena
    arena: Ints
    arena_stack: Ints
    accepting: Bytes  # (capacity,)
    live: Bytes  # (capacity,)
    nearest: Ints  # (capacity,)
    farthest: Ints  # (capacity,)
    slots: Ints  # hash table, a power of two
    node_start: Longs  # (nodes + 1,) into returns and parents
    returns: Ints
    parents: Ints
    node_nearest: Ints  # (nodes,) fewest bytes to acceptance behind a return
    node_farthest: Ints  # (nodes,) the same by single-byte tokens
    node_slots: Ints  # hash table, a power of two
    memo: Ints  # (power of two, 3) recent unions
    pile: Ints  # scratch: pairs of nodes in the making
    frames: Longs  # (nesting, 5) scratch: merges in progress
    node_counters: Longs
    counters: Longs
    stamp: Ints  # (n,) scratch: the mark under which an NFA state was last found
    waiting: Ints  # (n,) scratch: the mark under which it waits to be followed
    stack_of: Ints  # (n,) scratch: the stack it was found above
    found: Ints  # (n,) scratch: states found
    todo: Ints  # (n,) scratch: stack
    pending: Ints  # scratch: calls as (rule, return, stack)
    signs: Longs  # (3 C,) scratch: which edges hold each byte class, as two hashes; classes that differ
    recent: Ints  # (power of two, 3) NFA state, stack, and the state of the two

    def __init__(self, memory: Memory, block: Bytes, by: Plan, apart: dict[str, NDArray[Any]]) -> None:
        """`memory` are the rows of all arrays in order, which lie in a block or, those in `apart`, elsewhere."""
        self.memory = memory
        self._block, self._plan, self._apart = block, by, apart

    def __getattr__(self, name: str) -> NDArray[Any]:
        at = _PLACES.get(name)
        if at is None:
            raise AttributeError(name)
        array = self._apart.get(name)
        if array is None:
            by = self._plan
            array = np.ndarray(by.shapes[at], by.types[at], self._block, int(by.rows[at, 0]))
        setattr(self, name, array)
        return array

    def with_arrays(self, **others: NDArray[Any]) -> Table:
        """The table with other arrays of these names."""
        memory = self.memory.copy()
        memory[[_PLACES[name] for name in others]] = memory_of(others.values())
        return Table(memory, self._block, self._plan, {**self._apart, **others})


_PLACES = {name: at for at, name in enumerate(Table.__annotations__)}


def empty_table(before: Memory, n_members: int, n_classes: int, limits: Limits) -> tuple[Table, Memory]:
    """A table without states but those that mean dead and ended, and its memory behind another.

    There is room for some states over so many NFA states and byte classes.
    """
    fewest = min(8192, max(limits.states, 4), FREE_CELLS // n_classes)
    capacity = 1 << (fewest.bit_length() - 1)
    by = _plan_of(capacity, n_members, n_classes, limits.nesting)
    block, transitions = np.empty(by.n_bytes, np.uint8), np.empty((capacity, n_classes), np.int32)
    memory = _begun(before, by.rows, block, transitions)
    return Table(memory[len(before) :], block, by, {"transitions": transitions}), memory


@lru_cache(maxsize=64)
def _plan_of(capacity: int, n_members: int, n_classes: int, nesting: int) -> Plan:
    """Where the arrays of a `Table` lie, in their order; the transitions, which come first, take no place."""
    one, four, members = np.int32, 4 * capacity, (n_members,)
    arrays: list[tuple[tuple[int, ...], type]] = [
        ((0, n_classes), one), ((capacity + 1,), np.int64),
        ((four + 2 * n_members,), one), ((four + 2 * n_members,), one),
        ((capacity,), np.uint8), ((capacity,), np.uint8), ((capacity,), one), ((capacity,), one), ((FIRST_SLOTS,), one),
        ((capacity + 1,), np.int64), ((four,), one), ((four,), one), ((capacity,), one), ((capacity,), one),
        ((FIRST_NODE_SLOTS,), one), ((1024, 3), one), ((8 * capacity,), one), ((nesting, 5), np.int64),
        ((4,), np.int64), ((8,), np.int64), (members, one), (members, one), (members, one), (members, one),
        (members, one), ((3 * 256,), one), ((3 * n_classes,), np.int64), ((1024, 3), one),
    ]  # fmt: skip
    shapes, types = zip(*arrays, strict=True)
    return plan(shapes, types)


@njit(cache=True)
def _begun(before: Memory, rows: Memory, block: Bytes, transitions: Ints) -> Memory:
    """The memory of an empty table in a block, behind another; only what has to be is cleared."""
    memory: Memory = joined(before, rows, block)
    memory[TRANSITIONS, 0], memory[TRANSITIONS, 1] = np.int64(transitions.ctypes.data), transitions.shape[0]
    # No edge leads to NFA state 0, and no stack is merged with itself: zeros in the two memos mean nothing.
    for at in (SLOTS, NODE_SLOTS, STAMP, WAITING):
        ints(memory, at)[:] = 0
    for at in (RECENT, MEMO):
        int_rows(memory, at)[:] = 0
    transitions[:FIRST_STATE] = DEAD
    longs(memory, START)[: FIRST_STATE + 1] = 0
    for at in (STATE_ACCEPTING, STATE_LIVE):
        octets(memory, at)[:FIRST_STATE] = 0
    octets(memory, STATE_ACCEPTING)[ENDED] = 1
    for at in (STATE_NEAREST, STATE_FARTHEST):
        ints(memory, at)[:FIRST_STATE] = 0
    counters, node_counters = longs(memory, COUNTERS), longs(memory, NODE_COUNTERS)
    counters[:] = 0
    counters[0] = counters[3] = FIRST_STATE
    longs(memory, NODE_START)[:2] = 0
    ints(memory, NODE_NEAREST)[0] = ints(memory, NODE_FARTHEST)[0] = 0
    node_counters[:] = 0
    node_counters[0] = 1
    return memory


def with_members(table: Table, n_members: int) -> Table:
    """The table for more NFA states: room for what a configuration in the making needs for each."""
    if n_members <= table.memory[STAMP - TRANSITIONS, 1]:
        return table
    (stamp, waiting), (stack_of, found, todo) = np.zeros((2, n_members), np.int32), np.empty((3, n_members), np.int32)
    return table.with_arrays(stamp=stamp, waiting=waiting, stack_of=stack_of, found=found, todo=todo)


def with_classes(table: Table, before: Bytes, after: Bytes) -> Table:
    """The table for finer byte classes: what a class has been cut into goes where it went.

    That is exact, since the edges of the states that there are hold all of a class or nothing.
    """
    n_states, transitions = int(table.counters[0]), table.transitions
    others = np.empty((len(transitions), int(after[255]) + 1), np.int32)
    _cut(transitions, others, n_states, before, after)
    return table.with_arrays(transitions=others, signs=np.empty(3 * others.shape[1], np.int64))


@njit(cache=True)
def _cut(before: Ints, after: Ints, n_states: int, old: Bytes, new: Bytes) -> None:
    """Fill the rows of states by byte classes `new (256,)` from those by classes `old (256,)`, which `new` refines."""
    was, first = np.empty(after.shape[1], np.int64), np.empty(before.shape[1], np.int32)
    for byte in range(255, -1, -1):
        was[new[byte]], first[old[byte]] = old[byte], new[byte]
    for state in range(n_states):
        for symbol in range(after.shape[1]):
            code = before[state, was[symbol]]
            after[state, symbol] = code if code >= -1 else -2 - first[-2 - code]


def is_crowded(table: Table) -> bool:
    """Whether one of the hash tables is half full."""
    states, nodes = int(table.counters[0]), int(table.node_counters[0])
    return 2 * states > len(table.slots) or 2 * nodes > len(table.node_slots)


def with_slots(table: Table) -> Table:
    """The table with empty hash tables, each at least eight times as large as what is in it."""
    room = (FIRST_SLOTS, table.counters[0]), (FIRST_NODE_SLOTS, table.node_counters[0])
    slots, node_slots = (np.zeros(max(fewest, 8 << int(used).bit_length()), np.int32) for fewest, used in room)
    return table.with_arrays(slots=slots, node_slots=node_slots)


_GROUPS = (
    ("accepting", "transitions", "start", "live", "nearest", "farthest"),
    ("arena", "arena_stack"),
    ("node_nearest", "node_farthest", "node_start"),
    ("returns", "parents"),
    ("pile",),
    ("pending",),
)
"""Arrays that become full together; hash tables are another matter."""


def full_arrays(table: Table) -> tuple[str, ...]:
    """The names of the arrays that are half full, or of all that may become full where none is."""
    groups = zip(_GROUPS, _used(table), strict=True)
    half = [names for names, used in groups if 2 * used >= len(getattr(table, names[0]))]
    return sum(half or _GROUPS, ())


def doubled(table: Table, names: Iterable[str]) -> Table:
    """The table with arrays twice as long, of which what is not in use is not touched."""
    counts = {name: used for group, used in zip(_GROUPS, _used(table), strict=True) for name in group}
    return table.with_arrays(**{name: _longer(getattr(table, name), counts[name] + 1) for name in names})


def _used(table: Table) -> tuple[int, ...]:
    """How much is used of the first array of each group."""
    counters, (nodes, held, piled, _) = table.counters.tolist(), table.node_counters.tolist()
    return counters[0], counters[1], nodes, held, 2 * piled, 3 * counters[6]


def _longer(array: NDArray[Any], used: int) -> NDArray[Any]:
    made = np.empty((2 * len(array), *array.shape[1:]), array.dtype)
    used = min(used, len(array))
    made[:used] = array[:used]
    return made
