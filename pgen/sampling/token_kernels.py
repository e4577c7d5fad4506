"""Numba kernel of one masked step: the mass of what is allowed, and one draw from it, per particle.

For particle b with mask M_b, stop mass c_b (see `StopMass`) and model
probabilities p: weight W_b = c_b + sum of p(v) over v in M_b, and a draw from
(stop, tokens in M_b) proportional to its terms, by inverse CDF in float64 (a
float32 CDF or Gumbel is measurably wrong below 1e-6). Order of the CDF: stop
first, then tokens by id. O(V) per particle, words of the mask that are zero are
skipped. `pgen.sampling.token_step.reference_step` is the same in numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def masked_sum(weights: NDArray[Any], mask: NDArray[np.uint32]) -> float:
    """Sum in float64 of the weights `(V,)` whose bit is set in `mask`."""
    total = 0.0
    size = weights.shape[0]
    for word in range(mask.shape[0]):
        bits = mask[word]
        if bits == 0:
            continue
        base = word * 32
        for offset in range(min(32, size - base)):
            if (bits >> np.uint32(offset)) & np.uint32(1):
                total += float(weights[base + offset])
    return total


@njit(cache=True, nogil=True)
def _invert(weights: NDArray[Any], mask: NDArray[np.uint32], target: float) -> int:
    """The first token whose running masked sum passes `target`; the last one with mass if rounding leaves none."""
    running, last = 0.0, -2
    size = weights.shape[0]
    for word in range(mask.shape[0]):
        bits = mask[word]
        if bits == 0:
            continue
        base = word * 32
        for offset in range(min(32, size - base)):
            if (bits >> np.uint32(offset)) & np.uint32(1):
                weight = float(weights[base + offset])
                if weight > 0.0:
                    running += weight
                    last = base + offset
                    if running > target:
                        return last
    return last


@njit(cache=True, nogil=True)
def step_kernel(
    weights: NDArray[Any],
    totals: NDArray[np.float64],
    rows: NDArray[np.int64],
    masks: NDArray[np.uint32],
    leaving: NDArray[np.uint32],
    stop_kinds: NDArray[np.int8],
    uniforms: NDArray[np.float64],
    tokens: NDArray[np.int64],
    log_weights: NDArray[np.float64],
) -> None:
    """Fill `tokens` (-1: stop, -2: dead) and `log_weights`, both `(B,)`; arguments as in `token_step.step`."""
    for b in range(rows.shape[0]):
        row = weights[rows[b]]
        stop = 0.0
        if stop_kinds[b] == 1:
            stop = masked_sum(row, leaving[b])
        elif stop_kinds[b] == 2:
            stop = totals[rows[b]]
        mass = stop + masked_sum(row, masks[b])
        if not mass > 0.0:
            tokens[b] = -2
            log_weights[b] = -np.inf
            continue
        log_weights[b] = np.log(mass / totals[rows[b]])
        target = uniforms[b] * mass - stop
        tokens[b] = -1 if target < 0.0 else _invert(row, masks[b], target)
        if tokens[b] == -2:
            tokens[b] = -1
