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
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.automata import kernels
from pgen.automata.arrays import Views, nfa_of
from pgen.automata.growth import Growth
from pgen.automata.layout import DEAD, FULL, IS_END, UNKNOWN
from pgen.automata.pieces import NO_STATES, Fragment, as_edges, as_jumps
from pgen.automata.reachability import Trimmed, trim
from pgen.automata.table import (
    FIRST_STATE,
    Table,
    doubled,
    empty_table,
    full_arrays,
    is_crowded,
    with_classes,
    with_members,
    with_slots,
)
from pgen.errors import LimitExceeded
from pgen.limits import current

START = FIRST_STATE


class LazyDFA:
    """Walks a fragment, which may be one that grows, as a deterministic automaton. Not empty: check `is_empty` first.

    `fragment` is what is walked, unless it grows. `farthest` says how many single-byte tokens lead from each NFA state
    to acceptance (default: as many as bytes), `live` from which states tokens do so at all (default: all).
    """

    def __init__(
        self,
        fragment: Fragment | Trimmed | Growth,
        farthest: NDArray[np.int32] | None = None,
        live: NDArray[np.uint8] | None = None,
    ) -> None:
        self._growth = fragment if isinstance(fragment, Growth) else None
        trimmed = _NOTHING if isinstance(fragment, Growth) else _trimmed(fragment)
        self.fragment = trimmed.fragment
        self.is_empty = not self.fragment.n_states if self._growth is None else self._growth.nearest_bytes is None
        self.limits = current()
        self.lock = threading.RLock()
        if self.is_empty:
            return
        self._store = self._growth.store if self._growth else nfa_of(*trimmed, farthest, live)
        self.nfa = self._store.nfa
        rows = self._store.memory
        self.table, self.memory = empty_table(rows, int(rows[IS_END, 1]), self.n_classes, self.limits)
        # Another thread may be about to walk in arrays that have just been replaced: they live on.
        self._replaced: list[tuple[Views, Table]] = []
        self.start = self.entered(0)

    @property
    def n_classes(self) -> int:
        """How many classes of bytes there are."""
        return self._store.n_classes

    def entered(self, member: int) -> int:
        """The state that stands for one NFA state."""
        return self.settled(lambda: kernels.enter(self.memory, member))

    def run(self, state: int, data: bytes) -> int:
        """The state after `data` (0: dead)."""
        if not data or state == DEAD:
            return state
        # Writable, as tokens' bytes are: kernels are compiled once for each type of an argument.
        array = np.frombuffer(bytearray(data), np.uint8)
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
        """Write the rule that is needed, or double what is full; raises `LimitExceeded` at the documented limits."""
        table = self.table
        if table.counters[7]:
            self._write(int(table.counters[7]) - 1)
        elif table.node_counters[3]:
            raise LimitExceeded(
                f"two readings of this text differ in more than {self.limits.nesting:,} nested levels",
                hint="make the grammar less ambiguous, nest less deeply, or allow more with pgen.Limits(nesting=...)",
            )
        elif is_crowded(table):
            self._replace(self.nfa, with_slots(table))
            kernels.rehash(self.memory)
        else:
            names = full_arrays(table)
            self._require_room(names)
            self._replace(self.nfa, doubled(table, names))

    def _require_room(self, names: Sequence[str]) -> None:
        """Whether the limits allow to double these arrays."""
        table, limits, n_states = self.table, self.limits, int(self.table.counters[0])
        cells, arena, returns = (
            getattr(table, name).size * (1 + (name in names)) for name in ("transitions", "arena", "returns")
        )
        if n_states >= limits.states or cells > limits.cells or max(arena, returns) > 2 * limits.members:
            raise LimitExceeded(
                f"the automaton has passed {n_states:,} states, of {int(table.start[n_states]):,} positions together",
                hint="nested counted repeats of overlapping classes multiply: use smaller counts or fewer of them,"
                " or allow more with pgen.Limits",
            )

    def _write(self, rule: int) -> None:
        """Take in the piece of a rule that is about to be called."""
        assert self._growth is not None, "only rules of languages that grow are unwritten"
        with self.limits:
            self._growth.write(rule)
        nfa, before, after = self._store.nfa, self.nfa.class_of, self._store.nfa.class_of
        table = with_members(self.table, int(self._store.memory[IS_END, 1]))
        if before[255] != after[255]:
            # Classes are only ever cut.
            table = with_classes(table, before, after)
        table.counters[7] = 0
        self._replace(nfa, table)

    def _replace(self, nfa: Views, table: Table) -> None:
        if nfa is self.nfa and table is self.table:
            return
        self._replaced.append((self.nfa, self.table))
        self.nfa, self.table = nfa, table
        self.memory = np.concatenate([self._store.memory, table.memory])


def _trimmed(fragment: Fragment | Trimmed) -> Trimmed:
    return fragment if isinstance(fragment, Trimmed) else trim(fragment)


_NOTHING = Trimmed(Fragment(0, as_edges([]), as_jumps([])), NO_STATES)
