"""Numba kernels of `pgen.chains.lattice`: inside masses of rules between places of a canvas, in logarithms."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.chains.automaton import Ints
from pgen.chains.emissions import Floats

Bools = NDArray[np.bool_]


@njit(cache=True)
def _plus(a: float, b: float) -> float:
    """log(e^a + e^b)."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -np.inf else high + np.log1p(np.exp(low - high))


@njit(cache=True)
def forward(
    rule: int,
    begin: int,
    delta: Ints,
    call_start: Ints,
    call_rule: Ints,
    call_back: Ints,
    bounds: Ints,
    arc_start: Ints,
    arc_target: Ints,
    arc_class: Ints,
    weights: Floats,
    inside: Floats,
    alpha: Floats,
) -> None:
    """Fill `alpha (states of the body, n)`: masses of the ways from its beginning at place `begin`.

    Places of position i are i T … i T + T - 1, one a node of the trie; `weights (L, A)` are those of its arcs.
    """
    first, n_nodes, n_places = bounds[rule], arc_start.shape[0] - 1, alpha.shape[1]
    alpha[:] = -np.inf
    alpha[0, begin] = 0.0
    for u in range(begin, n_places):
        i, node = u // n_nodes, u % n_nodes
        for q in range(first, bounds[rule + 1]):
            here = alpha[q - first, u]
            if here == -np.inf:
                continue
            for k in range(call_start[q], call_start[q + 1]):
                back, called = call_back[k] - first, call_rule[k]
                for v in range(u + 1, n_places):
                    if inside[called, u, v] > -np.inf:
                        alpha[back, v] = _plus(alpha[back, v], here + inside[called, u, v])
            if i == weights.shape[0]:
                continue
            for a in range(arc_start[node], arc_start[node + 1]):
                t = delta[q, arc_class[a]]
                if t >= 0 and weights[i, a] > -np.inf:
                    v = (i + 1) * n_nodes if arc_target[a] < 0 else i * n_nodes + arc_target[a]
                    alpha[t - first, v] = _plus(alpha[t - first, v], here + weights[i, a])


@njit(cache=True)
def fill(
    delta: Ints,
    call_start: Ints,
    call_rule: Ints,
    call_back: Ints,
    bounds: Ints,
    arc_start: Ints,
    arc_target: Ints,
    arc_class: Ints,
    weights: Floats,
    accepting: Bools,
    inside: Floats,
) -> None:
    """Fill `inside (R, n, n)`: mass of each rule from one place to another, from the last place backwards.

    A rule begins only with rules of higher number, so these come first.
    """
    n_places = inside.shape[1]
    for rule in range(inside.shape[0]):
        inside[rule] = -np.inf
    for begin in range(n_places - 1, -1, -1):
        for rule in range(inside.shape[0] - 1, -1, -1):
            alpha = np.empty((bounds[rule + 1] - bounds[rule], n_places))
            forward(
                rule, begin, delta, call_start, call_rule, call_back, bounds,
                arc_start, arc_target, arc_class, weights, inside, alpha,
            )  # fmt: skip
            for q in range(alpha.shape[0]):
                if accepting[bounds[rule] + q]:
                    for v in range(begin + 1, n_places):
                        inside[rule, begin, v] = _plus(inside[rule, begin, v], alpha[q, v])


@njit(cache=True)
def backward(
    rule: int,
    begin: int,
    delta: Ints,
    call_start: Ints,
    call_rule: Ints,
    call_back: Ints,
    bounds: Ints,
    arc_start: Ints,
    arc_target: Ints,
    arc_class: Ints,
    weights: Floats,
    accepting: Bools,
    inside: Floats,
    leave: Floats,
    alpha: Floats,
    outside: Floats,
    used: Floats,
) -> None:
    """What one body, entered at place `begin` and left with masses `leave (n,)`, adds to `outside` and `used`.

    `outside (R, n, n)` is what surrounds a rule from one place to another, `used (L, A)` the mass through each arc.
    """
    first, n_nodes, n_places = bounds[rule], arc_start.shape[0] - 1, alpha.shape[1]
    beta = np.full(alpha.shape, -np.inf)
    for u in range(n_places - 1, begin - 1, -1):
        i, node = u // n_nodes, u % n_nodes
        for q in range(first, bounds[rule + 1]):
            here = alpha[q - first, u]
            if here == -np.inf:
                continue
            total = leave[u] if accepting[q] else -np.inf
            for k in range(call_start[q], call_start[q + 1]):
                back, called = call_back[k] - first, call_rule[k]
                for v in range(u + 1, n_places):
                    if inside[called, u, v] > -np.inf and beta[back, v] > -np.inf:
                        total = _plus(total, inside[called, u, v] + beta[back, v])
                        outside[called, u, v] = _plus(outside[called, u, v], here + beta[back, v])
            if i < weights.shape[0]:
                for a in range(arc_start[node], arc_start[node + 1]):
                    t = delta[q, arc_class[a]]
                    if t >= 0 and weights[i, a] > -np.inf:
                        v = (i + 1) * n_nodes if arc_target[a] < 0 else i * n_nodes + arc_target[a]
                        through = weights[i, a] + beta[t - first, v]
                        total = _plus(total, through)
                        used[i, a] = _plus(used[i, a], here + through)
            beta[q - first, u] = total


@njit(cache=True)
def arc_masses(
    delta: Ints,
    call_start: Ints,
    call_rule: Ints,
    call_back: Ints,
    bounds: Ints,
    arc_start: Ints,
    arc_target: Ints,
    arc_class: Ints,
    weights: Floats,
    accepting: Bools,
    inside: Floats,
    leave: Floats,
) -> Floats:
    """`(L, A)` mass of all derivations through each arc, `leave (n,)` being what follows a text that ends at a place.

    The inside pass the other way round: bodies by the place that they begin at, callers first.
    """
    n_rules, n_places = inside.shape[0], leave.shape[0]
    outside, used = np.full(inside.shape, -np.inf), np.full(weights.shape, -np.inf)
    for begin in range(-1, n_places):
        for rule in range(n_rules if begin >= 0 else 1):
            body, place = (rule, begin) if begin >= 0 else (n_rules, 0)
            left = outside[rule, begin] if begin >= 0 else leave
            if left.max() == -np.inf:
                continue
            alpha = np.empty((bounds[body + 1] - bounds[body], n_places))
            forward(
                body, place, delta, call_start, call_rule, call_back, bounds,
                arc_start, arc_target, arc_class, weights, inside, alpha,
            )  # fmt: skip
            backward(
                body, place, delta, call_start, call_rule, call_back, bounds, arc_start, arc_target, arc_class,
                weights, accepting, inside, left, alpha, outside, used,
            )  # fmt: skip
    return used
