"""What is below a node: about how many edges it takes, and whether it mentions rules, parts to be written, operations.

One integer for each node, noted for it and all its parts when one is first asked for, bottom up and without recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgen.language.nodes import (
    Chars,
    Complement,
    Fields,
    Intersect,
    Later,
    Literal,
    Network,
    Node,
    Others,
    Packed,
    Ranges,
    Recursive,
    Ref,
    Repeat,
    Separated,
    Special,
    Spelled,
    Substrings,
    Words,
    children,
    descendants,
)

REFERS, GROWS, BOOLEAN, SPECIAL = 1, 2, 4, 8
"""What is below a node, as bits of its sum; its size stands above them."""
_SIZE = 4
SPELLINGS = 8
"""Edges, about, for a character in all its spellings."""


def _sum(root: Node) -> int:
    """The size of a node and what it mentions, noted for it and all its parts."""
    try:
        return root._sum
    except AttributeError:
        waiting = [root]
    while waiting:
        node = waiting[-1]
        parts, n_waiting = children(node), len(waiting)
        size, bits = 0, _OWN_BITS.get(type(node), 0)
        for part in parts:
            # Most parts are of these two kinds, of which nothing has to be noted.
            if type(part) is Literal:
                size += 1 + len(part.data)
            elif type(part) is Later:
                size += 1
                bits |= REFERS | GROWS
            elif (known := getattr(part, "_sum", None)) is None:
                waiting.append(part)
            else:
                size += known >> _SIZE
                bits |= known
        if len(waiting) == n_waiting:
            waiting.pop()
            bits &= ~BOOLEAN if type(node) is Spelled else 15
            object.__setattr__(node, "_sum", _own_size(node, parts, size) << _SIZE | bits & 15)
    return root._sum


def size(node: Node) -> int:
    """About how many edges a node takes when it is written out."""
    return _sum(node) >> _SIZE


def refers(node: Node) -> bool:
    """Whether a node mentions rules, its own ones and those to be written later included."""
    return _sum(node) & REFERS > 0


def grows(node: Node) -> bool:
    """Whether parts of a node are written out later."""
    return _sum(node) & GROWS > 0


def has_boolean(node: Node) -> bool:
    """Whether there are intersections or complements in a node, but for those of spelled values, which are trimmed."""
    return _sum(node) & BOOLEAN > 0


def special_names(node: Node) -> list[str]:
    """The names of the special tokens that a node mentions; at no cost where there are none."""
    return [p.name for p in (descendants(node) if _sum(node) & SPECIAL else ()) if isinstance(p, Special)]


_OWN_BITS: dict[type[Node], int] = {
    Ref: REFERS,
    Recursive: REFERS,
    Later: REFERS | GROWS,
    Intersect: BOOLEAN,
    Complement: BOOLEAN,
    Special: SPECIAL,
}


def _own_size(node: Node, parts: tuple[Node, ...], below: int) -> int:
    own = _SIZES.get(type(node))
    return own(node, parts, below) if own else 1 + below


def _size_of_others(node: Others, parts: tuple[Node, ...]) -> int:
    return (1 + sum(map(len, node.words)) + sum(map(len, node.barred))) * (1 + size(parts[0])) + size(parts[1])


def _size_of_fields(node: Fields, below: int) -> int:
    once = below + len(node.words) * (2 * size(node.separator) + size(node.colon)) + sum(map(len, node.words))
    return once if node.in_order else once << sum(kind in "1?" for kind in node.kinds)


def _size_of_ranges(ranges: Ranges) -> int:
    return sum([1 if high < 128 else 4 for _, high in ranges])


_SIZES: dict[type[Node], Callable[[Any, tuple[Node, ...], int], int]] = {
    Literal: lambda node, parts, below: 1 + len(node.data),
    Words: lambda node, parts, below: sum(map(len, node.words)),
    Substrings: lambda node, parts, below: len(node.text),
    Others: lambda node, parts, below: _size_of_others(node, parts),
    Spelled: lambda node, parts, below: SPELLINGS * size(node.values),
    Chars: lambda node, parts, below: 1 + _size_of_ranges(node.ranges),
    Network: lambda node, parts, below: 1 + sum([_size_of_ranges(ranges) for _, ranges, _ in node.edges]),
    Special: lambda node, parts, below: 1 + sum([_size_of_ranges(ranges) for _, ranges, _ in node.edges]),
    Packed: lambda node, parts, below: 1 + len(node.edges) // 16,
    Repeat: lambda node, parts, below: below * max(1, node.low + 1 if node.high is None else node.high),
    Separated: lambda node, parts, below: below + size(node.separator) * (2 * len(node.items) - 1),
    Fields: lambda node, parts, below: _size_of_fields(node, below),
}
"""About how many edges a node takes by its parts and the sum of their sizes; others take one more than their parts."""
