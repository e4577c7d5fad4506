"""The member of a language nearest to a text: A* over (automaton state, position in the text).

Edits insert, delete and replace characters (code points) at given costs; keeping a
character is free. A node (q, i) has read i characters of the text while the automaton
stands in q. At least (fewest bytes from q to acceptance - bytes left of the text) / 4
characters must still be inserted or grow, which is the heuristic (Hart, Nilsson and Raphael 1968);
bytes with the same transitions are tried once (Wagner, "Order-n correction for regular
languages", CACM 1974, for the search without one). Works for context-free languages
as well, since states come as they are reached.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pgen.automata.acceptor import automaton
from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language import ir

MAX_NODES = 100_000
"""Nodes that one search may expand."""
VISITS = 64
"""Times that a node may be expanded where a first answer need not do."""
LONGEST_CHARACTER = 4


class Step(NamedTuple):
    """One edit or kept character: `old` characters of the text become `new` bytes."""

    old: int
    new: bytes
    cost: int


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


def nearest(
    node: ir.Node, text: str, costs: Costs, accept: Callable[[str], bool] | None, most: int | None
) -> list[Step] | None:
    """The steps to a nearest member that `accept` (if given) accepts; `None` if it costs more than `most`.

    Raises `InvalidLanguage` if the language is empty, `LimitExceeded` past `MAX_NODES`.
    """
    dfa = automaton(node)
    if dfa.is_empty:
        raise InvalidLanguage("the language is empty: no text is a member")
    search = _Search(dfa, text, costs, 1 if accept is None else VISITS)
    for found in search.members(most):
        steps = _steps(found)
        if accept is None or accept(b"".join(step.new for step in steps).decode()):
            return steps
    return None


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
        lengths = [len(character) for character in self._characters]
        self._bytes_left = [sum(lengths[i:]) for i in range(len(lengths) + 1)]
        self._bytes = _representatives(dfa)
        self._known: dict[int, list[tuple[bytes, int, bool]]] = {}

    def members(self, most: int | None) -> Iterator[Node]:
        """Ends of ways to members, by rising cost."""
        ties, seen, n_expanded = itertools.count(), Counter[tuple[int, int]](), 0
        start = Node(self._dfa.start, 0, 0, None, None)
        queue = [(self._bound(start), 0, next(ties), start)]
        while queue:
            bound, _, _, node = heapq.heappop(queue)
            if most is not None and bound > most:
                return
            place = node.state, node.position
            if seen[place] >= self._visits:
                continue
            seen[place] += 1
            n_expanded += 1
            if n_expanded > MAX_NODES:
                raise LimitExceeded(
                    f"no member was found within {MAX_NODES:,} steps; what was reached costs {node.cost}",
                    hint="edit a shorter text, or a part of it",
                )
            if node.position == len(self._characters) and self._dfa.is_accepting(node.state):
                yield node
            for following in self._following(node):
                if seen[following.state, following.position] < self._visits:
                    # Of equal bounds the one that has come furthest.
                    heapq.heappush(queue, (self._bound(following), -following.position, next(ties), following))

    def _bound(self, node: Node) -> int:
        missing = int(self._dfa.table.nearest[node.state]) - self._bytes_left[node.position]
        cheapest = min(self._costs.insert, self._costs.replace)
        return node.cost + max(0, -(-missing // LONGEST_CHARACTER)) * cheapest

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
