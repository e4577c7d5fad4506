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

import numpy as np
from numpy.typing import NDArray

from pgen.automata import kernels
from pgen.automata.arrays import nfa_of
from pgen.automata.growth import Growth
from pgen.automata.layout import DEAD, ENDED, FULL, UNKNOWN, Nfa, Table
from pgen.automata.memory import memory_of
from pgen.automata.pieces import Fragment
from pgen.automata.reachability import Trimmed, trim
from pgen.automata.stacks import FIRST_SLOTS, empty_stacks, grown_stacks, longer
from pgen.errors import LimitExceeded
from pgen.limits import Limits, current

FREE_CELLS = 1_000_000
"""Cells to begin with: untouched memory costs nothing, and below 4 MB no huge pages are cleared at first touch."""
START = 2


class LazyDFA:
    """Walks a fragment, which may be one that grows, as a deterministic automaton. Not empty: check `is_empty` first.

    `farthest` says how many single-byte tokens lead from each NFA state to acceptance
    (default: as many as bytes), `live` from which states tokens do so at all (default: all).
    """

    def __init__(
        self,
        fragment: Fragment | Trimmed | Growth,
        farthest: NDArray[np.int32] | None = None,
        live: NDArray[np.uint8] | None = None,
    ) -> None:
        self._growth = fragment if isinstance(fragment, Growth) else None
        self.fragment, nearest = _trimmed(fragment)
        self.is_empty = self.fragment.n_states == 0
        self.limits = current()
        self.lock = threading.RLock()
        if self.is_empty:
            return
        self._store = self._growth.store if self._growth else nfa_of(self.fragment, nearest, farthest, live)
        self.nfa = self._store.nfa
        self.table = _empty_table(len(self.nfa.is_end), self.n_classes, self.limits)
        self.memory = np.concatenate([self._store.memory, memory_of(self.table)])
        # Another thread may be about to walk in arrays that have just been replaced: they live on.
        self._replaced: list[tuple[Nfa, Table]] = []
        self.start = self.entered(0)

    @property
    def n_classes(self) -> int:
        """How many classes of bytes there are."""
        return int(self.nfa.class_of[255]) + 1

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
        """Write the rule that is needed, or double the arrays; raises `LimitExceeded` at the documented limits."""
        table, n_states = self.table, int(self.table.counters[0])
        if table.counters[7]:
            self._write(int(table.counters[7]) - 1)
            return
        if table.stacks.counters[3]:
            raise LimitExceeded(
                f"two readings of this text differ in more than {self.limits.nesting:,} nested levels",
                hint="make the grammar less ambiguous, nest less deeply, or allow more with pgen.Limits(nesting=...)",
            )
        if _crowded(table):
            self._replace(self.nfa, _with_slots(table))
            kernels.rehash(self.memory)
            return
        capacity, arena = 2 * len(table.accepting), 2 * len(table.arena)
        members = max(arena, len(table.stacks.returns))
        limits, cells = self.limits, capacity * self.n_classes
        if n_states >= limits.states or cells > limits.cells or members > 2 * limits.members:
            raise LimitExceeded(
                f"the automaton has passed {n_states:,} states, of {int(table.start[n_states]):,} positions together",
                hint="nested counted repeats of overlapping classes multiply: use smaller counts or fewer of them,"
                " or allow more with pgen.Limits",
            )
        self._replace(self.nfa, _grown(table, capacity, arena))

    def _write(self, rule: int) -> None:
        """Take in the piece of a rule that is about to be called."""
        assert self._growth is not None, "only rules of languages that grow are unwritten"
        with self.limits:
            self._growth.write(rule)
        nfa, table = self._store.nfa, _with_members(self.table, len(self._store.nfa.is_end))
        if nfa.class_of is not self.nfa.class_of:
            table = _with_classes(table, int(nfa.class_of[255]) + 1)
        table.counters[7] = 0
        self._replace(nfa, table)

    def _replace(self, nfa: Nfa, table: Table) -> None:
        if nfa is self.nfa and table is self.table:
            return
        self._replaced.append((self.nfa, self.table))
        self.nfa, self.table = nfa, table
        self.memory = np.concatenate([self._store.memory, memory_of(table)])


