"""Sums and normalisation of log weights in float64; the one place that handles -inf."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def log_sum_exp(log_values: ArrayLike | Iterable[float]) -> float:
    """log of the sum of exp; -inf for no values or all -inf."""
    values = np.asarray(log_values if isinstance(log_values, np.ndarray) else list(log_values), np.float64)  # type: ignore[arg-type]
    top = float(values.max()) if values.size else -math.inf
    if not math.isfinite(top):
        return top
    return top + math.log(float(np.exp(values - top).sum()))


def normalized(log_weights: ArrayLike) -> NDArray[np.float64]:
    """Probabilities proportional to exp(log_weights); all zero if every weight is zero."""
    values = np.asarray(log_weights, np.float64)
    top = values.max() if values.size else -math.inf
    if not math.isfinite(top):
        return np.zeros_like(values)
    weights = np.exp(values - top)
    return np.asarray(weights / weights.sum(), np.float64)


def effective_sample_size(log_weights: ArrayLike) -> float:
    """Kish's (sum w)^2 / sum w^2; 0 if every weight is zero."""
    probabilities = normalized(log_weights)
    square = float(np.square(probabilities).sum())
    return 1.0 / square if square > 0 else 0.0


def log_or_ninf(value: float) -> float:
    """log, with log 0 = -inf."""
    return math.log(value) if value > 0 else -math.inf
