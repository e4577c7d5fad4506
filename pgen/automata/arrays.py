"""Fragments as the arrays of an `Nfa`: rows by source, byte classes, and pieces that come later.

Byte classes are the coarsest intervals that no edge cuts. A piece brings states, which come after
those there are, rules, and perhaps new cuts: then the classes of earlier edges are renamed. All
of it is linear in the arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.layout import UNMARKED, Nfa
from pgen.automata.pieces import CALL, Fragment

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

UNWRITTEN = -1
"""The first state of a rule that has none yet."""


class Piece(NamedTuple):
    """A fragment that comes to others; its calls are of rules by their numbers in the whole.

    Rule `rules[i]` of `n_rules` runs from `fragment.begins[i]` to `fragment.ends[i]`; `nearest (n,)` are the bytes to
    the end of the rule that a state is in.
    """

    fragment: Fragment
    nearest: Ints
    rules: Ints
    n_rules: int


def nfa_of(fragment: Fragment, nearest: Ints, farthest: Ints | None, live: Bytes | None) -> Nfa:
    """The arrays of a whole fragment; by default all states are live and single bytes are tokens."""
    rules = np.arange(len(fragment.begins), dtype=np.int32)
    nfa = extended(EMPTY, Piece(fragment, nearest, rules, len(rules)))
    return nfa._replace(
        live=nfa.live if live is None else live,
        farthest=nfa.farthest if farthest is None else farthest,
    )


def extended(nfa: Nfa, piece: Piece) -> Nfa:
    """The arrays with those of a piece behind them."""
    fragment, before = piece.fragment, len(nfa.is_end)
    is_call = fragment.edges[:, 1] >= CALL
    edge_start, edges = _by_source(fragment.edges[~is_call], fragment.n_states)
    call_start, calls = _by_source(fragment.edges[is_call], fragment.n_states)
    jump_start, jumps = _by_source(fragment.jumps, fragment.n_states)
    class_of = _refined(nfa.class_of, edges)
    is_end = np.zeros(fragment.n_states, np.uint8)
    is_end[fragment.ends] = 1
    begin = np.append(nfa.begin, np.full(piece.n_rules - len(nfa.begin), UNWRITTEN, np.int32))
    begin[piece.rules] = before + fragment.begins
    n_new = fragment.n_states
    return Nfa(
        edge_start=np.append(nfa.edge_start, nfa.edge_start[-1] + edge_start[1:]),
        edge_low=np.append(_renamed(nfa.edge_low, nfa.class_of, class_of, "left"), class_of[edges[:, 1]]),
        edge_high=np.append(_renamed(nfa.edge_high, nfa.class_of, class_of, "right"), class_of[edges[:, 2]]),
        edge_target=np.append(nfa.edge_target, before + edges[:, 3]),
        jump_start=np.append(nfa.jump_start, nfa.jump_start[-1] + jump_start[1:]),
        jump_target=np.append(nfa.jump_target, before + jumps[:, 1]),
        call_start=np.append(nfa.call_start, nfa.call_start[-1] + call_start[1:]),
        call_rule=np.append(nfa.call_rule, calls[:, 1] - CALL),
        call_target=np.append(nfa.call_target, before + calls[:, 3]),
        begin=begin,
        is_end=np.append(nfa.is_end, is_end),
        live=np.append(nfa.live, np.ones(n_new, np.uint8)),
        nearest=np.append(nfa.nearest, piece.nearest),
        farthest=np.append(nfa.farthest, piece.nearest),
        class_of=class_of,
        endless=np.append(nfa.endless, np.full(n_new, UNMARKED, np.int32)),
        inside=np.append(nfa.inside, np.zeros(n_new, np.uint64)),
        beyond=np.append(nfa.beyond, np.full(n_new, -1, np.int32)),
    )


def _by_source(rows: Ints, n_states: int) -> tuple[Ints, Ints]:
    """Where each state's rows begin, `(n + 1,)`, and the rows in that order."""
    ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    return np.searchsorted(ordered[:, 0], np.arange(n_states + 1)).astype(np.int32), ordered


def _refined(class_of: Bytes, edges: Ints) -> Bytes:
    """`(256,)` the classes, cut where these edges begin and end, too; the same array where that cuts nothing."""
    border = np.zeros(257, np.bool_)
    border[1:256] = class_of[1:] != class_of[:-1]
    n_classes = int(border.sum())
    border[edges[:, 1]] = border[edges[:, 2] + 1] = True
    border[[0, 256]] = False
    return class_of if border.sum() == n_classes else np.cumsum(border[:256]).astype(np.uint8)


def _renamed(ends: Bytes, before: Bytes, after: Bytes, side: str) -> Bytes:
    """First ("left") or last ("right") classes of edges by the new names."""
    if after is before or not len(ends):
        return ends
    names = np.arange(int(before[255]) + 1, dtype=np.uint8)
    if side == "left":
        return after[np.searchsorted(before, names, side="left")][ends]
    return after[np.searchsorted(before, names, side="right") - 1][ends]


_ZERO = np.zeros(1, np.int32)
_NO_INTS, _NO_BYTES = np.zeros(0, np.int32), np.zeros(0, np.uint8)

EMPTY = Nfa(
    edge_start=_ZERO,
    edge_low=_NO_BYTES,
    edge_high=_NO_BYTES,
    edge_target=_NO_INTS,
    jump_start=_ZERO,
    jump_target=_NO_INTS,
    call_start=_ZERO,
    call_rule=_NO_INTS,
    call_target=_NO_INTS,
    begin=_NO_INTS,
    is_end=_NO_BYTES,
    live=_NO_BYTES,
    nearest=_NO_INTS,
    farthest=_NO_INTS,
    class_of=np.zeros(256, np.uint8),
    endless=_NO_INTS,
    inside=np.zeros(0, np.uint64),
    beyond=_NO_INTS,
)
"""No states at all: where arrays begin."""
