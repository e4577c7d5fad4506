"""Distances to acceptance in a fragment, trimming, and the lengths of members.

Distances are 0-1 breadth-first searches backwards from the end (a byte edge costs 1,
a jump 0), in numba, linear in the edges. A fragment is trimmed when every state lies
on a path from start to end; then every non-empty set of its states can be completed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.nfa import Fragment

UNREACHABLE = 2**30

Ints = NDArray[np.int32]


@njit(cache=True)
def _zero_one(start: Ints, target: Ints, cost: NDArray[np.uint8], root: int, distance: Ints) -> None:
    """Fill `distance (n,)` from `root` over CSR edges with costs 0 and 1, with a deque of 2 E + 1 places."""
    size = 2 * target.shape[0] + 3
    queue = np.empty(2 * size, np.int32)
    head = tail = size
    distance[root] = 0
    queue[tail] = root
    tail += 1
    while head < tail:
        here = queue[head]
        head += 1
        for e in range(start[here], start[here + 1]):
            reached, through = target[e], distance[here] + cost[e]
            if through < distance[reached]:
                distance[reached] = through
                if cost[e] == 0:
                    head -= 1
                    queue[head] = reached
                else:
                    queue[tail] = reached
                    tail += 1


def _distances(n_states: int, sources: Ints, targets: Ints, costs: NDArray[np.uint8], root: int) -> Ints:
    order = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[order], np.arange(n_states + 1)).astype(np.int32)
    distance = np.full(n_states, UNREACHABLE, np.int32)
    _zero_one(start, targets[order], costs[order], root, distance)
    return distance


def byte_distances(fragment: Fragment, usable: NDArray[np.bool_]) -> Ints:
    """`(n,)` fewest bytes from each state to the end, over edges that hold a usable byte; `UNREACHABLE` if none."""
    running = np.concatenate([[0], np.cumsum(usable)])
    edges = fragment.edges[running[fragment.edges[:, 2] + 1] > running[fragment.edges[:, 1]]]
    sources = np.concatenate([edges[:, 3], fragment.jumps[:, 1]])
    targets = np.concatenate([edges[:, 0], fragment.jumps[:, 0]])
    costs = np.concatenate([np.ones(len(edges), np.uint8), np.zeros(len(fragment.jumps), np.uint8)])
    return _distances(fragment.n_states, sources, targets, costs, 1)


class Trimmed(NamedTuple):
    """A fragment whose states all lie on a path from start to end; `nearest (n,)` bytes to the end."""

    fragment: Fragment
    nearest: Ints


def trim(fragment: Fragment) -> Trimmed:
    """Only the states on a path from start to end; no states at all if there is no path."""
    edges, jumps = fragment.edges, fragment.jumps
    nearest = byte_distances(fragment, np.ones(256, np.bool_))
    sources, targets = np.concatenate([edges[:, 0], jumps[:, 0]]), np.concatenate([edges[:, 3], jumps[:, 1]])
    behind = _distances(fragment.n_states, sources, targets, np.ones(len(sources), np.uint8), 0)
    keep = (nearest < UNREACHABLE) & (behind < UNREACHABLE)
    if not keep[0]:
        return Trimmed(Fragment(0, edges[:0], jumps[:0]), nearest[:0])
    if keep.all():
        return Trimmed(fragment, nearest)
    names = (np.cumsum(keep) - 1).astype(np.int32)
    edges = edges[keep[edges[:, 0]] & keep[edges[:, 3]]].copy()
    jumps = jumps[keep[jumps[:, 0]] & keep[jumps[:, 1]]]
    edges[:, 0], edges[:, 3] = names[edges[:, 0]], names[edges[:, 3]]
    # What is cut lies on no shortest way from a state that stays.
    return Trimmed(Fragment(int(keep.sum()), edges, names[jumps]), nearest[keep])


def longest(fragment: Fragment) -> int | None:
    """Bytes of the longest member of a trimmed fragment; `None` if there is no longest."""
    sources = np.concatenate([fragment.edges[:, 0], fragment.jumps[:, 0]])
    targets = np.concatenate([fragment.edges[:, 3], fragment.jumps[:, 1]])
    costs = np.concatenate([np.ones(len(fragment.edges), np.uint8), np.zeros(len(fragment.jumps), np.uint8)])
    order = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[order], np.arange(fragment.n_states + 1)).astype(np.int32)
    length = int(_longest_path(start, targets[order], costs[order]))
    return None if length < 0 else length


@njit(cache=True)
def _longest_path(start: Ints, target: Ints, cost: NDArray[np.uint8]) -> int:
    """Longest path from state 0 in topological order (Kahn); -1 if there is a cycle."""
    n_states = start.shape[0] - 1
    waiting = np.zeros(n_states, np.int32)
    for e in range(target.shape[0]):
        waiting[target[e]] += 1
    length = np.zeros(n_states, np.int64)
    ready = np.empty(n_states, np.int32)
    n_ready, n_done = 0, 0
    for state in range(n_states):
        if waiting[state] == 0:
            ready[n_ready] = state
            n_ready += 1
    while n_done < n_ready:
        here = ready[n_done]
        n_done += 1
        for e in range(start[here], start[here + 1]):
            reached = target[e]
            length[reached] = max(length[reached], length[here] + cost[e])
            waiting[reached] -= 1
            if waiting[reached] == 0:
                ready[n_ready] = reached
                n_ready += 1
    return length[1] if n_done == n_states else -1
