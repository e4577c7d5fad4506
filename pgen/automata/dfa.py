"""`LazyDFA`: the determinised automaton of an IR node, built only where walks go.

Subset construction on demand (Rabin and Scott 1959; the laziness is that of grep and
of RE2's DFA), in the kernels of `pgen.automata.kernels`. Context-free languages run in
the same table: their states are configurations with interned stacks, infinitely many,
of which only those that walks reach exist. States are small ints: 0 is dead, 1 is
"ended" (what follows an EOS token), 2 the start. Memory is bounded by
`pgen.Limits`, looked at when arrays grow to twice their size; past them `LimitExceeded`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pgen.automata import kernels
from pgen.automata.layout import DEAD, ENDED, FULL, UNKNOWN, UNMARKED, Nfa, Table
from pgen.automata.memory import memory_of
from pgen.automata.pieces import CALL, Fragment
from pgen.automata.reachability import Trimmed, trim
from pgen.automata.stacks import empty_stacks, grown_stacks
from pgen.errors import LimitExceeded
from pgen.limits import Limits, current

FREE_CELLS = 1_000_000
"""Cells to begin with: untouched memory costs nothing, and below 4 MB no huge pages are cleared at first touch."""
START = 2


Scalar = TypeVar("Scalar", bound=np.generic)


class LazyDFA:
    """Walks a fragment as a deterministic automaton. Not empty: check `is_empty` first.

    `farthest` says how many single-byte tokens lead from each NFA state to acceptance
    (default: as many as bytes), `live` from which states tokens do so at all (default: all).
    """

    def __init__(
        self,
        fragment: Fragment | Trimmed,
        farthest: NDArray[np.int32] | None = None,
        live: NDArray[np.uint8] | None = None,
    ) -> None:
        self.fragment, nearest = fragment if isinstance(fragment, Trimmed) else trim(fragment)
        self.is_empty = self.fragment.n_states == 0
        self.limits = current()
        self.lock = threading.RLock()
        if self.is_empty:
            return
        self.nfa = _nfa(self.fragment)
        self.n_classes = int(self.nfa.class_of[255]) + 1
        self.nfa = self.nfa._replace(
            live=np.ones(self.fragment.n_states, np.uint8) if live is None else live,
            nearest=nearest,
            farthest=nearest if farthest is None else farthest,
        )
        self.table = _empty_table(self.fragment.n_states, self.n_classes, self.limits)
        self.memory = memory_of((self.nfa, self.table))
        # Another thread may be about to walk in arrays that have just been replaced: they live on.
        self._replaced: list[Table] = []
        self.start = self.entered(0)

    def entered(self, member: int) -> int:
        """The state that stands for one NFA state."""
        return self.settled(lambda: kernels.enter(self.memory, member))

    def run(self, state: int, data: bytes) -> int:
        """The state after `data` (0: dead)."""
        if not data or state == DEAD:
            return state
        array = np.frombuffer(data, np.uint8)
        return self.settled(lambda: kernels.run(self.memory, state, array))

    def is_accepting(self, state: int) -> bool:
        """Whether the bytes that led to `state` are a member."""
        return bool(self.table.accepting[state])

    def members(self, state: int) -> NDArray[np.int32]:
        """The NFA states of a configuration, ascending."""
        return self.table.arena[self.table.start[state] : self.table.start[state + 1]]

    def complete(self) -> None:
        """Compute the whole table."""
        with self.lock:
            while kernels.complete(self.memory) == FULL:
                self.grow()

    def settled(self, kernel: Callable[[], int]) -> int:
        """The result of a kernel that returns a state, growing the arrays as often as it needs."""
        with self.lock:
            while (state := kernel()) == UNKNOWN:
                self.grow()
        return int(state)

    def grow(self) -> None:
        """Double the arrays; raises `LimitExceeded` at the documented limits."""
        table, n_states = self.table, int(self.table.counters[0])
        if table.stacks.counters[3]:
            raise LimitExceeded(
                f"two readings of this text differ in more than {self.limits.nesting:,} nested levels",
                hint="make the grammar less ambiguous, nest less deeply, or allow more with pgen.Limits(nesting=...)",
            )
        capacity, arena = 2 * len(table.accepting), 2 * len(table.arena)
        members = max(arena, len(table.stacks.returns))
        limits, cells = self.limits, capacity * self.n_classes
        if n_states >= limits.states or cells > limits.cells or members > 2 * limits.members:
            raise LimitExceeded(
                f"the automaton has passed {n_states:,} states, of {int(table.start[n_states]):,} positions together",
                hint="nested counted repeats of overlapping classes multiply: use smaller counts or fewer of them,"
                " or allow more with pgen.Limits",
            )
        self._replaced.append(table)
        self.table = _grown(table, capacity, arena)
        self.memory = memory_of((self.nfa, self.table))
        kernels.rehash(self.memory)


def _byte_classes(edges: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """`class_of (256,)` for the coarsest intervals that no edge cuts, and the edges' first and last class."""
    border = np.zeros(257, np.bool_)
    border[edges[:, 1]] = border[edges[:, 2] + 1] = True
    border[0] = False
    class_of = np.cumsum(border[:256]).astype(np.uint8)
    return class_of, class_of[edges[:, 1]], class_of[edges[:, 2]]


