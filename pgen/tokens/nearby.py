"""The part of an NFA that everyday text leads to from some states, as a small graph of its own.

`pgen.tokens.endless` goes over it several times: numbered on their own and side by side, a hundred states among
thousands stay in the processor's nearest cache, and an edge says at once which steps of a character it takes.
Linear in what is found, and n log n to number states in descending order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.layout import UNMARKED, Nfa
from pgen.automata.sorting import arrange

Ints = NDArray[np.int32]
Flags = NDArray[np.uint64]


class Nearby(NamedTuple):
    """The states without a mark that text, jumps and calls lead to; then marked ones, which jumps and calls lead to;
    then those that only edges lead to from marked ones, or marked ones that they lead to: these lead nowhere here.

    The first are in descending order, since chains of states are mostly numbered in ascending order.
    """

    n_new: int
    states: Ints  # (n,) their numbers in the NFA
    edge_start: Ints  # (n + 1,)
    edges: Ints  # (E, 3) first step of a character, the one after the last, and where they lead
    link_start: Ints  # (n + 1,)
    links: Ints  # (L, 2) where jumps and calls lead, and how far it is from where a call returns to


@njit(cache=True)
def nearby(nfa: Nfa, start: Ints, members: Ints) -> Nearby:
    """What everyday text leads to from `members`; steps of its characters begin at `start` for each byte class."""
    row, found = np.full(nfa.live.shape[0], -1, np.int32), np.empty(nfa.live.shape[0], np.int32)
    n_new = np.int64(0)
    for state in members:
        if nfa.endless[state] == UNMARKED:
            row[state], found[n_new], n_new = 0, state, n_new + 1
    n_new = _followed(nfa, start, row, found, np.int64(0), n_new)
    spare, rising = np.empty(n_new, np.int32), found[:n_new].copy()
    arrange(rising, spare, n_new)
    for at in range(n_new):
        found[at] = rising[n_new - 1 - at]
        row[found[at]] = at
    n_linked = _linked(nfa, row, found, n_new)
    n_edges, n_links = 0, 0
    for at in range(n_linked):
        state = found[at]
        n_edges += nfa.edge_start[state + 1] - nfa.edge_start[state]
        n_links += nfa.jump_start[state + 1] - nfa.jump_start[state]
        n_links += nfa.call_start[state + 1] - nfa.call_start[state]
    edge_start, edges = np.zeros(n_linked + 1, np.int32), np.empty((n_edges, 3), np.int32)
    link_start, links = np.zeros(n_linked + 1, np.int32), np.empty((n_links, 2), np.int32)
    n_all = _edges(nfa, start, row, found, n_linked, edge_start, edges)
    _links(nfa, row, found, link_start, links)
    return Nearby(n_new, found[:n_all], edge_start, edges, link_start, links)


@njit(inline="always")
def _followed(nfa: Nfa, start: Ints, row: Ints, found: Ints, done: int, n_found: int) -> int:
    """Add the unmarked states that edges, jumps and calls lead to; how many there are then."""
    while done < n_found:
        here, done = found[done], done + 1
        for e in range(nfa.edge_start[here], nfa.edge_start[here + 1]):
            onward = nfa.edge_target[e]
            if row[onward] < 0 and nfa.endless[onward] == UNMARKED and _everyday(nfa, start, e):
                row[onward], found[n_found], n_found = 0, onward, n_found + 1
        for j in range(nfa.jump_start[here], nfa.jump_start[here + 1]):
            onward = nfa.jump_target[j]
            if row[onward] < 0 and nfa.endless[onward] == UNMARKED:
                row[onward], found[n_found], n_found = 0, onward, n_found + 1
        for c in range(nfa.call_start[here], nfa.call_start[here + 1]):
            onward = nfa.begin[nfa.call_rule[c]]
            if onward >= 0 and row[onward] < 0 and nfa.endless[onward] == UNMARKED:
                row[onward], found[n_found], n_found = 0, onward, n_found + 1
    return n_found


@njit(inline="always")
def _linked(nfa: Nfa, row: Ints, found: Ints, n_found: int) -> int:
    """Add what only jumps and calls lead to: marked states; how many there are then."""
    done = np.int64(0)
    while done < n_found:
        here, done = found[done], done + 1
        for j in range(nfa.jump_start[here], nfa.jump_start[here + 1]):
            onward = nfa.jump_target[j]
            if row[onward] < 0:
                row[onward], found[n_found], n_found = n_found, onward, n_found + 1
        for c in range(nfa.call_start[here], nfa.call_start[here + 1]):
            onward = nfa.begin[nfa.call_rule[c]]
            if onward >= 0 and row[onward] < 0:
                row[onward], found[n_found], n_found = n_found, onward, n_found + 1
    return n_found


@njit(inline="always")
def _everyday(nfa: Nfa, start: Ints, e: int) -> bool:
    """Whether an edge takes a byte of an everyday character."""
    return bool(start[nfa.edge_low[e]] < start[np.int64(nfa.edge_high[e]) + 1])


@njit(inline="always")
def _edges(nfa: Nfa, start: Ints, row: Ints, found: Ints, n_linked: int, edge_start: Ints, edges: Ints) -> int:
    """List the edges of states, and in `found` what only they lead to; how many states there are then."""
    n_edges, n_found = 0, n_linked
    for at in range(n_linked):
        for e in range(nfa.edge_start[found[at]], nfa.edge_start[found[at] + 1]):
            if _everyday(nfa, start, e):
                onward = nfa.edge_target[e]
                if row[onward] < 0:
                    row[onward], found[n_found], n_found = n_found, onward, n_found + 1
                edges[n_edges, 0], edges[n_edges, 1] = start[nfa.edge_low[e]], start[np.int64(nfa.edge_high[e]) + 1]
                edges[n_edges, 2] = row[onward]
                n_edges += 1
        edge_start[at + 1] = n_edges
    return n_found


@njit(inline="always")
def _links(nfa: Nfa, row: Ints, found: Ints, link_start: Ints, links: Ints) -> None:
    """List the jumps and calls of states."""
    n_links = 0
    for at in range(link_start.shape[0] - 1):
        for j in range(nfa.jump_start[found[at]], nfa.jump_start[found[at] + 1]):
            links[n_links, 0], links[n_links, 1] = row[nfa.jump_target[j]], 0
            n_links += 1
        for c in range(nfa.call_start[found[at]], nfa.call_start[found[at] + 1]):
            onward = nfa.begin[nfa.call_rule[c]]
            if onward >= 0:
                links[n_links, 0], links[n_links, 1] = row[onward], nfa.farthest[nfa.call_target[c]]
                n_links += 1
        link_start[at + 1] = n_links
