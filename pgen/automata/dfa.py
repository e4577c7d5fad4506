"""`LazyDFA`: the determinised automaton of an IR node, built only where walks go.

Subset construction on demand (Rabin and Scott 1959; the laziness is that of grep and
of RE2's DFA), in the kernels of `pgen.automata.kernels`. States are small ints: 0 is
dead, 1 is "ended" (what follows an EOS token), 2 the start. Memory is bounded by
`MAX_STATES` and `MAX_MEMBERS`; past them `LimitExceeded`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pgen.automata import kernels
from pgen.automata.kernels import DEAD, ENDED, FULL, UNKNOWN, Nfa, Table
from pgen.automata.nfa import Fragment
from pgen.automata.reachability import Trimmed, trim
from pgen.errors import LimitExceeded

MAX_STATES = 1_000_000
MAX_CELLS = 200_000_000
"""Cells of the transition table: 800 MB."""
MAX_MEMBERS = 50_000_000
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
        self.lock = threading.RLock()
        if self.is_empty:
            return
        class_of, low, high = _byte_classes(self.fragment.edges)
        self.n_classes = int(class_of.max()) + 1
        self.nfa = _nfa(self.fragment, class_of, low, high)._replace(
            live=np.ones(self.fragment.n_states, np.uint8) if live is None else live,
            nearest=nearest,
            farthest=nearest if farthest is None else farthest,
        )
        self.table = _empty_table(self.fragment.n_states, self.n_classes)
        self.start = self.entered(0)

    def entered(self, member: int) -> int:
        """The state that stands for one NFA state."""
        return self.settled(lambda: kernels.enter(self.nfa, self.table, member))

    def run(self, state: int, data: bytes) -> int:
        """The state after `data` (0: dead)."""
        if not data or state == DEAD:
            return state
        array = np.frombuffer(data, np.uint8)
        return self.settled(lambda: kernels.run(self.nfa, self.table, state, array))

    def is_accepting(self, state: int) -> bool:
        """Whether the bytes that led to `state` are a member."""
        return bool(self.table.accepting[state])

    def members(self, state: int) -> NDArray[np.int32]:
        """The NFA states of a configuration, ascending."""
        return self.table.arena[self.table.start[state] : self.table.start[state + 1]]

    def complete(self) -> None:
        """Compute the whole table."""
        with self.lock:
            while kernels.complete(self.nfa, self.table) == FULL:
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
        capacity, arena = 2 * len(table.accepting), 2 * len(table.arena)
        if n_states > MAX_STATES or capacity * self.n_classes > MAX_CELLS or arena > 2 * MAX_MEMBERS:
            raise LimitExceeded(
                f"the automaton has passed {n_states:,} states",
                hint="nested counted repeats of overlapping classes multiply: use smaller counts or fewer of them",
            )
        self.table = _grown(table, capacity, arena)


def _byte_classes(edges: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """`class_of (256,)` for the coarsest intervals that no edge cuts, and the edges' first and last class."""
    border = np.zeros(257, np.bool_)
    border[edges[:, 1]] = border[edges[:, 2] + 1] = True
    border[0] = False
    class_of = np.cumsum(border[:256]).astype(np.uint8)
    return class_of, class_of[edges[:, 1]], class_of[edges[:, 2]]


def _nfa(fragment: Fragment, class_of: NDArray[np.uint8], low: NDArray[np.uint8], high: NDArray[np.uint8]) -> Nfa:
    """The arrays of a fragment; what depends on tokens is left empty."""
    order = np.argsort(fragment.edges[:, 0], kind="stable")
    jumps = fragment.jumps[np.argsort(fragment.jumps[:, 0], kind="stable")]
    states = np.arange(fragment.n_states + 1)
    return Nfa(
        edge_start=np.searchsorted(fragment.edges[order, 0], states).astype(np.int32),
        edge_low=low[order],
        edge_high=high[order],
        edge_target=fragment.edges[order, 3].copy(),
        jump_start=np.searchsorted(jumps[:, 0], states).astype(np.int32),
        jump_target=jumps[:, 1].copy(),
        live=np.empty(0, np.uint8),
        nearest=np.empty(0, np.int32),
        farthest=np.empty(0, np.int32),
        class_of=class_of,
    )


def _empty_table(n_members: int, n_classes: int) -> Table:
    capacity = 256 if n_members < 1024 else 1024
    table = Table(
        transitions=np.full((capacity, n_classes), UNKNOWN, np.int32),
        start=np.zeros(capacity + 1, np.int64),
        arena=np.zeros(4096 + 2 * n_members, np.int32),
        accepting=np.zeros(capacity, np.uint8),
        live=np.zeros(capacity, np.uint8),
        nearest=np.zeros(capacity, np.int32),
        farthest=np.zeros(capacity, np.int32),
        slots=np.full(4 * capacity, UNKNOWN, np.int32),
        counters=np.array([START, 0, 0, START], np.int64),
        stamp=np.zeros(n_members, np.int32),
        found=np.zeros(n_members, np.int32),
        todo=np.zeros(n_members, np.int32),
    )
    table.transitions[[DEAD, ENDED]] = DEAD
    table.accepting[ENDED] = 1
    return table


def _grown(table: Table, capacity: int, arena: int) -> Table:
    def longer(array: NDArray[Scalar], size: int, fill: int = 0) -> NDArray[Scalar]:
        made = np.full((size, *array.shape[1:]), fill, array.dtype)
        made[: len(array)] = array
        return made

    grown = table._replace(
        transitions=longer(table.transitions, capacity, UNKNOWN),
        start=longer(table.start, capacity + 1),
        arena=longer(table.arena, arena),
        accepting=longer(table.accepting, capacity),
        live=longer(table.live, capacity),
        nearest=longer(table.nearest, capacity),
        farthest=longer(table.farthest, capacity),
        slots=np.full(4 * capacity, UNKNOWN, np.int32),
    )
    kernels.rehash(grown)
    return grown
