"""Regular supersets of context-free languages, for look-aheads where neither a table nor a chart is small enough.

Calls are followed up to some depth, each with the return that belongs to it; deeper ones share one
copy of the rules, in which a rule returns to wherever it is called from (Mohri and Nederhof 2001,
"Regular approximation of context-free grammars through transformation", applied below a given depth).
Texts nested no deeper than that are judged exactly, others by a superset. A mass of a superset is positive
wherever a member can still be written, which is all that a look-ahead must be: weights telescope, and the
last one is the language's own verdict (`docs/diffusion.md`). Numbers of positions are exact.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np

from pgen.automata.nfa import fragment
from pgen.automata.pieces import CALL, Fragment
from pgen.errors import LimitExceeded
from pgen.language.base import Language
from pgen.tokens.classes import TokenTable, fragment_table
from pgen.tokens.vocabulary import Vocabulary

Stack = tuple[int, ...]
DEEP = -1
"""On a stack: returns below are not known."""


@lru_cache(maxsize=16)
def superset_table(language: Language, vocabulary: Vocabulary, length: int, max_states: int) -> TokenTable:
    """The table of the superset with the greatest depth that has at most `max_states` states; cached.

    Raises `LimitExceeded` if even the one that follows no call has more.
    """
    laid, found = fragment(language.node, share=False), None
    for depth in range(length + 1):
        try:
            table = fragment_table(regular_superset(laid, depth), language, vocabulary, length, max_states)
        except LimitExceeded:
            if found is None:
                raise
            break
        if found is not None and table.n_states == found.n_states:
            break
        found = table
    assert found is not None
    return found


def regular_superset(laid: Fragment, depth: int) -> Fragment:
    """The fragment without calls: with `depth` of them as they are, and all behind those merged."""
    unrolled = _Unrolled(laid, depth)
    unrolled.follow()
    return unrolled.fragment()


class _Unrolled:
    """States of a fragment under stacks of returns."""

    def __init__(self, laid: Fragment, depth: int) -> None:
        self._laid, self._depth = laid, depth
        self._edges, self._jumps = defaultdict[int, list[tuple[int, int, int]]](list), defaultdict[int, list[int]](list)
        for source, low, high, target in laid.edges.tolist():
            self._edges[source].append((low, high, target))
        for source, target in laid.jumps.tolist():
            self._jumps[source].append(target)
        self._number: dict[tuple[int, Stack], int] = {(0, ()): 0, (1, ()): 1}
        self._waiting: list[tuple[int, Stack]] = [(0, ()), (1, ())]
        self._made_edges: list[tuple[int, int, int, int]] = []
        self._made_jumps: list[tuple[int, int]] = []

    def follow(self) -> None:
        """Lay out everything that the start leads to."""
        for state, stack in self._waiting:
            here = self._number[state, stack]
            for low, high, target in self._edges[state]:
                if low < CALL:
                    self._made_edges.append((here, low, high, self._at(target, stack)))
                    continue
                inner = self._pushed(stack, target)
                begin, end = int(self._laid.begins[low - CALL]), int(self._laid.ends[low - CALL])
                self._made_jumps.append((here, self._at(begin, inner)))
                self._made_jumps.append((self._at(end, inner), self._at(target, stack)))
            self._made_jumps += [(here, self._at(target, stack)) for target in self._jumps[state]]

    def fragment(self) -> Fragment:
        edges = np.array(self._made_edges, np.int32).reshape(-1, 4)
        return Fragment(len(self._number), edges, np.array(self._made_jumps, np.int32).reshape(-1, 2))

    def _pushed(self, stack: Stack, back: int) -> Stack:
        if stack[-1:] == (DEEP,):
            return stack
        return (*stack, back if len(stack) < self._depth else DEEP)

    def _at(self, state: int, stack: Stack) -> int:
        if (state, stack) not in self._number:
            self._number[state, stack] = len(self._number)
            self._waiting.append((state, stack))
        return self._number[state, stack]
