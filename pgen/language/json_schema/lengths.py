"""Lengths of strings, in code points, as far as nodes show them: bounds on length without a product of automata.

`limited` puts `minLength` and `maxLength` into a node where just one of its parts has a
varying length; elsewhere an intersection counts, which multiplies the sizes of both
(and is left to complete values where that is too much). Linear in the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pgen.language import ir

T = TypeVar("T")

Bounds = tuple[int, int | None]
Known = Mapping[int, Bounds]
"""Bounds of nodes by their identity."""


def limited(node: ir.Node, low: int, high: int | None) -> ir.Node | None:
    """The members of `low` to `high` code points, or `None` where it takes an intersection to say so."""
    return node if low == 0 and high is None else _limited(node, low, high, _folded(node, _own_bounds))


def _own_bounds(node: ir.Node, parts: list[Bounds]) -> Bounds:
    match node:
        case ir.Chars():
            return 1, 1
        case ir.Literal(data):
            return len(data.decode()), len(data.decode())
        case ir.Words(words):
            lengths = [len(word.decode()) for word in words]
            return min(lengths), max(lengths)
        case ir.Concat():
            return _sum(parts)
        case ir.Union():
            highs = [high for _, high in parts if high is not None]
            return min(low for low, _ in parts), max(highs) if len(highs) == len(parts) else None
        case ir.Intersect():
            return max(low for low, _ in parts), min((high for _, high in parts if high is not None), default=None)
        case ir.Repeat(_, low, high):
            ((least, most),) = parts
            return least * low, None if high is None or most is None else most * high
    return 0, None


def _sum(found: list[Bounds]) -> Bounds:
    highs = [high for _, high in found if high is not None]
    return sum(low for low, _ in found), sum(highs) if len(highs) == len(found) else None


def _limited(node: ir.Node, low: int, high: int | None, known: Known) -> ir.Node | None:
    least, most = known[id(node)]
    if least >= low and (high is None or (most is not None and most <= high)):
        return node
    if (most is not None and most < low) or (high is not None and least > high):
        return ir.EMPTY
    match node:
        case ir.Repeat(ir.Chars() as item, fewest, last):
            highs = [n for n in (last, high) if n is not None]
            return ir.repeat(item, max(fewest, low), min(highs, default=None))
        case ir.Union(parts):
            found = [_limited(part, low, high, known) for part in parts]
            return None if None in found else ir.union(*(part for part in found if part is not None))
        case ir.Concat(parts):
            return _limited_sequence(parts, low, high, known)
    return None


def _limited_sequence(parts: tuple[ir.Node, ...], low: int, high: int | None, known: Known) -> ir.Node | None:
    varying = [i for i, part in enumerate(parts) if known[id(part)][0] != known[id(part)][1]]
    if len(varying) != 1:
        return None
    at = varying[0]
    fixed = sum(known[id(part)][0] for i, part in enumerate(parts) if i != at)
    inner = _limited(parts[at], max(0, low - fixed), None if high is None else high - fixed, known)
    return None if inner is None else ir.concat(*parts[:at], inner, *parts[at + 1 :])


def weight(node: ir.Node) -> int:
    """About how many states a node needs."""
    return _folded(node, _own_weight)[id(node)]


def _own_weight(node: ir.Node, parts: list[int]) -> int:
    match node:
        case ir.Literal(data):
            return len(data)
        case ir.Words(words):
            return sum(map(len, words))
        case ir.Repeat(_, low, high):
            return sum(parts) * max(1, low, high or 1)
        case ir.Network(edges):
            return sum(len(ranges) for _, ranges, _ in edges)
    return 1 + sum(parts)


def _folded(root: ir.Node, combine: Callable[[ir.Node, list[T]], T]) -> dict[int, T]:
    """What `combine` makes of each node and its parts, by identity."""
    found: dict[int, T] = {}
    waiting = [root]
    while waiting:
        parts = ir.children(waiting[-1])
        missing = [part for part in parts if id(part) not in found]
        if missing:
            waiting += missing
        else:
            node = waiting.pop()
            found[id(node)] = combine(node, [found[id(part)] for part in parts])
    return found
