"""Bodies of rules laid one after another, their parts shared by identity as they are met.

A part of some size becomes a rule of the piece when it comes again as one and the same object: no walk beforehand is
needed, nor any digest, and few sizes. Parts to be written later (`ir.Later`) are rules from when they are mentioned.
Linear in the bodies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.arrays import Store, put
from pgen.automata.layout import FARTHEST, NEAREST
from pgen.automata.memory import Memory, ints
from pgen.automata.nfa import Builder
from pgen.automata.pieces import CALL, OUTSIDE, Fragment
from pgen.automata.reachability import distances_with_calls
from pgen.automata.sharing import MAX_ATOM, MIN_SIZE
from pgen.automata.tape import written
from pgen.language import ir

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


class Rules(NamedTuple):
    """The rules there are: their numbers by the identity of their parts, these parts, and their shortest members."""

    numbers: dict[int, int]
    parts: list[ir.Node]
    costs: list[int]

    def add(self, part: ir.Node, n_bytes: int) -> int:
        """The number of a new rule."""
        self.numbers[id(part)] = number = len(self.parts)
        self.parts.append(part)
        self.costs.append(n_bytes)
        return number

    def told(self) -> NDArray[np.int32]:
        """`(n + 1,)` the lengths of the shortest members, with one place more, so that there is one."""
        return np.array([*self.costs, 0], np.int32)


class PieceBuilder(Builder):
    """Lays bodies that call earlier rules; `parts` are its own rules, which begin at `begins`, if it `shares` any."""

    def __init__(self, rules: Rules, n_edges: int, shares: bool = True) -> None:
        super().__init__()
        self.n_edges = n_edges
        self.parts: list[ir.Node] = []
        self.begins: list[int] = []
        self._rules, self._shares = rules, shares
        self._own: dict[int, int] = {}
        self._laid: dict[int, ir.Node] = {}

    @property
    def n_laid(self) -> int:
        """Edges so far."""
        return self._tape.n_edges

    def lay_apart(self, node: ir.Node) -> int:
        """Lay a node between two new states, the first of which is returned; the other follows it."""
        start = self._tape.new(2)
        self._lay(node, start, start + 1)
        while self._waiting:
            self._visit(*self._waiting.pop())
        return start

    def put(self, store: Store, rules: list[int], starts: list[int], caller: int) -> list[int]:
        """Put what was laid into a store, where these rules begin at these states; bytes of their shortest members.

        The first is what was laid first, and what state `caller` calls (-1: none). Then come the builder's own rules,
        whose numbers are the largest.
        """
        numbers, begins = np.array(rules, np.int32), np.array(starts, np.int32)
        n_rules, before = len(self._rules.parts) + len(self.parts), (store.memory, store.block, store.counts)
        notes, costs = (self._tape.n_states, *self._tape.notes()), self._rules.told()
        laid = _laid(*before, *notes, begins, costs, numbers, n_rules, caller)
        store.become(*laid[:2])
        lengths: list[int] = laid[2].tolist()
        return lengths

    def share(self, part: ir.Node) -> None:
        """Make a part of some size a rule, unless it is one."""
        if self._shares and self._call(part) is None and ir.size(part) >= MIN_SIZE:
            self._new_rule(part)

    def _call(self, part: ir.Node) -> int | None:
        name = id(part)
        if name in self._own:
            return self._own[name]
        number = self._rules.numbers.get(name)
        if number is None:
            if type(part) is not ir.Later:
                return None
            number = self._rules.add(part, part.n_bytes)
        return OUTSIDE + number

    def _visit(self, part: ir.Node, first: int, last: int) -> None:
        symbol = self._call(part)
        if symbol is None and self._shares and id(part) in self._laid and ir.size(part) >= MIN_SIZE:
            symbol = self._new_rule(part)
        if symbol is not None:
            self._tape.edge(first, symbol, symbol, last)
        else:
            # Kept alive, so that no other part gets its identity.
            self._laid[id(part)] = part
            self._lay(part, first, last)

    def _new_rule(self, part: ir.Node) -> int:
        """The symbol that calls a part from now on."""
        symbol = self._own[id(part)] = CALL + len(self.parts)
        start = self._tape.new(2)
        self.parts.append(part)
        self.begins.append(start)
        self._lay(part, start, start + 1)
        return symbol

    def _lay(self, node: ir.Node, start: int, end: int) -> None:
        if type(node) is ir.Concat:
            self._sequence(node.parts, start, end)
        else:
            super()._lay(node, start, end)

    def _sequence(self, parts: tuple[ir.Node, ...], start: int, end: int) -> None:
        """Words and calls at once, so that only the other parts have to wait."""
        tape, here = self._tape, start
        between = tape.new(len(parts) - 1)
        for there, part in enumerate(parts, between):
            there = there if there - between + 1 < len(parts) else end
            if type(part) is ir.Literal:
                self._literal(part.data, here, there)
            elif (symbol := self._call(part)) is not None:
                tape.edge(here, symbol, symbol, there)
            else:
                self._waiting.append((part, here, there))
            here = there

    def _listed(self, node: ir.Fields, start: int, end: int) -> None:
        for part in (node.separator, node.colon):
            self.share(part)
        super()._listed(node, start, end)

    def _listed_at_will(self, node: ir.Fields, start: int, end: int) -> None:
        for part in (node.separator, node.colon, *node.values):
            self.share(part)
        super()._listed_at_will(node, start, end)

    def _copies(self, node: ir.Node, low: int, high: int) -> Fragment:
        if high > 1 and (high * ir.size(node) > MAX_ATOM or ir.refers(node)):
            self.share(node)
        return super()._copies(node, low, high)

    def _inner(self) -> Builder:
        # What is copied and no rule is small.
        return PieceBuilder(self._rules, self.n_edges, shares=False)


@njit(cache=True)
def _laid(
    memory: Memory,
    block: Bytes,
    counts: NDArray[np.int64],
    n_states: int,
    notes: Ints,
    data: Bytes,
    inner_edges: Ints,
    inner_jumps: Ints,
    begins: Ints,
    costs: Ints,
    rules: Ints,
    n_rules: int,
    caller: int,
) -> tuple[Memory, Bytes, Ints]:
    """Write notes out into a store; where that lies then, and how far it is from `begins` to their ends."""
    edges, jumps = written(notes, data, inner_edges, inner_jumps)
    one_each, ends = np.ones(256, np.int32), begins + np.int32(1)
    nearest = distances_with_calls(n_states, edges, jumps, begins[1:], ends[1:], costs, one_each)
    memory, block = put(memory, block, counts, n_states, edges, jumps, begins, ends, nearest, rules, rules[1:], n_rules)
    if caller >= 0:
        ints(memory, NEAREST)[caller] = ints(memory, FARTHEST)[caller] = nearest[begins[0]]
    return memory, block, nearest[begins]
