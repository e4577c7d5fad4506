"""Numba kernel of one layer of Llama and its like, for a few tokens and coded weights.

RMS norm, rotary positions, grouped attention to cached keys and values, gated MLP (Touvron et al., "LLaMA", 2023).
A library computes a layer in some sixty operations of a few microseconds each, which for few tokens
of a small model takes longer than the arithmetic; here it is one call. O(weights + rows · (weights / LANES + used)).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.backends.autoregressive.coded_kernels import Codes, Floats, linear

Ints = NDArray[np.int64]

LOG2_E, LN_2_HIGH, LN_2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
C_7, C_6, C_5 = np.float32(1.9875691e-4), np.float32(1.3981999e-3), np.float32(8.3334519e-3)
C_4, C_3, C_2 = np.float32(4.1665795e-2), np.float32(0.16666665), np.float32(0.5)
"""Coefficients of a polynomial like exp for |x| up to log(2) / 2 (Moshier, "Cephes")."""


class Weight(NamedTuple):
    """A coded weight, as `linear` takes it."""

    codes: Codes
    scales: Floats
    offsets: Floats
    bias: Floats


class LayerWeights(NamedTuple):
    """The weights of a layer, in the order of their use."""

    before_attention: Floats
    query: Weight
    key: Weight
    value: Weight
    joined: Weight
    before_mlp: Floats
    gate: Weight
    up: Weight
    down: Weight


class Seats(NamedTuple):
    """Where R tokens have their keys and values, `rows` and `slots (R,)`, and what they see, `visible (R, used)`."""

    rows: Ints
    slots: Ints
    visible: NDArray[np.bool_]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def normed(hidden: Floats, weight: Floats, epsilon: float) -> Floats:
    """`hidden (R, E)` over the root of its mean square, times `weight (E,)`."""
    found = np.empty_like(hidden)
    n_rows, size = hidden.shape
    for i in range(n_rows):
        total = np.float32(0.0)
        for k in range(size):
            total += hidden[i, k] * hidden[i, k]
        factor = np.float32(1.0 / math.sqrt(total / size + epsilon))
        for k in range(size):
            found[i, k] = hidden[i, k] * factor * weight[k]
    return found


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def exponentiate(values: Floats, powers: NDArray[np.int32]) -> None:
    """exp of `values` in place, to 2e-7 of itself, from e^-64 up; `powers` is memory of the same size.

    Loops of a form that compilers turn into vectors.
    """
    for k in range(values.size):
        value = min(max(values[k], np.float32(-64.0)), np.float32(88.0))
        power = np.floor(value * LOG2_E + np.float32(0.5))
        rest = value - power * LN_2_HIGH - power * LN_2_LOW
        total = ((((C_7 * rest + C_6) * rest + C_5) * rest + C_4) * rest + C_3) * rest + C_2
        values[k] = total * rest * rest + rest + np.float32(1.0)
        powers[k] = (np.int32(power) + np.int32(127)) << np.int32(23)
    scales = powers.view(np.float32)
    for k in range(values.size):
        values[k] *= scales[k]


@njit(inline="always")
def _product(weight: Weight, rows: Floats) -> Floats:
    found = np.empty((rows.shape[0], weight.bias.shape[0]), np.float32)
    linear(weight.codes, weight.scales, weight.offsets, weight.bias, rows, found)
    return found


@njit(cache=True, nogil=True)
def _rotate(states: Floats, cos: Floats, sin: Floats) -> None:
    """Turn the heads of `states (R, heads · D)` in place by angles `(R, D)`."""
    dim = cos.shape[1]
    half = dim // 2
    for i in range(states.shape[0]):
        for start in range(0, states.shape[1], dim):
            for k in range(half):
                first, second = states[i, start + k], states[i, start + half + k]
                states[i, start + k] = first * cos[i, k] - second * sin[i, k]
                states[i, start + half + k] = second * cos[i, half + k] + first * sin[i, half + k]


@njit(cache=True, nogil=True)
def _store(states: Floats, cached: NDArray[np.float32], seats: Seats) -> None:
    """Write `states (R, key heads · D)` to their seats in `cached (rows, key heads, capacity, D)`."""
    dim = cached.shape[3]
    for i in range(states.shape[0]):
        for head in range(cached.shape[1]):
            cached[seats.rows[i], head, seats.slots[i]] = states[i, head * dim : (head + 1) * dim]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _shares(query: Floats, keys: Floats, seen: Ints, shares: Floats, powers: NDArray[np.int32]) -> None:
    """Fill `shares (n,)` with what a head's `query (D,)` gives to the slots `seen (n,)` of `keys (capacity, D)`."""
    highest, factor = np.float32(-np.inf), np.float32(1.0 / math.sqrt(query.shape[0]))
    for n in range(seen.shape[0]):
        score, slot = np.float32(0.0), seen[n]
        for k in range(query.shape[0]):
            score += query[k] * keys[slot, k]
        shares[n] = score * factor
        highest = max(highest, shares[n])
    for n in range(seen.shape[0]):
        shares[n] -= highest
    exponentiate(shares, powers)
    total = np.float32(0.0)
    for n in range(seen.shape[0]):
        total += shares[n]
    for n in range(seen.shape[0]):
        shares[n] /= total


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _mix(values: Floats, seen: Ints, shares: Floats, mixed: Floats) -> None:
    """Add to `mixed (D,)` the shares of `values (capacity, D)`."""
    for n in range(seen.shape[0]):
        share, slot = shares[n], seen[n]
        for k in range(mixed.shape[0]):
            mixed[k] += share * values[slot, k]


