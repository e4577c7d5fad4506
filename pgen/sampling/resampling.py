"""Resampling schemes: N ancestors from N normalised weights, each unbiased (E[count_i] = N w_i).

Multinomial, residual, stratified and systematic as compared by Douc, Cappé and
Moulines, "Comparison of resampling schemes for particle filtering" (2005).
O(N) after the O(N) cumulative sum. A scheme is a function `(rng, weights) ->
ancestors`; all randomness goes through `rng.uniform` with the breakpoints at
which the result changes, so that the schemes can be enumerated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pgen.sampling.rng import Rng

Weights = NDArray[np.float64]
Ancestors = NDArray[np.int64]
Resampler = Callable[[Rng, Weights], Ancestors]


def multinomial(rng: Rng, weights: Weights) -> Ancestors:
    """N independent draws."""
    cumulative = _cumulative(weights)
    points = [rng.at(i).uniform(lambda: cumulative) for i in range(len(weights))]
    return _invert(cumulative, np.array(points))


def stratified(rng: Rng, weights: Weights) -> Ancestors:
    """One draw in each of the N strata [i/N, (i+1)/N)."""
    count, cumulative = len(weights), _cumulative(weights)
    points = [(i + rng.at(i).uniform(lambda i=i: _within(cumulative, count, i))) / count for i in range(count)]  # type: ignore[misc]
    return _invert(cumulative, np.array(points))


def systematic(rng: Rng, weights: Weights) -> Ancestors:
    """One offset shared by all strata."""
    count, cumulative = len(weights), _cumulative(weights)
    offset = rng.uniform(lambda: np.unique(np.append((count * cumulative) % 1.0, 1.0)))
    return _invert(cumulative, (np.arange(count) + offset) / count)


def residual(rng: Rng, weights: Weights) -> Ancestors:
    """floor(N w_i) copies of i for certain, the rest drawn independently from what is left."""
    count = len(weights)
    # The small slack keeps 0.9999999999 N w from losing a copy that is certain.
    certain = np.floor(count * weights + 1e-9).astype(np.int64)
    kept = np.repeat(np.arange(count), certain)
    left = count - len(kept)
    if left <= 0:
        return kept[:count]
    cumulative = _cumulative(np.maximum(count * weights - certain, 0.0))
    points = [rng.at(i).uniform(lambda: cumulative) for i in range(left)]
    return np.concatenate([kept, _invert(cumulative, np.array(points))])


def _cumulative(weights: Weights) -> Weights:
    sums = np.cumsum(weights, dtype=np.float64)
    return np.asarray(sums / sums[-1], np.float64)


def _within(cumulative: Weights, count: int, stratum: int) -> Weights:
    inside = cumulative * count - stratum
    return np.unique(np.append(inside[(inside > 0) & (inside < 1)], 1.0))


def _invert(cumulative: Weights, points: Weights) -> Ancestors:
    # side="right" never lands on a zero-weight particle: its interval is empty.
    return np.searchsorted(cumulative, points, side="right").astype(np.int64)


RESAMPLERS: Mapping[str, Resampler] = MappingProxyType(
    {"systematic": systematic, "stratified": stratified, "multinomial": multinomial, "residual": residual}
)
