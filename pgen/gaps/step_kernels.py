"""Numba kernels of one step of an insertion model: exponentials, masks and sums in one pass, and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def weighed(
    log_probs: NDArray[Any], first: int, further: NDArray[np.int32], most: int, class_of: NDArray[np.int32]
) -> tuple[float, Floats, Floats]:
    """The mass of all that `log_probs` say of S slots from `first` on; what is allowed of it `(S, V)`; its sums `(S,)`.

    A token of class c is allowed in slot `first` + g iff `further[g, c] <= most`. NaN and +inf show in the mass of all.
    """
    n_slots, n_tokens, total = further.shape[0], log_probs.shape[1], 0.0
    tokens, sums = np.zeros((n_slots, n_tokens)), np.zeros(n_slots)
    for slot in range(n_slots):
        for token in range(n_tokens):
            log_prob = log_probs[first + slot, token]
            if log_prob != -np.inf:
                mass = np.exp(np.float64(log_prob))
                total += mass
                if further[slot, class_of[token]] <= most:
                    tokens[slot, token] = mass
                    sums[slot] += mass
    return total, tokens, sums


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
