"""Numba kernels of distance vectors over the states of a token automaton.

A vector holds, per state, a number of tokens (int32; `FAR`: no way). `closure` lets
tokens be inserted at `cost` each; with cost 0 a vector is a set of states. Edges come
as compressed rows: those of state s are `targets[first[s]:first[s + 1]]`, distinct.
`delta (Q, C)` maps a state and a token class to a state, -1 where there is none.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]

FAR = 1 << 28
"""More tokens than any text has; the sum of three still is an int32."""


@njit(cache=True, nogil=True)
def closure(distances: Ints, first: Ints, targets: Ints, cost: int) -> None:
    """Lower `distances (Q,)` in place to the shortest way from any state to each, by label correction (Ford 1956)."""
    size = distances.shape[0]
    queue, waiting = np.empty(size + 1, np.int32), np.zeros(size, np.uint8)
    head, tail = 0, 0
    for state in range(size):
        if distances[state] < FAR:
            queue[tail] = state
            waiting[state] = 1
            tail += 1
    while head != tail:
        state = queue[head]
        head = head + 1 if head < size else 0
        waiting[state] = 0
        reached = distances[state] + cost
        for edge in range(first[state], first[state + 1]):
            target = targets[edge]
            if reached < distances[target]:
                distances[target] = reached
                if not waiting[target]:
                    waiting[target] = 1
                    queue[tail] = target
                    tail = tail + 1 if tail < size else 0


@njit(cache=True, nogil=True)
def after(distances: Ints, delta: Ints, token_class: int) -> Ints:
    """`(Q,)` distances of the states that one given token leads to."""
    moved = np.full(distances.shape[0], FAR, np.int32)
    for state in range(distances.shape[0]):
        target = delta[state, token_class]
        if target >= 0 and distances[state] < moved[target]:
            moved[target] = distances[state]
    return moved


@njit(cache=True, nogil=True)
def before(distances: Ints, delta: Ints, token_class: int) -> Ints:
    """`(Q,)` distances from the states that one given token leaves."""
    moved = np.full(distances.shape[0], FAR, np.int32)
    for state in range(distances.shape[0]):
        target = delta[state, token_class]
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
    n_classes: int,
) -> Ints:
    """`(C,)`: the fewest further tokens after one token of each class is put between `forward` and `backward`.

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
    best = np.full(n_classes, FAR, np.int32)
    for label in range(by_label.shape[0]):
        if by_label[label] < FAR:
            for member in range(label_first[label], label_first[label + 1]):
                if by_label[label] < best[label_classes[member]]:
                    best[label_classes[member]] = by_label[label]
    return best
