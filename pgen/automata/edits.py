"""The member of a language nearest to a text: A* over (automaton state, position in the text).

Edits insert, delete and replace characters (code points) at given costs; keeping a
character is free. A node (q, i) has read i characters of the text while the automaton
stands in q. At least (fewest characters from q to acceptance - characters left of the
text) must still be inserted, which is the heuristic (Hart, Nilsson and Raphael 1968);
bytes with the same transitions are tried once (Wagner, "Order-n correction for regular
languages", CACM 1974, for the search without one). Works for context-free languages
as well, since states come as they are reached.

Where the nearest member is not found within `MAX_NODES`, a second search adds `PULL` for
every character that is not yet read (weighted A*, Pohl 1970): it soon reaches an end, and
finds a member that need not be the nearest.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.automata.nfa import fragment
from pgen.automata.pieces import Fragment
from pgen.automata.reachability import byte_distances, trim
from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language import ir

MAX_NODES = 30_000
"""Nodes that one search may expand."""
PULL = 2.0
"""Cost for a character that is not yet read, in the search for any member."""
VISITS = 64
"""Times that a node may be expanded where a first answer need not do."""


class Step(NamedTuple):
    """One edit or kept character: `old` characters of the text become `new` bytes."""

    old: int
    new: bytes
    cost: int


class Found(NamedTuple):
    """The steps to a member; `is_nearest`: none is nearer."""

    steps: list[Step]
    is_nearest: bool


class Costs(NamedTuple):
    """Of inserting, deleting and replacing a character."""

    insert: int
    delete: int
    replace: int


class Node(NamedTuple):
    """A state, a position, and the steps that led there, last first."""

    state: int
    position: int
    cost: int
    parent: Node | None
    step: Step | None


class _Spent(Exception):
    """A search has expanded `MAX_NODES`; what was reached costs `cost`."""

    def __init__(self, cost: int) -> None:
        super().__init__(cost)
        self.cost = cost


def nearest(
    node: ir.Node, text: str, costs: Costs, accept: Callable[[str], bool] | None, most: int | None
) -> Found | None:
    """A nearest member that `accept` (if given) accepts, or a near one; `None` if all cost more than `most`.

    Raises `InvalidLanguage` if the language is empty, `LimitExceeded` if no member is found at all.
    """
    dfa = _measured(node)
    if dfa.is_empty:
        raise InvalidLanguage("the language is empty: no text is a member")
    search = _Search(dfa, text, costs, 1 if accept is None else VISITS)
    for pull in (0.0, PULL):
        try:
            for end in search.members(most, pull):
                steps = _steps(end)
                if accept is None or accept(b"".join(step.new for step in steps).decode()):
                    return Found(steps, is_nearest=not pull)
            return None
        except _Spent as spent:
            reached = spent.cost
    raise LimitExceeded(
        f"no member was found within {MAX_NODES:,} steps; what was reached costs {reached}",
        hint="edit a shorter text, or a part of it",
    )


@lru_cache(maxsize=64)
def _measured(node: ir.Node) -> LazyDFA:
    """The automaton of a node, whose `farthest` are characters to acceptance."""
    trimmed = trim(fragment(node))
    return LazyDFA(trimmed, farthest=_characters(trimmed.fragment))


def _characters(of: Fragment) -> NDArray[np.int32]:
    """`(n,)` fewest characters from each state to the end (of its rule): bytes that go on with one cost nothing."""
    low, high = of.edges[:, 1], of.edges[:, 2]
    goes_on = (low >= 0x80) & (high < 0xC0)
    jumps = np.concatenate([of.jumps, of.edges[goes_on][:, [0, 3]]]).astype(of.jumps.dtype)
    return byte_distances(of._replace(edges=of.edges[~goes_on], jumps=jumps), np.ones(256, np.bool_))


def distance(old: str, new: str, costs: Costs) -> int:
    """The least cost of edits that make `new` of `old` (dynamic programming, in the product of the lengths)."""
    row = [costs.insert * j for j in range(len(new) + 1)]
    for character in old:
        above, row = row, [row[0] + costs.delete]
        for j, other in enumerate(new):
            kept = above[j] + (0 if character == other else costs.replace)
            row.append(min(kept, above[j + 1] + costs.delete, row[j] + costs.insert))
    return row[-1]


def _steps(node: Node | None) -> list[Step]:
    steps: list[Step] = []
    while node is not None and node.step is not None:
        steps.append(node.step)
        node = node.parent
    return steps[::-1]


class _Search:
    def __init__(self, dfa: LazyDFA, text: str, costs: Costs, visits: int) -> None:
        self._dfa = dfa
        self._costs = costs
        self._visits = visits
        self._characters = [character.encode() for character in text]
        self._bytes = _representatives(dfa)
        self._known: dict[int, list[tuple[bytes, int, bool]]] = {}

    def members(self, most: int | None, pull: float) -> Iterator[Node]:
        """Ends of ways to members, by rising cost where nothing pulls. Raises `_Spent`."""
        ties, seen, n_expanded = itertools.count(), Counter[tuple[int, int]](), 0
        start = Node(self._dfa.start, 0, 0, None, None)
        queue = [(0.0, 0, next(ties), start)]
        while queue:
            *_, node = heapq.heappop(queue)
            place = node.state, node.position
            if seen[place] >= self._visits or (most is not None and self._bound(node) > most):
                continue
            seen[place] += 1
            n_expanded += 1
            if n_expanded > MAX_NODES:
                raise _Spent(node.cost)
            if node.position == len(self._characters) and self._dfa.is_accepting(node.state):
                yield node
            for following in self._following(node):
                if seen[following.state, following.position] < self._visits:
                    left = len(self._characters) - following.position
                    # Of equal bounds the one that has come furthest.
                    heapq.heappush(queue, (self._bound(following) + pull * left, left, next(ties), following))

    def _bound(self, node: Node) -> int:
        missing = int(self._dfa.table.farthest[node.state]) - (len(self._characters) - node.position)
        return node.cost + max(0, missing) * self._costs.insert

    def _following(self, node: Node) -> Iterator[Node]:
        state, position, cost, costs = node.state, node.position, node.cost, self._costs
        inserted = self._targets(state)
        # An insertion that leads back to its state only makes a longer text.
        yield from (
            Node(target, position, cost + starts * costs.insert, node, Step(0, new, starts * costs.insert))
            for new, target, starts in inserted
            if target != state
        )
        if position < len(self._characters):
            character = self._characters[position]
            kept = self._dfa.run(state, character)
            if kept != DEAD:
                yield Node(kept, position + 1, cost, node, Step(1, character, 0))
            yield Node(state, position + 1, cost + costs.delete, node, Step(1, b"", costs.delete))
            for new, target, starts in inserted:
                if starts and target != kept:
                    yield Node(target, position + 1, cost + costs.replace, node, Step(1, new, costs.replace))

    def _targets(self, state: int) -> list[tuple[bytes, int, bool]]:
        """A byte for each state that one more byte leads to, and whether it starts a character."""
        if state not in self._known:
            found: dict[tuple[int, bool], tuple[bytes, int, bool]] = {}
            for new in self._bytes:
                target, starts = self._dfa.run(state, new), _is_start(new)
                if target != DEAD:
                    found.setdefault((target, starts), (new, target, starts))
            self._known[state] = list(found.values())
        return self._known[state]


def _is_start(byte: bytes) -> bool:
    """Whether a character begins with this byte; the others of a character come free with it."""
    return not 0x80 <= byte[0] < 0xC0


def _representatives(dfa: LazyDFA) -> list[bytes]:
    """One byte for each class of bytes with equal transitions, printable where there is a choice."""
    by_class: dict[tuple[int, int], list[int]] = {}
    for byte, number in enumerate(np.asarray(dfa.nfa.class_of).tolist()):
        by_class.setdefault((number, min(byte // 64, 3)), []).append(byte)
    plainest = sorted((min(members, key=_plainness) for members in by_class.values()), key=_plainness)
    return [bytes([byte]) for byte in plainest]


def _plainness(byte: int) -> tuple[bool, bool, int]:
    character = chr(byte)
    return not character.isalnum() or byte > 127, not character.isprintable(), byte
