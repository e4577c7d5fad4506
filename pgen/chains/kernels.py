"""Numba kernels of sum-product over positions, in numbers of unlimited range.

A mass is a pair (m, e) for m 2^e, with m a float64 kept between 2^-200 and 2^200 and e
an integer: no logarithms in the inner loop, and nothing underflows however long the
canvas. Terms more than 2^1000 below the largest of their sum are dropped (they are below
2^-200 of it). Places run from 0 to L; position i lies between places i and i + 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

POWERS = 2.0 ** -np.arange(1024, dtype=np.float64)
NOWHERE = -(2**30)
"""The exponent of zero."""
LARGE, SMALL, LEAST = 2.0**200, 2.0**-200, 2.0**-800
TINY, HUGE = 1e-30, 1e30
"""Sums of single-precision exponentials in between have lost nothing."""
UNEVEN = 2**30
"""In place of an exponent that all masses of a place share."""
SIX, LOW_BITS, ONE = np.uint64(6), np.uint64(63), np.uint64(1)
BROKEN = 1
"""A row of marginals holds NaN."""
LANES = 4
"""Rows summed side by side: an addition need not wait for the one before it."""


@njit(inline="always")
def _stored(mantissa: Floats, exponent: Ints, at: int, value: float, power: int) -> None:
    """Put `value 2^power` at a place, normalised if it must be."""
    if value == 0.0:
        mantissa[at], exponent[at] = 0.0, NOWHERE
        return
    while value <= SMALL:
        value, power = value * LARGE, power - 200
    while value >= LARGE:
        value, power = value * SMALL, power + 200
    mantissa[at], exponent[at] = value, power


@njit(inline="always")
def _shifted(value: float, power: int) -> float:
    """`value 2^power` for a power of at most 0."""
    return value * POWERS[-power] if power > -1000 else 0.0


@njit(cache=True)
def class_masses(
    rows: NDArray[np.floating[Any]],
    weights: NDArray[np.floating[Any]],
    class_of: Ints,
    bounds: Ints,
    tokens: Ints,
    places: NDArray[np.int64],
    mantissa: Floats,
    exponent: Ints,
) -> int:
    """Sum the exponentials of `rows (L, V)` at `places (n,)` by class into `mantissa, exponent (L, C)`, but class 0.

    `weights (n, V)` are these exponentials as far as they have the range, `bounds, tokens` list
    the tokens by class for where they have not. Returns `BROKEN` on NaN, else 0.
    """
    sums = np.empty((mantissa.shape[1], LANES))
    for first in range(0, weights.shape[0], LANES):
        sums[:] = 0.0
        _side_by_side(weights, class_of, first, sums)
        for i in range(first, min(first + LANES, weights.shape[0])):
            at = places[i]
            for c in range(1, mantissa.shape[1]):
                total = sums[c, i - first]
                if TINY < total < HUGE:
                    mantissa[at, c], exponent[at, c] = total, 0
                elif total == total:
                    _exactly_summed(rows[at], bounds[c], bounds[c + 1], tokens, mantissa[at], exponent[at], c)
                else:
                    return BROKEN
            if sums[0, i - first] != sums[0, i - first]:
                return BROKEN
    return 0


@njit(inline="always")
def _side_by_side(weights: NDArray[np.floating[Any]], class_of: Ints, first: int, sums: Floats) -> None:
    """Add up to `LANES` rows from `first` on to `sums (C, LANES)`."""
    if first + LANES <= weights.shape[0]:
        one, two, three, four = weights[first], weights[first + 1], weights[first + 2], weights[first + 3]
        for v in range(weights.shape[1]):
            # An unsigned index: for signed ones numba checks for negative values.
            c = np.uint64(class_of[v])
            sums[c, 0] += one[v]
            sums[c, 1] += two[v]
            sums[c, 2] += three[v]
            sums[c, 3] += four[v]
        return
    for i in range(first, weights.shape[0]):
        row, lane = weights[i], np.uint64(i - first)
        for v in range(weights.shape[1]):
            sums[np.uint64(class_of[v]), lane] += row[v]


@njit(cache=True)
def has_empty(mantissa: Floats, fixed: Ints) -> bool:
    """Whether a class but 0 has no mass at an open position; `mantissa (L, C)`."""
    for i in range(mantissa.shape[0]):
        if fixed[i] < 0:
            for c in range(1, mantissa.shape[1]):
                if mantissa[i, c] == 0.0:
                    return True
    return False


@njit(cache=True)
def _exactly_summed(
    row: NDArray[np.floating[Any]],
    first: int,
    last: int,
    tokens: Ints,
    mantissa: Floats,
    exponent: Ints,
    c: int,
) -> None:
    """The sum of exponentials of one class, whatever their range."""
    top, total = -np.inf, 0.0
    for k in range(first, last):
        top = max(top, np.float64(row[tokens[k]]))
    if top == -np.inf:
        mantissa[c], exponent[c] = 0.0, NOWHERE
        return
    for k in range(first, last):
        total += math.exp(np.float64(row[tokens[k]]) - top)
    power = top * 1.4426950408889634
    whole = math.floor(power)
    mantissa[c], exponent[c] = total * 2.0 ** (power - whole), np.int32(whole)


@njit(cache=True)
def label_masses(
    mantissa: Floats, exponent: Ints, label_start: Ints, label_class: Ints, whole: int, into: Floats, powers: Ints
) -> None:
    """Add class masses `(L, C)` up to label masses `(L, K)`; label `whole` has mass 1."""
    for i in range(mantissa.shape[0]):
        for k in range(label_start.shape[0] - 1):
            if k == whole:
                into[i, k], powers[i, k] = 1.0, 0
                continue
            first, last, top, total, plain = label_start[k], label_start[k + 1], NOWHERE, 0.0, True
            for j in range(first, last):
                c = np.uint64(label_class[j])
                total += mantissa[i, c]
                plain &= exponent[i, c] == 0 or mantissa[i, c] == 0.0
            if plain:
                _stored(into[i], powers[i], k, total, 0)
                continue
            total = 0.0
            for j in range(first, last):
                top = max(top, exponent[i, label_class[j]])
            for j in range(first, last):
                c = label_class[j]
                if mantissa[i, c] != 0.0:
                    total += _shifted(mantissa[i, c], exponent[i, c] - top)
            _stored(into[i], powers[i], k, total, top)


@njit(cache=True)
def reachable(
    start: Ints,
    target: Ints,
    label: Ints,
    delta: Ints,
    successors: Words,
    bounds: Ints,
    states: Ints,
    fixed: Ints,
    label_mantissa: Floats,
    begin: int,
    into_bounds: Ints,
    into: Ints,
) -> None:
    """Of the `states` in question at each place, those that some filling of the canvas comes to from `begin`.

    `successors (S, W)` are the targets of a state's edges, as bits. `into_bounds (L + 2,)` and `into` list the
    states found as `bounds, states` do.
    """
    marked = np.zeros(successors.shape[1], np.uint64)
    _mark(marked, begin)
    into_bounds[0] = count = 0
    for i in range(fixed.shape[0] + 1):
        for at in range(bounds[i], bounds[i + 1]):
            s = np.uint64(states[at])
            if marked[s >> SIX] >> (s & LOW_BITS) & ONE:
                into[count] = states[at]
                count += 1
        into_bounds[i + 1] = count
        if i == fixed.shape[0]:
            break
        marked[:] = 0
        if fixed[i] < 0 and label_mantissa[i].min() > 0.0:
            for at in range(into_bounds[i], count):
                s = np.uint64(into[at])
                for w in range(marked.shape[0]):
                    marked[w] |= successors[s, w]
            continue
        for at in range(into_bounds[i], count):
            s = into[at]
            if fixed[i] >= 0:
                if delta[s, fixed[i]] >= 0:
                    _mark(marked, delta[s, fixed[i]])
                continue
            for e in range(start[s], start[s + 1]):
                if label_mantissa[i, label[e]] != 0.0:
                    _mark(marked, target[e])


@njit(inline="always")
def _mark(marked: Words, state: int) -> None:
    s = np.uint64(state)
    marked[s >> SIX] |= ONE << (s & LOW_BITS)


@njit(cache=True)
def backward(
    start: Ints,
    target: Ints,
    label: Ints,
    delta: Ints,
    bounds: Ints,
    states: Ints,
    fixed: Ints,
    label_mantissa: Floats,
    label_exponent: Ints,
    first: int,
    last: int,
    mantissa: Floats,
    exponent: Ints,
) -> None:
    """Fill places `last - 1 .. first` of the backward messages `(L + 1, S)` from place `last`.

    `fixed (L,)` is the class of a committed position, -1 if open; `bounds, states` list
    the states in question at each place, all others get 0.
    """
    ahead = np.zeros(mantissa.shape[1])
    level = _levelled(mantissa[last], exponent[last], states[bounds[last] : bounds[last + 1]], ahead)
    for i in range(last - 1, first - 1, -1):
        mantissa[i, :], exponent[i, :] = 0.0, NOWHERE
        here = states[bounds[i] : bounds[i + 1]]
        if fixed[i] >= 0:
            for s in here:
                t = delta[s, fixed[i]]
                if t >= 0:
                    mantissa[i, s], exponent[i, s] = mantissa[i + 1, t], exponent[i + 1, t]
        elif level != UNEVEN and _are_plain(label_mantissa[i], label_exponent[i]):
            for k in range(here.shape[0]):
                s, total = np.uint64(here[k]), 0.0
                for e in range(np.uint64(start[s]), np.uint64(start[s + 1])):
                    total += label_mantissa[i, np.uint64(label[e])] * ahead[np.uint64(target[e])]
                _stored(mantissa[i], exponent[i], s, total, level)
        else:
            for s in here:
                top, total = NOWHERE, 0.0
                for e in range(np.uint64(start[s]), np.uint64(start[s + 1])):
                    t, edge_label = np.uint64(target[e]), np.uint64(label[e])
                    value = label_mantissa[i, edge_label] * mantissa[i + 1, t]
                    if value == 0.0:
                        continue
                    power = label_exponent[i, edge_label] + exponent[i + 1, t]
                    if power > top:
                        total, top = _shifted(total, top - power) + value, power
                    else:
                        total += _shifted(value, power - top)
                _stored(mantissa[i], exponent[i], s, total, top)
        ahead[:] = 0.0
        level = _levelled(mantissa[i], exponent[i], here, ahead)


@njit(cache=True)
def _are_plain(mantissa: Floats, exponent: Ints) -> bool:
    """Whether no mass needs its exponent."""
    needed = 0
    for k in range(mantissa.shape[0]):
        needed += exponent[k] != 0 and mantissa[k] != 0.0
    return needed == 0


@njit(cache=True)
def _levelled(mantissa: Floats, exponent: Ints, states: Ints, into: Floats) -> int:
    """Write the masses of `states` as multiples of 2 to one power and return it; `UNEVEN` if they differ too much."""
    level = NOWHERE
    for k in range(states.shape[0]):
        level = max(level, exponent[np.uint64(states[k])])
    for k in range(states.shape[0]):
        s = np.uint64(states[k])
        if mantissa[s] != 0.0:
            into[s] = _shifted(mantissa[s], exponent[s] - level)
            if into[s] < LEAST:
                return UNEVEN
    return level if level != NOWHERE else 0


@njit(cache=True)
def forward(
    start: Ints,
    target: Ints,
    label: Ints,
    delta: Ints,
    bounds: Ints,
    states: Ints,
    fixed: Ints,
    label_mantissa: Floats,
    label_exponent: Ints,
    mantissa: Floats,
    exponent: Ints,
) -> None:
    """Fill places 1 .. L of the forward messages `(L + 1, S)` from place 0."""
    for i in range(fixed.shape[0]):
        mantissa[i + 1, :], exponent[i + 1, :] = 0.0, NOWHERE
        for at in range(bounds[i], bounds[i + 1]):
            s = states[at]
            if mantissa[i, s] == 0.0:
                continue
            if fixed[i] >= 0:
                t = delta[s, fixed[i]]
                if t >= 0:
                    _added(mantissa[i + 1], exponent[i + 1], t, mantissa[i, s], exponent[i, s])
                continue
            for e in range(start[s], start[s + 1]):
                k = label[e]
                value = label_mantissa[i, k] * mantissa[i, s]
                if value != 0.0:
                    power = label_exponent[i, k] + exponent[i, s]
                    _added(mantissa[i + 1], exponent[i + 1], target[e], value, power)


@njit(inline="always")
def _added(mantissa: Floats, exponent: Ints, at: int, value: float, power: int) -> None:
    """Add `value 2^power` to what stands at a place."""
    if power > exponent[at]:
        value, power = value + _shifted(mantissa[at], exponent[at] - power), power
    else:
        value, power = mantissa[at] + _shifted(value, power - exponent[at]), exponent[at]
    _stored(mantissa, exponent, at, value, power)


@njit(cache=True)
def class_ratios(
    delta: Ints,
    bounds: Ints,
    states: Ints,
    alpha: Floats,
    alpha_power: Ints,
    beta: Floats,
    beta_power: Ints,
    mass: float,
    mass_power: int,
    into: Floats,
) -> None:
    """For each position and class, `into (L, C)`: log of the mass of all that surrounds it, over the total."""
    log_two = 0.6931471805599453
    for i in range(into.shape[0]):
        for c in range(into.shape[1]):
            top, total = NOWHERE, 0.0
            for at in range(bounds[i], bounds[i + 1]):
                s = states[at]
                t = delta[s, c]
                if t < 0 or alpha[i, s] == 0.0 or beta[i + 1, t] == 0.0:
                    continue
                value, power = alpha[i, s] * beta[i + 1, t], alpha_power[i, s] + beta_power[i + 1, t]
                if power > top:
                    total, top = _shifted(total, top - power) + value, power
                else:
                    total += _shifted(value, power - top)
            into[i, c] = math.log(total / mass) + (top - mass_power) * log_two if total > 0.0 else -np.inf


@njit(cache=True)
def trace(
    start: Ints,
    target: Ints,
    label: Ints,
    delta: Ints,
    fixed: Ints,
    label_mantissa: Floats,
    label_exponent: Ints,
    mantissa: Floats,
    exponent: Ints,
    uniforms: Floats,
    state: int,
    path: Ints,
    taken: Ints,
) -> None:
    """Draw the states `path (n + 1,)` and edges `taken (n,)` of the first n positions; uniform i decides position i."""
    path[0] = state
    for i in range(taken.shape[0]):
        s = path[i]
        if fixed[i] >= 0:
            taken[i], path[i + 1] = -1, delta[s, fixed[i]]
            continue
        goal, last = uniforms[i] * mantissa[i, s], -1
        for e in range(start[s], start[s + 1]):
            t, k = target[e], label[e]
            value = label_mantissa[i, k] * mantissa[i + 1, t]
            if value == 0.0:
                continue
            power = label_exponent[i, k] + exponent[i + 1, t] - exponent[i, s]
            last = e
            goal -= _shifted(value, power) if power <= 0 else value * 2.0**power
            if goal < 0.0:
                break
        taken[i], path[i + 1] = last, target[last]


@njit(cache=True)
def pick(
    row: NDArray[np.floating[Any]],
    bounds: Ints,
    tokens: Ints,
    classes: Ints,
    uniform: float,
) -> int:
    """A token of some classes, proportional to the exponential of its entry in `row (V,)`."""
    top, total, last = -np.inf, 0.0, -1
    for c in classes:
        for j in range(bounds[c], bounds[c + 1]):
            top = max(top, np.float64(row[tokens[j]]))
    for c in classes:
        for j in range(bounds[c], bounds[c + 1]):
            total += math.exp(np.float64(row[tokens[j]]) - top)
    goal = uniform * total
    for c in classes:
        for j in range(bounds[c], bounds[c + 1]):
            weight = math.exp(np.float64(row[tokens[j]]) - top)
            if weight > 0.0:
                last = tokens[j]
                goal -= weight
                if goal < 0.0:
                    return int(last)
    return int(last)
