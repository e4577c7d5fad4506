"""Left and tail recursion of context-free rules turned into iteration.

One rule: with A = A α | β, least solution A = β α*; with A = x A | y, A = x* y. A rule
that is recursive on both sides, as in `E: E "+" E | "-" E | "a"`, holds its own operator
lists: what stands between two A may as well stand between two operands, so
A = A (c A | d) | x A | y is the list of x* y d* with separators c, which is regular but
for what c, d, x and y mention.

Several rules A_i = Σ_j A_j α_ji | β_i: the matrix form of Greibach's theorem (Rosenkrantz,
"Matrix equations and normal forms for context-free grammars", JACM 1967). Its entries
N_ij, the ways to grow from A_i to A_j, are rules of their own: n² at most, none larger
than the rules it starts from, so that nothing explodes as in Paull's substitution.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from pgen.automata.rule_syntax import Fold, Side, Syntax
from pgen.errors import LimitExceeded
from pgen.language import ir

MAX_GROWN_SIZE = 100_000
"""Size of what mutual left recursion may become."""


class Split(NamedTuple):
    """A node as the union of `rest` and, for each rule at its edge, that rule joined to what follows inwards."""

    inward: Mapping[str, ir.Node]
    rest: ir.Node


def split(syntax: Syntax, root: ir.Node, names: Collection[str], side: Side) -> Split:
    """Separate the members that begin (or end) with one of the rules; `rest` does with none of them."""
    return _Splitter(syntax, names, side).split(root)


class _Splitter:
    """`value` is `None` at nodes that have none of the rules at their edge."""

    def __init__(self, syntax: Syntax, names: Collection[str], side: Side) -> None:
        self._syntax, self._names, self._side = syntax, names, side
        self._value: Fold[Split | None] = Fold(self._combine, lambda node: syntax.edge(node, side))

    def split(self, root: ir.Node) -> Split:
        return self._value(root) or Split({}, root)

    def _combine(self, node: ir.Node) -> Split | None:
        match node:
            case ir.Ref(name):
                return Split({name: ir.EPSILON}, ir.EMPTY) if name in self._names else None
            case ir.Concat(parts):
                return self._sequence(parts if self._side == "left" else parts[::-1])
            case ir.Union(parts):
                return self._alternatives(parts)
            case ir.Repeat():
                return self._repeated(node)
            case ir.Separated() if any(map(self._touched, self._syntax.edge(node, self._side))):
                return self._value(ir.spelled_out(node))
        return None

    def _touched(self, node: ir.Node) -> bool:
        return ir.refers(node) and self._value(node) is not None

    def _inwards(self, *parts: ir.Node) -> ir.Node:
        return ir.concat(*(parts if self._side == "left" else parts[::-1]))

    def _alternatives(self, parts: tuple[ir.Node, ...]) -> Split | None:
        if not any(map(self._touched, parts)):
            return None
        return _joined([self.split(part) if self._touched(part) else Split({}, part) for part in parts])

    def _sequence(self, outward: tuple[ir.Node, ...]) -> Split | None:
        """Of parts from the edge inwards: each may be the first, where those before it are empty."""
        touched = [i for i in range(self._syntax.reach(outward)) if self._touched(outward[i])]
        if not touched:
            return None
        found = list[Split]()
        for i, part in enumerate(outward[: touched[-1] + 1]):
            inner = outward[i + 1 :]
            piece = self.split(part) if i in touched else Split({}, part)
            rest = piece.rest if i == touched[-1] else self._syntax.nonempty(piece.rest)
            inward = {name: self._inwards(tail, *inner) for name, tail in piece.inward.items()}
            found.append(Split(inward, self._inwards(rest, *inner)))
        return _joined(found)

    def _repeated(self, node: ir.Repeat) -> Split | None:
        if not self._touched(node.item):
            return None
        once, low = self.split(node.item), node.low
        item, rest = self._syntax.nonempty(node.item), once.rest
        if item is not node.item:
            low, rest = 0, self._syntax.nonempty(rest)
        more = ir.repeat(item, max(low - 1, 0), None if node.high is None else node.high - 1)
        inward = {name: self._inwards(tail, more) for name, tail in once.inward.items()}
        rest = self._inwards(rest, more)
        return Split(inward, ir.optional(rest) if low == 0 else rest)


def _joined(splits: list[Split]) -> Split:
    inward: dict[str, list[ir.Node]] = {}
    for piece in splits:
        for name, tail in piece.inward.items():
            inward.setdefault(name, []).append(tail)
    rests = [piece.rest for piece in splits]
    return Split({name: ir.union(*tails) for name, tails in inward.items()}, ir.union(*rests))


def without_direct_recursion(syntax: Syntax, name: str, body: ir.Node) -> ir.Node:
    """The body of a rule that neither begins nor ends with the rule itself; it is not nullable."""
    grown, first = _growth(syntax, name, body)
    between, after = _tail(syntax, name, syntax.nonempty(grown))
    between = _without_own(syntax, name, between)
    before, operand = _tail(syntax, name, first)
    item = _operand_list(before, operand, after)
    return item if between == ir.EMPTY else listed(between, item)


def _without_own(syntax: Syntax, name: str, between: ir.Node) -> ir.Node:
    """Separators of A, but for several A in a row: those are one A already, where A A is one."""
    if not syntax.nullable(between):
        return between
    options = between.parts if isinstance(between, ir.Union) else (between,)
    others = [option for option in options if not _is_own(name, option)]
    return between if len(others) == len(options) else ir.optional(ir.union(*others))


def _is_own(name: str, node: ir.Node) -> bool:
    """Whether a node is made of nothing but mentions of one rule."""
    leaves = (part for part in ir.descendants(node) if not isinstance(part, (ir.Concat, ir.Union, ir.Repeat)))
    return all(leaf == ir.Ref(name) for leaf in leaves)


def _operand_list(before: ir.Node, operand: ir.Node, after: ir.Node) -> ir.Node:
    """before* operand after*, with a single copy of the operand in `t (op t)*` and `(t op)* t`."""
    if before == ir.EMPTY and (separator := added_to(operand, after, "right")) not in (None, ir.EMPTY):
        return listed(separator, operand)
    if after == ir.EMPTY and (separator := added_to(operand, before, "left")) not in (None, ir.EMPTY):
        return listed(separator, operand)
    return ir.concat(ir.repeat(before, 0, None), operand, ir.repeat(after, 0, None))


def added_to(operand: ir.Node, node: ir.Node, side: Side) -> ir.Node | None:
    """What `node` has besides the operand, if each of its alternatives begins (or ends) with that."""
    same, found = sequence(operand), list[ir.Node]()
    for option in node.parts if isinstance(node, ir.Union) else (node,):
        parts, cut = sequence(option), len(same)
        if (parts[:cut] if side == "left" else parts[-cut:]) != same:
            return None
        found.append(ir.concat(*(parts[cut:] if side == "left" else parts[:-cut])))
    return ir.union(*found)


def sequence(node: ir.Node) -> tuple[ir.Node, ...]:
    """The parts of a sequence; another node is one of one part."""
    return node.parts if isinstance(node, ir.Concat) else (node,)


def listed(separator: ir.Node, item: ir.Node) -> ir.Node:
    """One item or more, with a separator between them."""
    return ir.repeat(item, 1, None) if separator == ir.EPSILON else ir.separated(separator, [(item, "+")])


def _growth(syntax: Syntax, name: str, body: ir.Node) -> tuple[ir.Node, ir.Node]:
    """(α, β) of A = A α | β. A body β (c A)* is read like this too, as A (c A) | β has the same solution."""
    if name in syntax.edge_calls(body, "left"):
        pieces = split(syntax, body, {name}, "left")
        return pieces.inward.get(name, ir.EMPTY), pieces.rest
    if isinstance(body, ir.Concat) and isinstance(body.parts[-1], ir.Repeat):
        last = body.parts[-1]
        if (last.low, last.high) == (0, None) and name in syntax.edge_calls(last.item, "right"):
            return last.item, ir.concat(*body.parts[:-1])
    return ir.EMPTY, body


def _tail(syntax: Syntax, name: str, node: ir.Node) -> tuple[ir.Node, ir.Node]:
    """(x, y) of a node x A | y."""
    if name not in syntax.edge_calls(node, "right"):
        return ir.EMPTY, node
    pieces = split(syntax, node, {name}, "right")
    return pieces.inward.get(name, ir.EMPTY), pieces.rest


def without_mutual_left_recursion(
    syntax: Syntax, group: list[str], bodies: Mapping[str, ir.Node]
) -> dict[str, ir.Node]:
    """New rules for a group of rules that begin with each other: the same names and some more."""
    size = len(group) * (len(group) ** 2 + sum(ir.size(bodies[name]) for name in group))
    if size > MAX_GROWN_SIZE:
        raise LimitExceeded(
            f"{len(group)} rules that begin with each other, {group[0]!r} among them, grow to a size of {size:,};"
            f" the limit is {MAX_GROWN_SIZE:,}",
            hint="let fewer rules begin with each other",
        )
    splits = {name: split(syntax, bodies[name], group, "left") for name in group}
    units = _closed({i: [j for j in group if _unit(syntax, splits[j].inward.get(i))] for i in group})
    # first[j]: β_i for those i that are an A_j already; steps[i][j]: α_ij, then units.
    first = {j: ir.union(*(splits[i].rest for i in group if j in units[i])) for j in group}
    raw = {i: {k: syntax.nonempty(splits[k].inward.get(i, ir.EMPTY)) for k in group} for i in group}
    steps = {i: {j: ir.union(*(raw[i][k] for k in group if j in units[k])) for j in group} for i in group}
    rules = {j: ir.union(first[j], *(ir.concat(first[i], _grown(i, j)) for i in group)) for j in group}
    for i in group:
        for j in group:
            ways = (ir.concat(steps[i][k], _grown(k, j)) for k in group)
            rules[_grown(i, j).name] = ir.union(steps[i][j], *ways)
    return rules


def _grown(begin: str, end: str) -> ir.Ref:
    """The rule of what follows a `begin` to make an `end`, not nothing."""
    return ir.Ref(f"{begin} ~> {end}")


def _unit(syntax: Syntax, tail: ir.Node | None) -> bool:
    return tail is not None and syntax.nullable(tail)


def _closed(graph: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """What each name leads to, itself included."""
    reached: dict[str, set[str]] = {}
    for name in graph:
        found, waiting = {name}, [name]
        while waiting:
            new = [other for other in graph[waiting.pop()] if other not in found]
            found.update(new)
            waiting += new
        reached[name] = found
    return reached