def _nfa(fragment: Fragment) -> Nfa:
    """The arrays of a fragment; what depends on tokens is left empty."""
    is_call = fragment.edges[:, 1] >= CALL
    edge_start, edges = _by_source(fragment.edges[~is_call], fragment.n_states)
    call_start, calls = _by_source(fragment.edges[is_call], fragment.n_states)
    jump_start, jumps = _by_source(fragment.jumps, fragment.n_states)
    class_of, low, high = _byte_classes(edges)
    is_end = np.zeros(fragment.n_states, np.uint8)
    is_end[fragment.ends] = 1
    return Nfa(
        edge_start=edge_start,
        edge_low=low,
        edge_high=high,
        edge_target=edges[:, 3].copy(),
        jump_start=jump_start,
        jump_target=jumps[:, 1].copy(),
        call_start=call_start,
        call_rule=calls[:, 1] - CALL,
        call_target=calls[:, 3].copy(),
        begin=fragment.begins,
        is_end=is_end,
        live=np.empty(0, np.uint8),
        nearest=np.empty(0, np.int32),
        farthest=np.empty(0, np.int32),
        class_of=class_of,
        endless=np.full(fragment.n_states, UNMARKED, np.int32),
    )


def _by_source(rows: NDArray[np.int32], n_states: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where each state's rows begin, `(n + 1,)`, and the rows in that order."""
    ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    return np.searchsorted(ordered[:, 0], np.arange(n_states + 1)).astype(np.int32), ordered


def _empty_table(n_members: int, n_classes: int, limits: Limits) -> Table:
    fewest = min(8192, max(limits.states, 4), FREE_CELLS // n_classes)
    capacity = 1 << (fewest.bit_length() - 1)  # hash tables want a power of two
    scratch = np.zeros((5, n_members), np.int32)
    table = Table(
        transitions=np.empty((capacity, n_classes), np.int32),
        start=np.zeros(capacity + 1, np.int64),
        arena=np.zeros(4 * capacity + 2 * n_members, np.int32),
        arena_stack=np.zeros(4 * capacity + 2 * n_members, np.int32),
        accepting=np.zeros(capacity, np.uint8),
        live=np.zeros(capacity, np.uint8),
        nearest=np.zeros(capacity, np.int32),
        farthest=np.zeros(capacity, np.int32),
        slots=np.zeros(4 * capacity, np.int32),
        stacks=empty_stacks(capacity, limits.nesting),
        counters=np.array([START, 0, 0, START, 0, 0, 0], np.int64),
        stamp=scratch[0],
        waiting=scratch[1],
        stack_of=scratch[2],
        found=scratch[3],
        todo=scratch[4],
        pending=np.zeros(3 * 256, np.int32),
        signs=np.zeros(3 * n_classes, np.int64),
        recent=np.full((1024, 3), UNKNOWN, np.int32),
    )
    table.transitions[[DEAD, ENDED]] = DEAD
    table.accepting[ENDED] = 1
    return table


def _grown(table: Table, capacity: int, arena: int) -> Table:
    def longer(array: NDArray[Scalar], size: int) -> NDArray[Scalar]:
        made = np.zeros((size, *array.shape[1:]), array.dtype)
        made[: len(array)] = array
        return made

    return table._replace(
        transitions=longer(table.transitions, capacity),
        start=longer(table.start, capacity + 1),
        arena=longer(table.arena, arena),
        arena_stack=longer(table.arena_stack, arena),
        accepting=longer(table.accepting, capacity),
        live=longer(table.live, capacity),
        nearest=longer(table.nearest, capacity),
        farthest=longer(table.farthest, capacity),
        slots=np.zeros(4 * capacity, np.int32),
        stacks=grown_stacks(table.stacks),
        pending=longer(table.pending, 2 * len(table.pending)),
    )
