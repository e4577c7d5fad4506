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
infinite, and vectors are sets. They are worked out for the states that are on the way of a member
within the budget only, and after an insertion for the gaps that it changes (`kernels`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.gaps.kernels import FAR as FAR
from pgen.gaps.kernels import begun, grown
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


class Look(NamedTuple):
    """What a sequence allows.

    `rows (gaps, C)`: the fewest further insertions after one of each class, and `fewest`: those that make it a member;
    `FAR` where none within the budget do.
    """

    rows: Ints
    fewest: int
    is_member: bool


class _Gaps(NamedTuple):
    """What is remembered of a sequence: what `kernels.grown` goes on from, and what was told."""

    known: tuple[Ints, Ints, Ints, Ints]
    look: Look


class GapAutomaton:
    """Insertion into the members of one token automaton.

    With `budgeted`, insertions are counted, and members have at most `most` tokens.
    """

    def __init__(self, table: TokenTable, budgeted: bool, most: int = MOST) -> None:
        self.table = table
        self.budgeted = budgeted
        self.class_of = np.ascontiguousarray(table.class_of, np.int32)
        self._store = GapStore(table, int(budgeted), min(most, MOST) if budgeted else 0)
        self._known: OrderedDict[Tokens, _Gaps] = OrderedDict()
        self._classes: list[int] = self.class_of.tolist()
        self._lock = threading.Lock()

    def start(self, tokens: Tokens = ()) -> GapState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        return GapState(tokens)

    def insert(self, state: GapState, gap: int, token: int) -> GapState:
        """The state after `token` is put into `gap`; what changes is worked out when it is asked for."""
        return GapState((*state.tokens[:gap], token, *state.tokens[gap:]), state.tokens, gap)

    def look(self, state: GapState) -> Look:
        """What may be inserted where, and whether the sequence may stop; without budgets, 0 stands for any number."""
        with self._lock:
            gaps = self._known.get(state.tokens)
            if gaps is None:
                gaps = self._known[state.tokens] = self._worked_out(state)
                if len(self._known) > MAX_KNOWN:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(state.tokens)
            return gaps.look

    def allowed(self, state: GapState, left: int | None = None) -> NDArray[np.bool_]:
        """`(gaps, V)`: what may be inserted; with `left` insertions to go, the next one included."""
        within = self.look(state).rows <= (FAR - 1 if left is None else left - 1)
        return within[:, self.class_of]

    def _worked_out(self, state: GapState) -> _Gaps:
        """From the sequence that it came of, if that is known. A single sequence may need a store beyond its bound."""
        is_room, *known, facts = self._grown(state)
        bounded = True
        while not is_room:
            self._known.clear()
            self._store.make_room(bounded=bounded)
            is_room, *known, facts = self._grown(state)
            bounded = False
        fewest, is_member = facts.tolist()
        return _Gaps(tuple(known), Look(known[-1], fewest, bool(is_member)))

    def _grown(self, state: GapState) -> tuple[Any, ...]:
        memory, like, classes = self._store.memory, self._store.like, self._classes
        source = self._known.get(state.source) if state.gap >= 0 else None
        made: tuple[Any, ...]
        if source is not None:
            made = grown(memory, like, state.gap, classes[state.tokens[state.gap]], *source.known)
            return made
        made = begun(memory, like)
        for gap, token in enumerate(state.tokens):
            if made[0]:
                made = grown(memory, like, gap, classes[token], *made[1:-1])
        return made
