"""Where the parts of a text in a concatenation of languages end.

A cut is possible where what stands after it is a member of the rest; these places are
found by running the rest backwards over the text, once. From left to right each part
then ends at its first or last possible cut, so no choice is ever taken back (the two-pass
scheme of Frisch and Cardelli, "Greedy regular expression matching", ICALP 2004). Linear
in the text for each part, plus one automaton for each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pgen.automata.acceptor import automaton
from pgen.automata.layout import DEAD
from pgen.automata.reversal import backwards
from pgen.language import ir


class Part(NamedTuple):
    """One part of a concatenation: `longest` if it takes as much as it can, else as little."""

    node: ir.Node
    longest: bool


@lru_cache(maxsize=64)
def split(parts: tuple[Part, ...], text: str) -> tuple[str, ...] | None:
    """The texts of the parts, the first ones choosing first; `None` if the whole text is no member."""
    at, found = 0, list[str]()
    if 0 not in cuts(ir.concat(*(part.node for part in parts)), text):
        return None
    for i, part in enumerate(parts):
        possible = cuts(ir.concat(*(later.node for later in parts[i + 1 :])), text)
        ends = (at + length for length in prefixes(part.node, text[at:]) if at + length in possible)
        end = max(ends) if part.longest else next(ends)
        found.append(text[at:end])
        at = end
    return tuple(found)


@lru_cache(maxsize=64)
def cuts(rest: ir.Node, text: str) -> frozenset[int]:
    """The places of `text` after which a member of `rest` fills it to its end."""
    return frozenset(len(text) - length for length in prefixes(backwards(rest), text[::-1]))


def prefixes(node: ir.Node, text: str) -> Iterator[int]:
    """The lengths of the prefixes of `text` that are members, ascending."""
    dfa = automaton(node)
    state = DEAD if dfa.is_empty else dfa.start
    for at in range(len(text) + 1):
        if state == DEAD:
            return
        if dfa.is_accepting(state):
            yield at
        if at < len(text):
            state = dfa.run(state, text[at].encode("utf-8", "surrogatepass"))
