"""What the tokens of a vocabulary do to the rules of a context-free language, explored where it is asked for.

A token read from a state of a body leads to states of the same body, unless on its way the body calls a
rule or ends. So all that a search over positions needs to know of a token trie are, for a state and a
node of the trie, the states in which tokens below the node leave off (`ends`), and the places strictly inside of
tokens at which the body calls or may end, and what it comes to can read on (`middles`). Under the bytes of JSON
a vocabulary of 131,072 tokens has 86,740 nodes, of which 43 are such places. A walk takes O(arcs below the node), once.

A committed token is a trie of its own with one word: its nodes have numbers behind those of the vocabulary's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pgen.chains.pushdown import Ints, Pushdown, ways_on

UNREADABLE = -1
"""The node of tokens that no member holds."""
Arc = tuple[int, int, int]
"""A node (-1: a token ends), the class of the byte, and the group of the tokens that end there."""


class Moves(NamedTuple):
    """States behind whole tokens, and places `(state, node)` inside of them where reading goes on in another body."""

    ends: tuple[int, ...]
    middles: tuple[tuple[int, int], ...]


class Reading:
    """Moves of one `Pushdown`; grows as it is asked."""

    def __init__(self, rules: Pushdown) -> None:
        self.rules = rules
        bodies, spellings = rules.bodies, rules.spellings
        self._delta: list[list[int]] = bodies.delta.tolist()
        self._start: list[int] = spellings.arc_start.tolist()
        self._arcs: list[Arc] = list(
            zip(spellings.arc_target.tolist(), spellings.arc_class.tolist(), spellings.arc_group.tolist(), strict=True)
        )
        self._onward = [frozenset(np.flatnonzero(ways).tolist()) for ways in ways_on(bodies)]
        self._words: list[tuple[int, ...]] = []
        self._nodes: dict[tuple[int, ...], int] = {}
        self._moves: dict[tuple[int, int], Moves] = {}

    def node_of(self, token: int) -> int:
        """Where the reading of a committed token begins; `UNREADABLE` if no member holds it."""
        group = int(self.rules.spellings.group_of[token])
        return UNREADABLE if group < 0 else self._node(self._spelled(group))

    def moves(self, state: int, node: int) -> Moves:
        """What tokens below a node do from a state."""
        known = self._moves.get((state, node))
        if known is None:
            ends, middles = set[int](), set[tuple[int, int]]()
            for after, target, _ in self._walk(state, node):
                if target < 0:
                    ends.add(after)
                elif self._onward[after] and any(arc[1] in self._onward[after] for arc in self._arcs_of(target)):
                    middles.add((after, target))
            known = self._moves[state, node] = Moves(tuple(sorted(ends)), tuple(sorted(middles)))
        return known

    def groups(self, state: int, node: int) -> dict[int, Ints]:
        """For each of `moves(state, node).ends`, the groups of tokens that lead there without a stop."""
        found = defaultdict[int, list[int]](list)
        for after, target, group in self._walk(state, node):
            if target < 0:
                found[after].append(group)
        return {after: np.array(groups, np.int32) for after, groups in found.items()}

    def _walk(self, state: int, node: int) -> Iterator[Arc]:
        """(state behind, node, group) of every arc below a node that the body reads."""
        waiting = [(state, node)]
        while waiting:
            here, at = waiting.pop()
            row = self._delta[here]
            for target, byte_class, group in self._arcs_of(at):
                after = row[byte_class]
                if after >= 0:
                    yield after, target, group
                    if target >= 0:
                        waiting.append((after, target))

    def _arcs_of(self, node: int) -> list[Arc]:
        n_nodes = len(self._start) - 1
        if node < n_nodes:
            return self._arcs[self._start[node] : self._start[node + 1]]
        byte_class, *rest = self._words[node - n_nodes]
        return [(self._node(tuple(rest)) if rest else -1, byte_class, -1)]

    def _node(self, word: tuple[int, ...]) -> int:
        if word not in self._nodes:
            self._nodes[word] = len(self._start) - 1 + len(self._words)
            self._words.append(word)
        return self._nodes[word]

    def _spelled(self, group: int) -> tuple[int, ...]:
        """The byte classes of a group, read from its last arc up to the root."""
        sources, incoming, lasts = self._upwards
        arc, word = int(lasts[group]), list[int]()
        while arc >= 0:
            word.append(self._arcs[arc][1])
            arc = int(incoming[sources[arc]])
        return tuple(reversed(word))

    @cached_property
    def _upwards(self) -> tuple[Ints, Ints, Ints]:
        """The node before each arc, the arc that leads to each node (-1: the root), and the last arc of each group."""
        spellings = self.rules.spellings
        incoming = np.full(spellings.n_nodes, -1, np.int32)
        inner = np.flatnonzero(spellings.arc_target >= 0)
        incoming[spellings.arc_target[inner]] = inner
        ending = np.flatnonzero(spellings.arc_group >= 0)
        lasts = np.zeros(len(ending), np.int32)
        lasts[spellings.arc_group[ending]] = ending
        return spellings.arc_source, incoming, lasts
