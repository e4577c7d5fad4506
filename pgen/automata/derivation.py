"""Which named parts of a language are being read at the end of a text.

The rules of a structure (a node whose rules have the names of the user's parts, see
`Language._structure`) are laid out as automata that call each other, and recognised by
Earley's algorithm over their states (Earley, CACM 1970), without the normal form that the
masks use, which forgets names. Only `explain` comes here: cubic in the worst case,
linear in practice, and given up past `MAX_ITEMS`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pgen.automata.nfa import Builder
from pgen.automata.pieces import CALL, Fragment
from pgen.automata.rule_syntax import Syntax
from pgen.automata.rules import without_boolean_operations
from pgen.automata.scopes import flattened
from pgen.language import ir

NAMED = "@"
"""Names of rules that users know begin with this sign; it is not shown."""
HOLDERS = ("rule ", "hole ", "tag ")
"""How the names of parts begin that are not leaves."""
MAX_ITEMS = 1_000_000
MAX_EDGES = 200_000

Item = tuple[int, int]
"""A state, and where in the text its rule began."""


class Network(NamedTuple):
    """Automata that call each other, as lists by state; `names` of the rules, `begins` ascending."""

    jumps: dict[int, list[int]]
    edges: dict[int, list[tuple[int, int, int]]]
    calls: dict[int, list[tuple[int, int]]]
    begins: list[int]
    names: list[str]

    def owner(self, state: int) -> int:
        """The number of the rule that a state belongs to."""
        return bisect.bisect_right(self.begins, state) - 1


class Active(NamedTuple):
    """Named parts inside each other that may go on, innermost first, and at which byte the outermost begins."""

    path: tuple[str, ...]
    begin: int


def active_parts(structure: ir.Node, prefix: bytes) -> list[Active]:
    """What may go on after `prefix`, deepest first; nothing where there is too much to look at."""
    network = _network(structure)
    if network is None:
        return []
    chart = _Chart(network)
    for byte in prefix:
        if not chart.scan(byte):
            return []
    found = dict.fromkeys(active for item in chart.waiting_for_bytes() if (active := chart.around(item)).path)
    return sorted(found, key=lambda active: len(active.path), reverse=True)


def _network(structure: ir.Node) -> Network | None:
    syntax = Syntax()
    start, bodies = without_boolean_operations(syntax, *flattened(syntax, structure))
    builder = Builder()
    builder.numbers = {name: i + 1 for i, name in enumerate(bodies)}
    begins = [builder.lay_apart(body) for body in (start, *bodies.values())]
    fragment = builder.fragment(np.zeros(0, np.int32))
    if len(fragment.edges) > MAX_EDGES:
        return None
    return _indexed(fragment, begins, ["", *bodies])


def _indexed(fragment: Fragment, begins: list[int], names: list[str]) -> Network:
    network = Network({}, {}, {}, begins, names)
    for source, target in fragment.jumps.tolist():
        network.jumps.setdefault(source, []).append(target)
    for source, low, high, target in fragment.edges.tolist():
        if low >= CALL:
            network.calls.setdefault(source, []).append((low - CALL, target))
        else:
            network.edges.setdefault(source, []).append((low, high, target))
    return network


class _Chart:
    """The items after each byte; `callers[i][rule]` are the items that wait for a rule that began at i."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._callers: list[dict[int, list[Item]]] = []
        self._items: dict[Item, None] = {}
        self._n_items = 0
        self._close([(network.begins[0], 0)])

    def scan(self, byte: int) -> bool:
        """Read one byte; false if nothing is left, or too much."""
        moved = [
            (target, origin)
            for state, origin in self._items
            for low, high, target in self._network.edges.get(state, ())
            if low <= byte <= high
        ]
        self._close(moved)
        return bool(self._items) and self._n_items <= MAX_ITEMS

    def _close(self, waiting: list[Item]) -> None:
        """Add what follows from some items without reading a byte."""
        here, net = len(self._callers), self._network
        self._callers.append({})
        self._items = dict.fromkeys(waiting)
        empty: set[int] = set()
        while waiting and self._n_items <= MAX_ITEMS:
            state, origin = waiting.pop()
            self._n_items += 1
            reached = [(target, origin) for target in net.jumps.get(state, ())]
            for rule, target in net.calls.get(state, ()):
                self._callers[here].setdefault(rule, []).append((target, origin))
                reached.append((net.begins[rule], here))
                reached += [(target, origin)] if rule in empty else []
            rule = net.owner(state)
            if state == net.begins[rule] + 1:
                reached += self._callers[origin].get(rule, ())
                empty |= {rule} if origin == here else set()
            fresh = [item for item in dict.fromkeys(reached) if item not in self._items]
            self._items.update(dict.fromkeys(fresh))
            waiting += fresh

    def waiting_for_bytes(self) -> Iterator[Item]:
        """The items at the end that can read a byte."""
        return (item for item in self._items if item[0] in self._network.edges)

    def around(self, item: Item) -> Active:
        """The named parts around an item, up to the first that holds others."""
        said: list[str] = []
        seen, begin = {item}, 0
        while not (said and said[-1].startswith(HOLDERS)):
            rule, origin = self._network.owner(item[0]), item[1]
            name = self._network.names[rule]
            if name.startswith(NAMED):
                said.append(name.removeprefix(NAMED))
                begin = origin
            above = [caller for caller in self._callers[origin].get(rule, ()) if caller not in seen]
            if not above:
                break
            seen.add(item := above[0])
        return Active(tuple(said), begin)
