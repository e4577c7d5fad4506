"""Which parts of a language are worth a rule of their own, because they come several times.

A part that is written out wherever it is used costs states, time and memory each time;
as a rule it costs one call each time (see `pgen.automata.kernels`). JSON strings, white
space and numbers come dozens of times in a schema. Regular parts of moderate size are
*atoms*: taken as they are, since their automata are kept from language to language
(`pgen.automata.nfa.atom`). Linear in distinct nodes outside atoms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pgen.language import ir

MIN_SIZE = 16
"""Edges, about, from which a part that comes twice is shared."""
MAX_ATOM = 150
"""Edges, about, up to which a regular part is an atom."""


def is_atom(node: ir.Node) -> bool:
    """Whether a part is built apart and kept."""
    return MIN_SIZE <= ir.size(node) <= MAX_ATOM and not ir.refers(node)


def shared_parts(bodies: Iterable[ir.Node]) -> list[ir.Node]:
    """The parts to share, each before its own parts."""
    waiting = list(bodies)
    met = dict.fromkeys(waiting)
    uses: Counter[ir.Node] = Counter()
    for node in waiting:
        for part in () if is_atom(node) else _uses(node):
            uses[part] += 1
            if part not in met:
                met[part] = None
                waiting.append(part)
    return [part for part in met if uses[part] > 1 and ir.size(part) >= MIN_SIZE and not isinstance(part, ir.Ref)]


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