@njit(cache=True, nogil=True)
def _attended(queries: Floats, keys: Floats, values: Floats, seats: Seats) -> Floats:
    """What each of R tokens' heads sees: `(R, heads · D)`; neighbouring heads share keys."""
    dim, used = keys.shape[3], seats.visible.shape[1]
    n_heads = queries.shape[1] // dim
    sharing = n_heads // keys.shape[1]
    found, shares, powers = np.zeros_like(queries), np.empty(used, np.float32), np.empty(used, np.int32)
    for i in range(queries.shape[0]):
        seen, row = np.flatnonzero(seats.visible[i]), seats.rows[i]
        given = shares[: len(seen)]
        for head in range(n_heads):
            part = slice(head * dim, (head + 1) * dim)
            _shares(queries[i, part], keys[row, head // sharing], seen, given, powers)
            _mix(values[row, head // sharing], seen, given, found[i, part])
    return found


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _activate(gates: Floats, ups: Floats) -> None:
    """SiLU of the gates times `ups`, in place."""
    powers = np.empty(gates.shape[1], np.int32)
    for i in range(gates.shape[0]):
        opened = -gates[i]
        exponentiate(opened, powers)
        for k in range(gates.shape[1]):
            gates[i, k] *= ups[i, k] / (np.float32(1.0) + opened[k])


@njit(cache=True, nogil=True)
def layer(
    hidden: Floats,
    weights: LayerWeights,
    cos: Floats,
    sin: Floats,
    keys: Floats,
    values: Floats,
    seats: Seats,
    epsilon: float,
) -> None:
    """Add what a layer says to `hidden (R, E)`, and the tokens' states to `keys` and `values`; angles are `(R, D)`."""
    rows = normed(hidden, weights.before_attention, epsilon)
    queries, new_keys = _product(weights.query, rows), _product(weights.key, rows)
    _rotate(queries, cos, sin)
    _rotate(new_keys, cos, sin)
    _store(new_keys, keys, seats)
    _store(_product(weights.value, rows), values, seats)
    hidden += _product(weights.joined, _attended(queries, keys, values, seats))
    rows = normed(hidden, weights.before_mlp, epsilon)
    gates = _product(weights.gate, rows)
    _activate(gates, _product(weights.up, rows))
    hidden += _product(weights.down, gates)
