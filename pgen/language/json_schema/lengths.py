"""Lengths of strings, in code points, as far as nodes show them: bounds on length without a product of automata.

`limited` puts `minLength` and `maxLength` into a node where just one of its parts has a
varying length; elsewhere an intersection counts, which multiplies the sizes of both
(and is left to complete values where that is too much). Linear in the node.
"""

from __future__ import annotations

from functools import lru_cache

from pgen.language import ir

Bounds = tuple[int, int | None]


@lru_cache(maxsize=16384)
def bounds(node: ir.Node) -> Bounds:
    """Lower and upper bounds on the lengths of the members (`None`: not known to be bounded)."""
    match node:
        case ir.Chars():
            return 1, 1
        case ir.Literal(data):
            return len(data.decode()), len(data.decode())
        case ir.Words(words):
            lengths = [len(word.decode()) for word in words]
            return min(lengths), max(lengths)
        case ir.Concat(parts):
            return _sum([bounds(part) for part in parts])
        case ir.Union(parts):
            found = [bounds(part) for part in parts]
            highs = [high for _, high in found if high is not None]
            return min(low for low, _ in found), max(highs) if len(highs) == len(found) else None
        case ir.Intersect(parts):
            found = [bounds(part) for part in parts]
            return max(low for low, _ in found), min((high for _, high in found if high is not None), default=None)
        case ir.Repeat(item, low, high):
            least, most = bounds(item)
            return least * low, None if high is None or most is None else most * high
    return 0, None


def _sum(found: list[Bounds]) -> Bounds:
    highs = [high for _, high in found if high is not None]
    return sum(low for low, _ in found), sum(highs) if len(highs) == len(found) else None


def limited(node: ir.Node, low: int, high: int | None) -> ir.Node | None:
    """The members of `low` to `high` code points, or `None` where it takes an intersection to say so."""
    if low == 0 and high is None:
        return node
    least, most = bounds(node)
    if least >= low and (high is None or (most is not None and most <= high)):
        return node
    if (most is not None and most < low) or (high is not None and least > high):
        return ir.EMPTY
    match node:
        case ir.Repeat(ir.Chars() as item, fewest, last):
            highs = [n for n in (last, high) if n is not None]
            return ir.repeat(item, max(fewest, low), min(highs, default=None))
        case ir.Union(parts):
            found = [limited(part, low, high) for part in parts]
            return None if None in found else ir.union(*(part for part in found if part is not None))
        case ir.Concat(parts):
            return _limited_sequence(parts, low, high)
    return None


def _limited_sequence(parts: tuple[ir.Node, ...], low: int, high: int | None) -> ir.Node | None:
    varying = [i for i, part in enumerate(parts) if bounds(part)[0] != bounds(part)[1]]
    if len(varying) != 1:
        return None
    at = varying[0]
    fixed = sum(bounds(part)[0] for i, part in enumerate(parts) if i != at)
    inner = limited(parts[at], max(0, low - fixed), None if high is None else high - fixed)
    return None if inner is None else ir.concat(*parts[:at], inner, *parts[at + 1 :])


def weight(node: ir.Node) -> int:
    """About how many states a node needs."""
    found: dict[int, int] = {}
    waiting = [node]
    while waiting:
        here = waiting[-1]
        parts = ir.children(here)
        missing = [part for part in parts if id(part) not in found]
        if missing:
            waiting += missing
        else:
            waiting.pop()
            found[id(here)] = _own_weight(here, sum([found[id(part)] for part in parts]))
    return found[id(node)]


def _own_weight(node: ir.Node, below: int) -> int:
    match node:
        case ir.Literal(data):
            return len(data)
        case ir.Words(words):
            return sum(map(len, words))
        case ir.Repeat(_, low, high):
            return below * max(1, low, high or 1)
        case ir.Network(edges):
            return sum(len(ranges) for _, ranges, _ in edges)
    return 1 + below
