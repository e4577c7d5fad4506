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
b_g .. b_n as they are, and the others are followed until one is as before, but for a constant
(`kernels`): an insertion is one kernel call. A step that was never met takes O(P) times the
entries of the token's class, for the P entries of the table; a gap that changed O(P), others O(classes).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.gaps.kernels import BEFORE, BEFORE_BASE, BEHIND, BEHIND_BASE, CLASS, FEWEST, REACHED, grown
from pgen.gaps.kernels import FAR as FAR
from pgen.gaps.store import MOST, GapStore

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]
Tokens = tuple[int, ...]

MAX_KNOWN = 1 << 14
"""Sequences that are remembered with their gaps; what was not asked for longest is forgotten first."""


class GapState(NamedTuple):
    """A sequence, and which one it came of by an insertion into which gap (-1: none)."""

    tokens: Tokens
    source: Tokens = ()
    gap: int = -1


class Cells(NamedTuple):
    """What is known of the gaps of a sequence: `cells`, `rests`, `rows` and `facts` of `kernels.grown`."""

    cells: Ints
    rests: Ints
    rows: Ints
    facts: Ints


class GapAutomaton:
    """Insertion into the members of one token automaton; with `budgeted`, distances of at most `most` are counted."""

    def __init__(self, table: TokenTable, budgeted: bool, most: int = MOST) -> None:
        self.table = table
        self.budgeted = budgeted
        self.class_of = np.ascontiguousarray(table.class_of, np.int32)
        self._accepting = np.asarray(table.accepting, np.bool_)
        self._store = GapStore(table, int(budgeted), min(most, MOST) if budgeted else 0)
        self._known: OrderedDict[Tokens, Cells] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, tokens: Tokens = ()) -> GapState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        return GapState(tokens)

    def insert(self, state: GapState, gap: int, token: int) -> GapState:
        """The state after `token` is put into `gap`; what changes is worked out when it is asked for."""
        return GapState((*state.tokens[:gap], token, *state.tokens[gap:]), state.tokens, gap)

    def fewest(self, state: GapState) -> int:
        """The fewest insertions that make the sequence a member, `FAR` if none do; 0 or `FAR` without budgets."""
        return int(self.cells(state).facts[FEWEST])

    def rows(self, state: GapState) -> Ints:
        """`(gaps, C)`: the fewest further insertions after one of each token class, `FAR` where it must not go."""
        return self.cells(state).rows

    def allowed(self, state: GapState, left: int | None = None) -> NDArray[np.bool_]:
        """`(gaps, V)`: what may be inserted; with `left` insertions to go, the next one included."""
        within = self.rows(state) <= (FAR - 1 if left is None else left - 1)
        return within[:, self.class_of]

    def is_member(self, state: GapState) -> bool:
        """Whether the sequence as it is is a member."""
        reached = int(self.cells(state).facts[REACHED])
        return reached >= 0 and bool(self._accepting[reached])

    def cells(self, state: GapState) -> Cells:
        """What is known of the gaps of a sequence."""
        with self._lock:
            cells = self._known.get(state.tokens)
            if cells is None:
                cells = self._known[state.tokens] = self._worked_out(state)
                if len(self._known) > MAX_KNOWN:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(state.tokens)
            return cells

    def _worked_out(self, state: GapState) -> Cells:
        """From the sequence that it came of, if that is known. A single sequence may need a store beyond its bound."""
        epoch, store = self._store.epoch, self._store
        while True:
            source = self._known.get(state.source) if state.gap >= 0 else None
            made = self._whole(state.tokens) if source is None else self._copied(source, state)
            gap = -1 if source is None else state.gap
            if grown(store.memory, store.like, gap, *made):
                return made
            self._known.clear()
            store.make_room(bounded=store.epoch == epoch)

    def _whole(self, tokens: Tokens) -> Cells:
        made = self._empty(len(tokens) + 1)
        made.cells[CLASS, :-1], made.cells[CLASS, -1] = self.class_of[list(tokens)], -1
        made.cells[1:] = -1
        made.cells[[BEFORE, BEFORE_BASE], 0] = made.cells[[BEHIND, BEHIND_BASE], -1] = 1, 0
        return made

    def _copied(self, source: Cells, state: GapState) -> Cells:
        """With both gaps that came of one as that was."""
        made, split = self._empty(len(state.tokens) + 1), state.gap + 1
        made.cells[:, :split], made.cells[:, split:] = source.cells[:, :split], source.cells[:, state.gap :]
        made.rests[:split], made.rests[split:] = source.rests[:split], source.rests[state.gap :]
        made.cells[CLASS, state.gap] = self.class_of[state.tokens[state.gap]]
        return made

    def _empty(self, n_gaps: int) -> Cells:
        rows = np.empty((2, n_gaps, self._store.n_classes), np.int32)
        return Cells(np.empty((5, n_gaps), np.int32), rows[0], rows[1], np.empty(2, np.int32))
