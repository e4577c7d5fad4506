"""The language of all members read backwards, code point by code point.

Reversal commutes with every operation on languages, rules included, so it is a walk over
the node; code points keep their bytes in order, so members stay valid UTF-8. Linear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pgen.automata.rule_syntax import Fold
from pgen.language import ir


@lru_cache(maxsize=256)
def backwards(node: ir.Node) -> ir.Node:
    """The members of `node`, each read from its last code point to its first."""
    value: Fold[ir.Node] = Fold(lambda part: _combined(part, value))
    return value(node)


def _combined(node: ir.Node, value: Callable[[ir.Node], ir.Node]) -> ir.Node:
    match node:
        case ir.Literal(data):
            return ir.Literal(_turned(data))
        case ir.Words(words):
            return ir.word_set(map(_turned, words))
        case ir.Substrings(text):
            return ir.Substrings(text[::-1])
        case ir.Network(edges, starts, ends):
            return ir.Network(tuple((target, ranges, source) for source, ranges, target in edges), ends, starts)
        case ir.Packed():
            return _combined(ir.unpacked(node), value)
        case ir.Concat(parts):
            return ir.concat(*map(value, reversed(parts)))
        case ir.Separated(separator, items, kinds):
            pairs = zip(map(value, reversed(items)), reversed(kinds), strict=True)
            return ir.separated(value(separator), pairs)
    return ir.rebuilt(node, [value(part) for part in ir.children(node)])


def _turned(data: bytes) -> bytes:
    return data.decode()[::-1].encode()
