"""Networks of characters as networks of their spellings: each edge becomes the ways to write its characters.

Linear in the edges, times the spellings of one class of characters (tens of edges).
"""

from __future__ import annotations

from collections.abc import Callable

from pgen.language import ir

Edge = tuple[int, ir.Ranges, int]


def with_spellings(network: ir.Network, spelling: Callable[[ir.Ranges], ir.Node]) -> ir.Node:
    """The network in which the characters of an edge are spelled as `spelling` says, which is finite."""
    fresh = 1 + max([0, *network.starts, *network.ends, *(max(a, b) for a, _, b in network.edges)])
    templates = {ranges: _Template(spelling(ranges)) for _, ranges, _ in network.edges}
    edges: list[Edge] = []
    for source, ranges, target in network.edges:
        template = templates[ranges]
        names = [source, target, *range(fresh, fresh + template.n_states - 2)]
        fresh += template.n_states - 2
        edges += [(names[a], inner, names[b]) for a, inner, b in template.edges]
    return ir.network(edges, network.starts, network.ends)


class _Template:
    """A finite language from state 0 to state 1."""

    def __init__(self, node: ir.Node) -> None:
        self.n_states = 2
        self.edges: list[Edge] = []
        self._lay(node, 0, 1)

    def _lay(self, node: ir.Node, start: int, end: int) -> None:
        match node:
            case ir.Chars(ranges):
                self.edges.append((start, ranges, end))
            case ir.Literal(data):
                self._sequence([ir.Chars(((ord(c), ord(c)),)) for c in data.decode()], start, end)
            case ir.Words(words):
                for word in words:
                    self._lay(ir.literal(word), start, end)
            case ir.Concat(parts):
                self._sequence(list(parts), start, end)
            case ir.Union(parts):
                for part in parts:
                    self._lay(part, start, end)
            case ir.Repeat(item, low, high) if low == high:
                self._sequence([item] * low, start, end)
            case _:
                raise AssertionError(f"{type(node).__name__} in the spelling of a character")

    def _sequence(self, parts: list[ir.Node], start: int, end: int) -> None:
        points = [start, *range(self.n_states, self.n_states + len(parts) - 1), end]
        self.n_states += len(parts) - 1
        for part, a, b in zip(parts, points, points[1:], strict=False):
            self._lay(part, a, b)
