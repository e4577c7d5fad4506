"""Which parts of a language are worth a rule of their own, because they come several times.

A part that is written out wherever it is used costs states, time and memory each time;
as a rule it costs one call each time (see `pgen.automata.kernels`). JSON strings, white
space and numbers come dozens of times in a schema. Linear in distinct nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pgen.automata.pieces import characters
from pgen.language import ir

MIN_WEIGHT = 16
"""Edges, about, from which a part that comes twice is shared."""
BOOLEAN_WEIGHT = 64
"""What an intersection or a complement counts for: its size is not known before it is built."""


def shared_parts(bodies: Iterable[ir.Node]) -> dict[ir.Node, None]:
    """The parts to share, parts of others first."""
    distinct = dict.fromkeys(node for body in bodies for node in ir.descendants(body))
    uses = Counter(part for node in distinct for part in _uses(node))
    shared: dict[ir.Node, None] = {}
    weights: dict[ir.Node, int] = {}
    for node in distinct:
        weights[node] = weight = _weight(node, weights)
        if weight >= MIN_WEIGHT and uses[node] > 1:
            shared[node] = None
            weights[node] = 1
    return shared


def _uses(node: ir.Node) -> tuple[ir.Node, ...]:
    parts = ir.children(node)
    match node:
        case ir.Repeat(_, low, high):
            return parts * (2 if max(low, high or 1) > 1 else 1)
        case ir.Separated():
            return parts * 2
        case ir.Intersect() | ir.Complement():
            return ()
    return parts


def _weight(node: ir.Node, weights: dict[ir.Node, int]) -> int:
    match node:
        case ir.Chars(ranges):
            return len(characters(ranges).edges)
        case ir.Literal(data):
            return len(data)
        case ir.Words(words):
            return sum(map(len, words))
        case ir.Substrings(text):
            return len(text)
        case ir.Repeat(item, low, high):
            return weights[item] * max(low, high or 1)
        case ir.Intersect() | ir.Complement():
            return BOOLEAN_WEIGHT
    return sum(weights[part] for part in ir.children(node)) + 1
