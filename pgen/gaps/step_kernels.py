"""Numba kernels of one step of an insertion model: exponentials, masks and sums in one pass, and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def weighed(
    log_probs: NDArray[Any],
    further: NDArray[np.int32],
    most: int,
    class_of: NDArray[np.int32],
    tokens: Floats,
    sums: Floats,
) -> float:
    """The mass of all that `log_probs (S, V)` say; what is allowed of it goes to `tokens (S, V)`, zeros before.

    A token of class c is allowed in slot g iff `further[g, c] <= most`. `sums (S,)` are those of
    what is allowed. NaN and +inf show in the result.
    """
    total = 0.0
    for slot in range(log_probs.shape[0]):
        allowed = 0.0
        for token in range(log_probs.shape[1]):
            log_prob = log_probs[slot, token]
            if log_prob != -np.inf:
                mass = np.exp(np.float64(log_prob))
                total += mass
                if further[slot, class_of[token]] <= most:
                    tokens[slot, token] = mass
                    allowed += mass
        sums[slot] = allowed
    return total


@njit(cache=True, nogil=True)
def picked(weights: Floats, uniform: float) -> int:
    """The index that `uniform`, in [0, 1), falls on when shares of the weights lie side by side."""
    target, running, last = uniform * weights.sum(), 0.0, -1
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            running += weights[i]
            last = i
            if running > target:
                break
    return last
