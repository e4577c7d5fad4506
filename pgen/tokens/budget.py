"""Fewest tokens to acceptance: exact, but only computed where cheap bounds leave a doubt.

Bounds per state come with determinisation: at least (bytes to acceptance) / (longest
token), at most the bytes of a path of single-byte tokens. Between them an A* search
over token edges decides (Hart, Nilsson and Raphael 1968); the lower bound is
consistent, so the first acceptance popped is nearest, and every state on the path
found is settled with it. Cost: one trie walk per state expanded, at most `MAX_WALKS`.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import ENDED, FULL
from pgen.errors import LimitExceeded
from pgen.tokens import budget_kernels
from pgen.tokens.lexicon import Lexicon
from pgen.tokens.spellable import token_targets

MAX_WALKS = 20_000


class TokenDistances:
    """Distances over one automaton and vocabulary, memoised."""

    def __init__(self, dfa: LazyDFA, lexicon: Lexicon) -> None:
        self._dfa = dfa
        self._lexicon = lexicon
        self._longest = max(lexicon.max_depth, 1)
        self._exact: dict[int, int] = {ENDED: 0}
        self._targets: dict[int, list[int]] = {}

    def certain(self, state: int, left: int, mask: NDArray[np.uint32]) -> list[tuple[int, int]]:
        """Set the bits of what is certain with `left` tokens to come; returns the doubtful (trie node, state) pairs."""
        path = np.zeros(self._lexicon.max_depth + 1, np.int32)
        doubtful = np.zeros(2 * len(self._lexicon.trie.byte) + 1, np.int32)
        dfa, lexicon = self._dfa, self._lexicon.memory
        with dfa.lock:
            while (
                budget_kernels.walk_budget(dfa.memory, lexicon, state, path, left, self._longest, mask, doubtful)
                == FULL
            ):
                dfa.grow()
                mask[:] = 0
        pairs = doubtful[1 : 1 + 2 * doubtful[0]].reshape(-1, 2)
        return [(int(node), int(target)) for node, target in pairs]

    def within(self, state: int, left: int) -> bool:
        """Whether a member can be reached with at most `left` tokens."""
        if left < self._at_least(state):
            return False
        return int(self._dfa.table.farthest[state]) <= left or self.exact(state) <= left

    def exact(self, state: int) -> int:
        """Fewest tokens from a live state to acceptance."""
        if state not in self._exact:
            self._search(state)
        return self._exact[state]

    def _at_least(self, state: int) -> int:
        return -(-int(self._dfa.table.nearest[state]) // self._longest)

    def _search(self, origin: int) -> None:
        best, parent = {origin: 0}, {origin: origin}
        queue, closed = [(self._at_least(origin), origin)], set()
        while queue:
            total, state = heapq.heappop(queue)
            if state in closed:
                continue
            closed.add(state)
            if self._dfa.is_accepting(state) or (state in self._exact and total == best[state] + self._exact[state]):
                self._settle(state, origin, parent)
                return
            if len(closed) > MAX_WALKS:
                raise LimitExceeded(
                    f"the fewest tokens to a member are not found within {MAX_WALKS:,} states",
                    hint="allow more tokens, so that the exact count does not matter",
                )
            for target in self._successors(state):
                if best[state] + 1 < best.get(target, 2**30):
                    best[target], parent[target] = best[state] + 1, state
                    ahead = self._exact.get(target, self._at_least(target))
                    heapq.heappush(queue, (best[target] + ahead, target))
        raise AssertionError("a live state reaches acceptance")

    def _settle(self, state: int, origin: int, parent: dict[int, int]) -> None:
        distance = self._exact.setdefault(state, 0)
        while state != origin:
            state, distance = parent[state], distance + 1
            self._exact[state] = distance

    def _successors(self, state: int) -> list[int]:
        if state not in self._targets:
            found = token_targets(self._dfa, self._lexicon, state)
            live = self._dfa.table.live
            self._targets[state] = [target for target in found if live[target]]
        return self._targets[state]
