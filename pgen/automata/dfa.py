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
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.automata import kernels
from pgen.automata.arrays import nfa_of
from pgen.automata.growth import Growth
from pgen.automata.layout import DEAD, ENDED, FULL, UNKNOWN, Nfa, Stacks, Table
from pgen.automata.memory import Memory, Plan, memory_of, opened, plan
from pgen.automata.pieces import Fragment
from pgen.automata.reachability import Trimmed, trim
from pgen.automata.stacks import FIRST_SLOTS, grown_stacks, longer
from pgen.errors import LimitExceeded
from pgen.limits import Limits, current

FREE_CELLS = 1_000_000
"""Cells to begin with: untouched memory costs nothing, and below 4 MB no huge pages are cleared at first touch."""
N_FACTS = 8
"""Fields of a `Table` between its transitions and its stacks."""
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
        self.table, rows = _empty_table(len(self.nfa.is_end), self.n_classes, self.limits)
        self.memory = np.concatenate([self._store.memory, rows])
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


def _empty_table(n_members: int, n_classes: int, limits: Limits) -> tuple[Table, Memory]:
    """No states but the two that mean dead and ended; where the table lies. Only what has to be is cleared."""
    fewest = min(8192, max(limits.states, 4), FREE_CELLS // n_classes)
    capacity = 1 << (fewest.bit_length() - 1)
    by = _plan_of(capacity, n_members, n_classes, limits.nesting)
    arrays, rows = opened(np.empty(by.n_bytes, np.uint8), by)
    transitions, end = np.empty((capacity, n_classes), np.int32), N_FACTS + len(Stacks._fields)
    fields: list[Any] = [transitions, *arrays[:N_FACTS], Stacks(*arrays[N_FACTS:end]), *arrays[end:]]
    table = Table(*fields)
    stacks, counters = table.stacks, table.counters
    # No edge leads to NFA state 0, and no stack is merged with itself: zeros in the two memos mean nothing.
    for cleared in (table.slots, table.recent, table.stamp, table.waiting, stacks.slots, stacks.memo):
        cleared.fill(0)
    transitions[[DEAD, ENDED]] = DEAD
    table.start[: START + 1] = 0
    for facts in (table.accepting, table.live, table.nearest, table.farthest):
        facts[:START] = 0
    table.accepting[ENDED] = 1
    counters[:] = 0
    counters[[0, 3]] = START
    stacks.start[:2] = stacks.nearest[0] = stacks.farthest[0] = 0
    stacks.counters[:] = 1, 0, 0, 0
    return table, np.concatenate([memory_of((transitions,)), rows])


@lru_cache(maxsize=64)
def _plan_of(capacity: int, n_members: int, n_classes: int, nesting: int) -> Plan:
    """Where the arrays of a `Table` lie, in the order of its fields, but for the transitions."""
    one, four, members = np.int32, 4 * capacity, (n_members,)
    facts: list[tuple[tuple[int, ...], type]] = [
        ((capacity + 1,), np.int64), ((four + 2 * n_members,), one), ((four + 2 * n_members,), one),
        ((capacity,), np.uint8), ((capacity,), np.uint8), ((capacity,), one), ((capacity,), one), ((FIRST_SLOTS,), one),
    ]  # fmt: skip
    stacks: list[tuple[tuple[int, ...], type]] = [
        ((capacity + 1,), np.int64), ((four,), one), ((four,), one), ((capacity,), one), ((capacity,), one),
        ((FIRST_SLOTS,), one), ((1024, 3), one), ((8 * capacity,), one), ((nesting, 5), np.int64), ((4,), np.int64),
    ]  # fmt: skip
    rest: list[tuple[tuple[int, ...], type]] = [
        ((8,), np.int64), (members, one), (members, one), (members, one), (members, one), (members, one),
        ((3 * 256,), one), ((3 * n_classes,), np.int64), ((1024, 3), one),
    ]  # fmt: skip
    shapes, types = zip(*facts, *stacks, *rest, strict=True)
    return plan(shapes, types)


def _with_members(table: Table, n_members: int) -> Table:
    """The table for more NFA states: room for what a configuration in the making needs for each."""
    if n_members <= len(table.stamp):
        return table
    (stamp, waiting), (stack_of, found, todo) = np.zeros((2, n_members), np.int32), np.empty((3, n_members), np.int32)
    return table._replace(stamp=stamp, waiting=waiting, stack_of=stack_of, found=found, todo=todo)


def _crowded(table: Table) -> bool:
    """Whether one of the hash tables is half full."""
    states, nodes = int(table.counters[0]), int(table.stacks.counters[0])
    return 2 * states > len(table.slots) or 2 * nodes > len(table.stacks.slots)


def _with_slots(table: Table) -> Table:
    """The table with empty hash tables, each at least four times as large as what is in it."""
    states, nodes = int(table.counters[0]), int(table.stacks.counters[0])
    slots, node_slots = (np.zeros(max(FIRST_SLOTS, 4 << n.bit_length()), np.int32) for n in (states, nodes))
    return table._replace(slots=slots, stacks=table.stacks._replace(slots=node_slots))


def _with_classes(table: Table, n_classes: int) -> Table:
    """The table for other byte classes: states stay, their transitions have to be found again."""
    transitions = np.full((len(table.accepting), n_classes), UNKNOWN, np.int32)
    transitions[[DEAD, ENDED]] = DEAD
    table.counters[3] = START
    return table._replace(transitions=transitions, signs=np.zeros(3 * n_classes, np.int64))


def _grown(table: Table, capacity: int, arena: int) -> Table:
    states, used = int(table.counters[0]), int(table.counters[1])
    return table._replace(
        transitions=longer(table.transitions, capacity, states),
        start=longer(table.start, capacity + 1, states + 1),
        arena=longer(table.arena, arena, used),
        arena_stack=longer(table.arena_stack, arena, used),
        accepting=longer(table.accepting, capacity, states),
        live=longer(table.live, capacity, states),
        nearest=longer(table.nearest, capacity, states),
        farthest=longer(table.farthest, capacity, states),
        stacks=grown_stacks(table.stacks),
        pending=longer(table.pending, 2 * len(table.pending), len(table.pending)),
    )
