"""Pareto k-hat: how heavy the tail of the importance weights is.

A generalised Pareto distribution is fitted to the largest weights (Vehtari, Simpson, Gelman, Yao
and Gabry, "Pareto smoothed importance sampling", JMLR 2024; the fit is that of Zhang and
Stephens, "A new and efficient estimation method for the generalized Pareto distribution",
Technometrics 2009). Moments of order 1/k and above do not exist: up to 0.5 the variance of
averages is finite, up to 0.7 they can be used in practice, above 1 the mean is infinite.
O(N log N) for N weights.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgen.sampling.logspace import normalized

FEWEST = 25
"""Weights below which the tail holds fewer than five and is not fitted."""
_PRIOR_WEIGHT = 10
"""Observations that the prior guess k = 1/2 counts for."""


def pareto_k(log_weights: NDArray[np.float64]) -> float:
    """The shape k of the tail of the weights `(N,)`.

    The tail has min(N / 5, 3 sqrt N) weights. NaN for fewer than 25 weights, -inf where the
    tail's weights are all equal and there is nothing to fit.
    """
    count = len(log_weights)
    if count < FEWEST:
        return math.nan
    ordered = np.sort(normalized(log_weights))
    n_tail = math.ceil(min(0.2 * count, 3 * math.sqrt(count)))
    excess = ordered[-n_tail:] - ordered[-n_tail - 1]
    positive = excess[excess > 1e-12 * ordered[-1]]
    return tail_shape(positive) if len(positive) >= 5 else -math.inf


def tail_shape(excess: NDArray[np.float64]) -> float:
    """The shape of a generalised Pareto distribution with location 0, from ascending positive values `(n,)`."""
    count = len(excess)
    n_grid = 30 + math.isqrt(count)
    quartile = excess[int(count / 4 + 0.5) - 1]
    spacing = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))  # (G,)
    rates = spacing / (3.0 * quartile) + 1.0 / excess[-1]
    shapes = np.log1p(-rates[:, None] * excess).mean(axis=1)  # (G,)
    log_likelihoods = count * (np.log(-rates / shapes) - shapes - 1.0)
    rate = float(normalized(log_likelihoods) @ rates)
    shape = float(np.log1p(-rate * excess).mean())
    return (count * shape + _PRIOR_WEIGHT * 0.5) / (count + _PRIOR_WEIGHT)
