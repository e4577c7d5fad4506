"""Which tokens may be put into which gap of a growing sequence so that it can still become a member.

A sequence x_1 .. x_n has gaps 0 .. n. With D(s, s') the fewest tokens that lead a
deterministic token automaton from s to s' (over token edges: byte edges would
allow what no tokens spell), f_g(s) counts the tokens to insert into gaps 0 .. g so
that the automaton may stand in s inside gap g, and b_g(s) those to insert from there on:

    f_0(s) = D(start, s)      f_g(s') = min over s of f_{g-1}(s) + D(delta(s, x_g), s')
    b_n(s) = min over accepting a of D(s, a)
    b_{g-1}(s) = min over s' of D(s, s') + b_g(delta(s', x_g))

Token t may go into gap g iff some s has f_g(s) + b_g(delta(s, t)) <= what is left
after t; the sequence may stop iff it is a member. Without a budget D is 0 or
infinite, and vectors are sets. An insertion into gap g leaves f_0 .. f_g and
b_g .. b_n as they are, and the others are recomputed until one is as before. Vectors
are numbered by content and what follows from them is remembered (`store_kernels`),
across sequences: an insertion is one kernel call, with O(edges) work for each vector
or pair of vectors that is seen for the first time, and look-ups otherwise.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.gaps.kernels import FAR as FAR
from pgen.gaps.store import GapStore
from pgen.gaps.store_kernels import BACKWARD, CLASS, FORWARD, REACHED, ROW, inserted, started

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]


class GapState(NamedTuple):
    """A sequence with what is known of its gaps: `cells` as in `store_kernels`, valid in one epoch of the store."""

    tokens: tuple[int, ...]
    cells: Ints
    epoch: int


class GapAutomaton:
    """Insertion into the members of one token automaton; with `budgeted`, distances are counted."""

    def __init__(self, table: TokenTable, budgeted: bool) -> None:
        self.table = table
        self.budgeted = budgeted
        self.class_of = np.ascontiguousarray(table.class_of, np.int32)
        self._accepting = np.asarray(table.accepting, np.bool_)
        self._store = GapStore(table, int(budgeted))
        self._lock = threading.Lock()

    def start(self, tokens: tuple[int, ...] = ()) -> GapState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        with self._lock:
            return self._started(tokens)

    def insert(self, state: GapState, gap: int, token: int) -> GapState:
        """The state after `token` is put into `gap`, with only what changes recomputed."""
        tokens = (*state.tokens[:gap], token, *state.tokens[gap:])
        grown, token_class = np.empty((5, len(tokens) + 1), np.int32), self.class_of[token]
        with self._lock:
            while state.epoch == self._store.epoch:
                if inserted(self._store.memory, state.cells, gap, token_class, grown):
                    return GapState(tokens, grown, self._store.epoch)
                self._store.make_room(bounded=True)
            return self._started(tokens)

    def fewest(self, state: GapState) -> int:
        """The fewest insertions that make the sequence a member, `FAR` if none do; 0 or `FAR` without budgets."""
        with self._lock:
            return int(self._store.vectors[self._valid(state)[BACKWARD, 0], 0])

    def rows(self, state: GapState) -> Ints:
        """`(gaps, C)`: the fewest further insertions after one of each token class, `FAR` where it must not go."""
        with self._lock:
            cells = self._valid(state)
            found: Ints = self._store.rows.take(cells[ROW], axis=0)
            return found

    def allowed(self, state: GapState, left: int | None = None) -> NDArray[np.bool_]:
        """`(gaps, V)`: what may be inserted; with `left` insertions to go, the next one included."""
        within = self.rows(state) <= (FAR - 1 if left is None else left - 1)
        return within[:, self.class_of]

    def is_member(self, state: GapState) -> bool:
        """Whether the sequence as it is is a member."""
        reached = int(state.cells[REACHED, -1])
        return reached >= 0 and bool(self._accepting[reached])

    def _valid(self, state: GapState) -> Ints:
        """Cells whose numbers mean something now."""
        return state.cells if state.epoch == self._store.epoch else self._started(state.tokens).cells

    def _started(self, tokens: tuple[int, ...]) -> GapState:
        """The cells of a whole sequence. A store that is emptied for it and still too small grows beyond its bound."""
        epoch, cells = self._store.epoch, np.empty((5, len(tokens) + 1), np.int32)
        cells[CLASS, :-1], cells[CLASS, -1] = self.class_of[list(tokens)], -1
        while True:
            cells[FORWARD, 0], cells[BACKWARD, -1], cells[REACHED, 0] = self._store.first, self._store.last, 0
            if started(self._store.memory, cells):
                return GapState(tokens, cells, self._store.epoch)
            self._store.make_room(bounded=self._store.epoch == epoch)