def _trimmed(fragment: Fragment | Trimmed | Growth) -> Trimmed:
    if isinstance(fragment, Growth):
        return Trimmed(fragment.whole.fragment, fragment.whole.nearest)
    return fragment if isinstance(fragment, Trimmed) else trim(fragment)


def _empty_table(n_members: int, n_classes: int, limits: Limits) -> Table:
    """No states but the two that mean dead and ended. Memory is touched where it is used: pages of it cost time."""
    fewest = min(8192, max(limits.states, 4), FREE_CELLS // n_classes)
    capacity = 1 << (fewest.bit_length() - 1)
    marks, scratch = np.zeros((2, n_members), np.int32), np.empty((3, n_members), np.int32)
    table = Table(
        transitions=np.empty((capacity, n_classes), np.int32),
        start=np.empty(capacity + 1, np.int64),
        arena=np.empty(4 * capacity + 2 * n_members, np.int32),
        arena_stack=np.empty(4 * capacity + 2 * n_members, np.int32),
        accepting=np.empty(capacity, np.uint8),
        live=np.empty(capacity, np.uint8),
        nearest=np.empty(capacity, np.int32),
        farthest=np.empty(capacity, np.int32),
        slots=np.zeros(FIRST_SLOTS, np.int32),
        stacks=empty_stacks(capacity, limits.nesting),
        counters=np.array([START, 0, 0, START, 0, 0, 0, 0], np.int64),
        stamp=marks[0],
        waiting=marks[1],
        stack_of=scratch[0],
        found=scratch[1],
        todo=scratch[2],
        pending=np.empty(3 * 256, np.int32),
        signs=np.empty(3 * n_classes, np.int64),
        recent=np.zeros((1024, 3), np.int32),  # no edge leads to NFA state 0
    )
    table.transitions[[DEAD, ENDED]] = DEAD
    table.start[: START + 1] = 0
    for facts in (table.accepting, table.live, table.nearest, table.farthest):
        facts[:START] = 0
    table.accepting[ENDED] = 1
    return table


def _crowded(table: Table) -> bool:
    """Whether one of the hash tables is half full."""
    states, nodes = int(table.counters[0]), int(table.stacks.counters[0])
    return 2 * states > len(table.slots) or 2 * nodes > len(table.stacks.slots)


def _with_slots(table: Table) -> Table:
    """The table with empty hash tables, each at least four times as large as what is in it."""
    states, nodes = int(table.counters[0]), int(table.stacks.counters[0])
    slots, node_slots = (np.zeros(max(FIRST_SLOTS, 4 << n.bit_length()), np.int32) for n in (states, nodes))
    return table._replace(slots=slots, stacks=table.stacks._replace(slots=node_slots))


def _with_members(table: Table, n_members: int) -> Table:
    """The table for more NFA states: room for what a configuration in the making needs for each."""
    if n_members <= len(table.stamp):
        return table
    (stamp, waiting), (stack_of, found, todo) = np.zeros((2, n_members), np.int32), np.empty((3, n_members), np.int32)
    return table._replace(stamp=stamp, waiting=waiting, stack_of=stack_of, found=found, todo=todo)


def _with_classes(table: Table, n_classes: int) -> Table:
    """The table for other byte classes: states stay, their transitions have to be found again."""
    transitions = np.full((len(table.accepting), n_classes), UNKNOWN, np.int32)
    transitions[[DEAD, ENDED]] = DEAD
    table.counters[3] = START
    return table._replace(transitions=transitions, signs=np.zeros(3 * n_classes, np.int64))


def _grown(table: Table, capacity: int, arena: int) -> Table:
    return table._replace(
        transitions=longer(table.transitions, capacity),
        start=longer(table.start, capacity + 1),
        arena=longer(table.arena, arena),
        arena_stack=longer(table.arena_stack, arena),
        accepting=longer(table.accepting, capacity),
        live=longer(table.live, capacity),
        nearest=longer(table.nearest, capacity),
        farthest=longer(table.farthest, capacity),
        stacks=grown_stacks(table.stacks),
        pending=longer(table.pending, 2 * len(table.pending)),
    )
