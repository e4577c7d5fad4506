"""Whether chains have converged: split R-hat, autocorrelation, effective sample size.

Series have the shape `(chains, steps)`. Split R-hat compares the variance between
half chains with the one within them (Gelman et al., "Bayesian Data Analysis", 3rd ed.,
section 11.4); the effective sample size sums autocorrelations up to the first pair
with a negative sum, made monotone (Geyer, "Practical Markov chain Monte Carlo", 1992).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def split_rhat(series: Series) -> float:
    """Near 1 where the chains agree; 1 for a constant, inf for chains that are constant and differ.

    NaN for chains of fewer than 4 steps.
    """
    half = series.shape[1] // 2
    if half < 2:
        return math.nan
    halves = np.concatenate([series[:, :half], series[:, -half:]])  # (2 chains, half)
    within = float(halves.var(axis=1, ddof=1).mean())
    between = float(halves.mean(axis=1).var(ddof=1))
    if within == 0:
        return 1.0 if between == 0 else math.inf
    return math.sqrt((half - 1) / half + between / within)


def autocorrelation(series: Series, max_lag: int) -> Series:
    """`(max_lag + 1,)`: mean over the chains of the correlation at each lag, about the mean of all; 0 for constants."""
    centred = series - series.mean()
    n_steps = series.shape[1]
    variance = float(np.square(centred).mean())
    if variance == 0:
        return np.zeros(max_lag + 1)
    products = [float((centred[:, : n_steps - lag] * centred[:, lag:]).sum()) for lag in range(max_lag + 1)]
    return np.array(products) / (variance * series.size)


def effective_draws(series: Series) -> float:
    """How many independent draws would know the mean as well; a constant counts as one draw a chain."""
    n_chains, n_steps = series.shape
    if n_steps < 4 or float(series.var()) == 0:
        return float(n_chains)
    correlations = autocorrelation(series, n_steps - 1)
    n_pairs = len(correlations) // 2
    pairs = correlations[: 2 * n_pairs].reshape(n_pairs, 2).sum(axis=1)
    positive = np.flatnonzero(pairs <= 0)
    kept = np.minimum.accumulate(pairs[: positive[0] if len(positive) else n_pairs])
    return float(series.size / max(2 * kept.sum() - 1, 1.0 / math.log10(max(series.size, 10))))
