"""Bodies of rules laid one after another, their parts shared by identity as they are met.

A part of some size that comes again as one and the same object becomes a rule of the piece. Larger parts are laid
before smaller ones, so that all places of a part are known before it is laid: no walk beforehand is needed, nor any
digest. A part that was laid for an earlier body becomes a rule when it comes again. Parts to be written later
(`ir.Later`) are rules from when they are mentioned. Linear in the bodies, and n log n in their large parts.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.nfa import Builder
from pgen.automata.pieces import CALL, OUTSIDE, Fragment
from pgen.automata.reachability import distances_with_calls
from pgen.automata.sharing import MIN_SIZE, is_atom
from pgen.automata.tape import written
from pgen.language import ir

Ints = NDArray[np.int32]


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
    """Lays bodies that call earlier rules; `parts` are its own rules, which begin at `begins`."""

    def __init__(self, rules: Rules, n_edges: int) -> None:
        super().__init__()
        self.n_edges = n_edges
        self.parts: list[ir.Node] = []
        self.begins: list[int] = []
        self._rules = rules
        self._own: dict[int, int] = {}
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._large: list[tuple[int, int, ir.Node]] = []
        self._laid: dict[int, ir.Node] = {}
        self._n_met = 0

    @property
    def n_laid(self) -> int:
        """Edges so far."""
        return self._tape.n_edges

    def lay_apart(self, node: ir.Node) -> int:
        """Lay a node between two new states, the first of which is returned; the other follows it."""
        start = self._tape.new(2)
        self._expand(node, start, start + 1)
        while True:
            while self._waiting:
                self._visit(*self._waiting.pop())
            if not self._large:
                return start
            self._settle(heappop(self._large)[2])

    def measured(self, starts: NDArray[np.int32]) -> tuple[Fragment, NDArray[np.int32]]:
        """What was laid, with all bodies and rules that begin in `starts`, and bytes from each state to their ends."""
        n_states, ends = self._tape.n_states, starts + 1
        edges, jumps, nearest = _measured(n_states, *self._tape.notes(), starts[1:], ends[1:], self._rules.told())
        return Fragment(n_states, edges, jumps, starts, ends), nearest

    def _call(self, part: ir.Node) -> int | None:
        if self._whole:
            return None
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
        if symbol is not None:
            self._tape.edge(first, symbol, symbol, last)
        elif (size := ir.size(part)) < MIN_SIZE:
            self._lay(part, first, last)
        elif (places := self._places.get(id(part))) is not None:
            places.append((first, last))
        else:
            self._places[id(part)] = [(first, last)]
            self._n_met += 1
            heappush(self._large, (-size, self._n_met, part))

    def _settle(self, part: ir.Node) -> None:
        """Lay a part, no larger one of which is left to be laid: as a rule if it comes several times."""
        places = self._places.pop(id(part))
        symbol = self._own.get(id(part))
        if symbol is None and len(places) == 1 and id(part) not in self._laid:
            self._laid[id(part)] = part
            self._expand(part, *places[0])
            return
        symbol = symbol or self._new_rule(part)
        for first, last in places:
            self._tape.edge(first, symbol, symbol, last)

    def _new_rule(self, part: ir.Node) -> int:
        """The symbol that calls a part from now on."""
        symbol = self._own[id(part)] = CALL + len(self.parts)
        start = self._tape.new(2)
        self.parts.append(part)
        self.begins.append(start)
        self._expand(part, start, start + 1)
        return symbol

    def _expand(self, part: ir.Node, first: int, last: int) -> None:
        """Lay a part that is called nowhere here; no part of an atom is a rule."""
        if not is_atom(part):
            self._lay(part, first, last)
            return
        outside, self._waiting, self._whole = self._waiting, [], True
        self._lay_whole(part, first, last)
        self._waiting, self._whole = outside, False

    def _lay(self, node: ir.Node, start: int, end: int) -> None:
        if type(node) is ir.Concat and not self._whole:
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
            self._share(part)
        super()._listed(node, start, end)

    def _listed_at_will(self, node: ir.Fields, start: int, end: int) -> None:
        for part in (node.separator, node.colon, *node.values):
            self._share(part)
        super()._listed_at_will(node, start, end)

    def _share(self, part: ir.Node) -> None:
        """A part of some size that comes several times becomes a rule, unless it is one or inside of an atom."""
        if not self._whole and self._call(part) is None and ir.size(part) >= MIN_SIZE:
            self._new_rule(part)

    def _copies(self, node: ir.Node, low: int, high: int) -> Fragment:
        if high > 1:
            self._share(node)
        return super()._copies(node, low, high)

    def _inner(self) -> Builder:
        # What is copied and no rule is small: there is nothing to share in it.
        return Builder(whole=True) if self._whole else PieceBuilder(self._rules, self.n_edges)


@njit(cache=True)
def _measured(
    n_states: int,
    notes: Ints,
    data: NDArray[np.uint8],
    inner_edges: Ints,
    inner_jumps: Ints,
    begins: Ints,
    ends: Ints,
    costs: Ints,
) -> tuple[Ints, Ints, Ints]:
    edges, jumps = written(notes, data, inner_edges, inner_jumps)
    one_each = np.ones(256, np.int32)
    return edges, jumps, distances_with_calls(n_states, edges, jumps, begins, ends, costs, one_each)
