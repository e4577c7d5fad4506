"""Which parts of a language are worth a rule of their own, because they come several times.

A part that is written out wherever it is used costs states, time and memory each time;
as a rule it costs one call each time (see `pgen.automata.kernels`). JSON strings, white
space and numbers come dozens of times in a schema. Sequences that end alike share their
*tails*: all string properties of an object end in a colon, white space and a string, so
that after their names there are the same states, and the same masks. Regular parts of
moderate size are
*atoms*: taken as they are, since their automata are kept from language to language
(`pgen.automata.nfa.atom`). Linear in distinct nodes outside atoms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pgen.language import ir

MIN_SIZE = 16
"""Edges, about, from which a part that comes twice is shared."""
MAX_ATOM = 150
"""Edges, about, up to which a regular part is an atom."""
MAX_LOOP = 300
"""Edges, about, up to which a regular part that is repeated without end is written out where it is."""
MAX_TAIL = 8
"""Parts of a sequence that a shared tail may have."""

_LEAVES = (ir.Literal, ir.Words, ir.Chars, ir.Others, ir.Packed, ir.Spelled, ir.Later)


def is_atom(node: ir.Node) -> bool:
    """Whether a part is built apart and kept."""
    return not isinstance(node, _LEAVES) and MIN_SIZE <= ir.size(node) <= MAX_ATOM and not ir.refers(node)


class Sharing(NamedTuple):
    """`parts` become rules, each before its own parts; `tails`: how many last parts of a sequence are one of them."""

    parts: list[ir.Node]
    tails: dict[ir.Concat, int]


def shared_parts(bodies: Iterable[ir.Node]) -> Sharing:
    """What to share in rules with these bodies."""
    waiting = list(bodies)
    met = dict.fromkeys(waiting)
    uses: Counter[ir.Node] = Counter()
    for node in waiting:
        for part in () if is_atom(node) else _uses(node):
            uses[part] += 1
            if part not in met:
                met[part] = None
                waiting.append(part)
    shared = [part for part in met if uses[part] > 1 and ir.size(part) >= MIN_SIZE and not isinstance(part, ir.Ref)]
    tails = _tails([node for node in met if isinstance(node, ir.Concat)])
    shared += [ir.Concat(node.parts[-length:]) for node, length in tails.items()]
    return Sharing(sorted(dict.fromkeys(shared), key=ir.size, reverse=True), tails)


def _tails(sequences: list[ir.Concat]) -> dict[ir.Concat, int]:
    """The longest ends of sequences that others end in, too, and that are not all of them."""
    met = Counter(tail for node in sequences for tail in _ends(node))
    longest = {node: max((len(t) for t in _ends(node) if met[t] > 1), default=0) for node in sequences}
    return {node: length for node, length in longest.items() if length}


def _ends(node: ir.Concat) -> list[tuple[ir.Node, ...]]:
    return [node.parts[-n:] for n in range(2, min(MAX_TAIL, len(node.parts) - 1) + 1) if _worth(node.parts[-n:])]


def _worth(tail: tuple[ir.Node, ...]) -> bool:
    return sum(map(ir.size, tail)) >= MIN_SIZE


def _uses(node: ir.Node) -> tuple[ir.Node, ...]:
    parts = ir.children(node)
    match node:
        case ir.Repeat(_, low, high):
            return parts * (2 if max(low, high or 1) > 1 else 1)
        case ir.Separated():
            return parts * 2
        case ir.Fields(in_order=in_order):
            # In any order a value comes once for each set of those before it.
            return *(parts[:2] if in_order else parts), *parts
        case ir.Intersect() | ir.Complement():
            return ()
    return parts
