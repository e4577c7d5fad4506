"""Questions about a language that need no vocabulary: membership, completability, lengths, members.

Automata are cached per node; all of these are linear in the text or the automaton.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.automata.lengths import longest
from pgen.automata.nfa import fragment
from pgen.language import ir


@lru_cache(maxsize=256)
def automaton(node: ir.Node) -> LazyDFA:
    """The lazy automaton of a node."""
    return LazyDFA(fragment(node))


def accepts(node: ir.Node, data: bytes) -> bool:
    """Whether `data` is a member."""
    dfa = automaton(node)
    if dfa.is_empty:
        return False
    state = dfa.run(dfa.start, data)
    return state != DEAD and dfa.is_accepting(state)


def completable(node: ir.Node, prefix: bytes) -> bool:
    """Whether some bytes after `prefix` make a member (the automaton is trimmed: whether it is not dead)."""
    dfa = automaton(node)
    return not dfa.is_empty and dfa.run(dfa.start, prefix) != DEAD


def is_empty(node: ir.Node) -> bool:
    """Whether there is no member."""
    return automaton(node).is_empty


def longest_bytes(node: ir.Node) -> int | None:
    """Bytes of the longest member, `None` if there is no longest; 0 for the empty language."""
    dfa = automaton(node)
    return 0 if dfa.is_empty else longest(dfa.fragment)


def shortest_bytes(node: ir.Node) -> int | None:
    """Bytes of the shortest member, `None` for the empty language."""
    dfa = automaton(node)
    return None if dfa.is_empty else int(np.min(dfa.nfa.nearest[0]))


def difference(left: ir.Node, right: ir.Node) -> bytes | None:
    """A shortest text in one of two languages but not in the other, `None` if they are equal."""
    a, b = automaton(left), automaton(right)
    start = (DEAD if a.is_empty else a.start, DEAD if b.is_empty else b.start)
    seen, queue = {start}, [(start, b"")]
    for (p, q), text in queue:
        if (p != DEAD and a.is_accepting(p)) != (q != DEAD and b.is_accepting(q)):
            return text
        for byte in _representatives(a, b):
            following = tuple(DEAD if s == DEAD else d.run(s, bytes([byte])) for d, s in ((a, p), (b, q)))
            if following not in seen and following != (DEAD, DEAD):
                seen.add(following)  # type: ignore[arg-type]
                queue.append((following, text + bytes([byte])))  # type: ignore[arg-type]
    return None


def _representatives(*automata: LazyDFA) -> list[int]:
    """One byte of every class."""
    changes = np.zeros(256, np.bool_)
    changes[0] = True
    for dfa in automata:
        if not dfa.is_empty:
            changes[1:] |= np.diff(dfa.nfa.class_of) != 0
    return np.flatnonzero(changes).tolist()
