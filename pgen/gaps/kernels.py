"""Numba kernels of distance vectors over the states of a token automaton.

A vector holds, per state, a number of tokens (int32; `FAR`: no way). `closure` lets
tokens be inserted at `cost` each; with cost 0 a vector is a set of states. Edges come
as compressed rows: those of state s are `targets[first[s]:first[s + 1]]`, distinct.
`delta (C, Q)` maps a token class and a state to a state, -1 where there is none.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]

FAR = 1 << 28
"""More tokens than any text has; the sum of three still is an int32."""


@njit(cache=True, nogil=True)
def _ascending(distances: Ints) -> Ints:
    """The states with a way to them, the nearest first, by counting."""
    finite, count, most = np.empty(distances.shape[0], np.int32), 0, 0
    for state in range(distances.shape[0]):
        if distances[state] < FAR:
            finite[count] = state
            count += 1
            most = max(most, distances[state])
    ends = np.zeros(most + 2, np.int32)
    for at in range(count):
        ends[distances[finite[at]] + 1] += 1
    for distance in range(most + 1):
        ends[distance + 1] += ends[distance]
    order = np.empty(count, np.int32)
    for at in range(count):
        distance = distances[finite[at]]
        order[ends[distance]] = finite[at]
        ends[distance] += 1
    return order


@njit(cache=True, nogil=True)
def closure(distances: Ints, first: Ints, targets: Ints, cost: int) -> None:
    """Lower `distances (Q,)` in place to the shortest way from any state to each.

    Breadth first, a level for each distance, which states join as they are reached or
    because they began with it (Dial 1969): every edge is followed once at most.
    """
    size, begins, order, start = distances.shape[0], distances.copy(), _ascending(distances), 0
    frontier, following = np.empty(size, np.int32), np.empty(size, np.int32)
    count, level = 0, 0
    while count or start < order.shape[0]:
        if not count:
            level = max(level, begins[order[start]])
        while start < order.shape[0] and begins[order[start]] <= level:
            # A state that was lowered below what it began with has had its turn.
            if begins[order[start]] == level == distances[order[start]]:
                frontier[count] = order[start]
                count += 1
            start += 1
        n_following, at = 0, 0
        while at < count:
            for edge in range(first[frontier[at]], first[frontier[at] + 1]):
                target = targets[edge]
                if level + cost < distances[target]:
                    distances[target] = level + cost
                    if cost:
                        following[n_following] = target
                        n_following += 1
                    else:
                        frontier[count] = target
                        count += 1
            at += 1
        frontier, following, count = following, frontier, n_following
        level += cost


@njit(cache=True, nogil=True)
def after(distances: Ints, delta: Ints, token_class: int) -> Ints:
    """`(Q,)` distances of the states that one given token leads to."""
    moved = np.full(distances.shape[0], FAR, np.int32)
    for state in range(distances.shape[0]):
        target = delta[token_class, state]
        if target >= 0 and distances[state] < moved[target]:
            moved[target] = distances[state]
    return moved


@njit(cache=True, nogil=True)
def before(distances: Ints, delta: Ints, token_class: int) -> Ints:
    """`(Q,)` distances from the states that one given token leaves."""
    moved = np.full(distances.shape[0], FAR, np.int32)
    for state in range(distances.shape[0]):
        target = delta[token_class, state]
        if target >= 0:
            moved[state] = distances[target]
    return moved


@njit(cache=True, nogil=True)
def insertable(
    forward: Ints,
    backward: Ints,
    first: Ints,
    targets: Ints,
    labels: Ints,
    label_first: Ints,
    label_classes: Ints,
    best: Ints,
) -> None:
    """The fewest further tokens after one token of each class is put between `forward` and `backward`: `best (C,)`.

    The edges of state s are `first[s]:first[s + 1]`, each with its target and a label, which
    stands for the classes `label_classes[label_first[l]:label_first[l + 1]]`.
    """
    by_label = np.full(label_first.shape[0] - 1, FAR, np.int32)
    for state in range(forward.shape[0]):
        if forward[state] < FAR:
            for edge in range(first[state], first[state + 1]):
                further = forward[state] + backward[targets[edge]]
                if further < by_label[labels[edge]]:
                    by_label[labels[edge]] = further
    best[:] = FAR
    for label in range(by_label.shape[0]):
        for member in range(label_first[label], label_first[label + 1]):
            best[label_classes[member]] = min(best[label_classes[member]], by_label[label])
