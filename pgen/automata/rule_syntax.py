"""Facts about bodies of context-free rules, and rewriting of them, bottom up and without recursion.

Everything is a `Fold`: a value at a node from the values at its parts, each distinct
node once. Parts that mention no rule are left alone where their inside does not
matter, so large regular parts cost nothing. Linear in distinct nodes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, Literal, TypeVar

from pgen.language import ir

Value = TypeVar("Value")
Side = Literal["left", "right"]

SOME_BYTES = ir.repeat(ir.ANY_BYTE, 1, None)


def post_order(root: ir.Node, below: Callable[[ir.Node], Iterable[ir.Node]]) -> list[ir.Node]:
    """Every node object that `below` leads to from `root`, once, each after what is below it."""
    done: dict[int, ir.Node] = {}
    waiting = [root]
    while waiting:
        top = waiting[-1]
        missing = () if id(top) in done else [part for part in below(top) if id(part) not in done]
        if missing:
            waiting += missing
        else:
            done[id(waiting.pop())] = top
    return list(done.values())


class Fold(Generic[Value]):
    """A function of nodes, defined by its values at the nodes `below`; values are kept.

    Nodes count by identity, since comparing large ones costs more than computing twice.
    """

    def __init__(
        self,
        combine: Callable[[ir.Node], Value],
        below: Callable[[ir.Node], Iterable[ir.Node]] = ir.children,
    ) -> None:
        self._combine, self._below = combine, below
        self._values: dict[int, Value] = {}
        self._alive: list[ir.Node] = []

    def __call__(self, node: ir.Node) -> Value:
        values = self._values
        if id(node) in values:
            return values[id(node)]
        waiting = [node]
        while waiting:
            top = waiting[-1]
            if id(top) in values:
                waiting.pop()
            elif missing := [part for part in self._below(top) if id(part) not in values]:
                waiting += missing
            else:
                values[id(top)] = self._combine(top)
                self._alive.append(waiting.pop())
        return values[id(node)]


def rebuilt(node: ir.Node, parts: Sequence[ir.Node]) -> ir.Node:
    """The node with other direct parts, simplified; a list whose separator is empty is spelled out."""
    changed = ir.rebuilt(node, parts)
    hollow = isinstance(changed, ir.Separated) and changed.separator == ir.EMPTY
    return ir.spelled_out(changed) if isinstance(changed, ir.Separated) and hollow else changed


def nullability(nullable: Collection[str]) -> Fold[bool]:
    """Whether a node derives the empty string if just the rules in `nullable` do."""

    def combine(node: ir.Node) -> bool:
        match node:
            case ir.Ref(name):
                return name in nullable
            case ir.Literal(data):
                return not data
            case ir.Words(words):
                return not words[0]
            case ir.Concat(parts) | ir.Intersect(parts):
                return all(map(value, parts))
            case ir.Union(parts):
                return any(map(value, parts))
            case ir.Repeat(item, low, _):
                return low == 0 or value(item)
            case ir.Complement(item):
                return not value(item)
            case ir.Separated():
                return _some_items(node, value)
            case ir.Network(_, starts, ends):
                return not set(ends).isdisjoint(starts)
        return isinstance(node, ir.Substrings)

    value: Fold[bool] = Fold(combine)
    return value


def productivity(productive: Collection[str]) -> Fold[bool]:
    """Whether a node has members if just the rules in `productive` do; a regular node counts as if it had."""

    def combine(node: ir.Node) -> bool:
        match node:
            case ir.Ref(name):
                return name in productive
            case ir.Concat(parts) | ir.Intersect(parts):
                return all(map(value, parts))
            case ir.Union(parts):
                return any(map(value, parts))
            case ir.Repeat(item, low, _):
                return low == 0 or value(item)
            case ir.Separated():
                return _some_items(node, value)
        return node != ir.EMPTY

    value: Fold[bool] = Fold(combine)
    return value


def _some_items(node: ir.Separated, holds: Callable[[ir.Node], bool]) -> bool:
    """Whether a list can be made of items and separators for which something holds."""
    needed = [item for item, kind in zip(node.items, node.kinds, strict=True) if kind in "1+"]
    if len(needed) > 1:
        needed.append(node.separator)
    return all(map(holds, needed)) if needed else any(map(holds, node.items))


class Syntax:
    """Facts about nodes of a system whose rules do not derive the empty string."""

    def __init__(self) -> None:
        self.nullable = nullability(())
        self.nonempty: Fold[ir.Node] = Fold(self._nonempty)
        # The direct parts of a node that mention rules.
        self.parts: Fold[list[ir.Node]] = Fold(self._parts, lambda node: ())
        # How often a node mentions each rule once shared nodes are written out.
        self.calls: Fold[dict[str, int]] = Fold(self._calls, lambda node: ())

    def _parts(self, node: ir.Node) -> list[ir.Node]:
        if not ir.refers(node):
            return []
        return [part for part in ir.children(node) if ir.refers(part)]

    def _nonempty(self, node: ir.Node) -> ir.Node:
        """The members but the empty string."""
        if not self.nullable(node):
            return node
        match node:
            case ir.Literal():
                return ir.EMPTY
            case ir.Words(words):
                return ir.word_set(words[1:])
            case ir.Union(parts):
                return ir.union(*map(self.nonempty, parts))
            case ir.Repeat(item, _, high):
                return ir.repeat(self.nonempty(item), 1, high)
            case ir.Concat(parts):
                return self._nonempty_sequence(parts)
            case ir.Separated():
                return self.nonempty(ir.spelled_out(node))
            case ir.Intersect(parts):
                return ir.intersect(self.nonempty(parts[0]), *parts[1:])
        return ir.intersect(SOME_BYTES, node)

    def _nonempty_sequence(self, parts: Sequence[ir.Node]) -> ir.Node:
        """Of parts that may all be empty: halved, so that the size grows by a logarithm only."""
        if len(parts) == 1:
            return self.nonempty(parts[0])
        head, tail = parts[: len(parts) // 2], parts[len(parts) // 2 :]
        return ir.union(ir.concat(self._nonempty_sequence(head), *tail), self._nonempty_sequence(tail))

    def _calls(self, root: ir.Node) -> dict[str, int]:
        order = post_order(root, self.parts)
        times = {id(node): 0 for node in order} | {id(root): 1}
        names: dict[str, int] = {}
        for node in reversed(order):
            if isinstance(node, ir.Ref):
                names[node.name] = names.get(node.name, 0) + times[id(node)]
            for part in self.parts(node):
                times[id(part)] += times[id(node)]
        return names

    def replaced(self, node: ir.Node, rules: Mapping[str, ir.Node]) -> ir.Node:
        """The node with the given rules in place of their mentions."""

        def combine(part: ir.Node) -> ir.Node:
            if isinstance(part, ir.Ref):
                return rules.get(part.name, part)
            below = ir.children(part)
            changed = [value(child) if ir.refers(child) else child for child in below]
            return part if all(map(operator.is_, changed, below)) else rebuilt(part, changed)

        value: Fold[ir.Node] = Fold(combine, self.parts)
        return value(node)

    def edge_calls(self, root: ir.Node, side: Side) -> set[str]:
        """The rules with which a member can begin (`"left"`) or end (`"right"`)."""
        nodes = post_order(root, lambda node: self.edge(node, side))
        return {node.name for node in nodes if isinstance(node, ir.Ref)}

    def edge(self, node: ir.Node, side: Side) -> Sequence[ir.Node]:
        """The direct parts that mention rules and with which a member can begin or end."""
        if isinstance(node, ir.Concat):
            outward = node.parts if side == "left" else node.parts[::-1]
            return [part for part in outward[: self.reach(outward)] if ir.refers(part)]
        if isinstance(node, ir.Separated):
            return [part for part in self._list_edge(node, side) if ir.refers(part)]
        return self.parts(node)

    def reach(self, outward: Sequence[ir.Node]) -> int:
        """How many of the parts of a sequence, from its edge inwards, a member can begin (or end) with."""
        return next((i + 1 for i, part in enumerate(outward) if not self.nullable(part)), len(outward))

    def _list_edge(self, node: ir.Separated, side: Side) -> Sequence[ir.Node]:
        listed = list(zip(node.items, node.kinds, strict=True))
        edge: list[ir.Node] = []
        while listed:
            item, kind = listed.pop(0 if side == "left" else -1)
            edge.append(item)
            if self.nullable(item) and (listed or kind in "*+"):
                edge.append(node.separator)
            if kind in "1+" and not (self.nullable(item) and self.nullable(node.separator)):
                break
        return edge
