"""Resampling schemes: M ancestors (default N) from N normalised weights, each unbiased (E[count_i] = M w_i).

Multinomial, residual, stratified and systematic as compared by Douc, Cappé and
Moulines, "Comparison of resampling schemes for particle filtering" (2005).
O(M) after the O(N) cumulative sum. A scheme is a function `(rng, weights, count) ->
ancestors`; all randomness goes through `rng.uniform` with the breakpoints at
which the result changes, so that the schemes can be enumerated.

`without_replacement` is for more candidates than places, where copies would be waste
(Fearnhead and Clifford, "On-line inference for hidden Markov models via particle
filters", 2003): survivors are distinct and carry weights of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgen.sampling.rng import Rng

Weights = NDArray[np.float64]
Ancestors = NDArray[np.int64]


class Resampler(Protocol):
    """A scheme."""

    def __call__(self, rng: Rng, weights: Weights, count: int | None = None) -> Ancestors:
        """`(count,)` indices of `weights (N,)`; as many as there are weights by default."""
        ...


def multinomial(rng: Rng, weights: Weights, count: int | None = None) -> Ancestors:
    """Independent draws."""
    cumulative = _cumulative(weights)
    points = [rng.at(i).uniform(lambda: cumulative) for i in range(len(weights) if count is None else count)]
    return _invert(cumulative, np.array(points))


def stratified(rng: Rng, weights: Weights, count: int | None = None) -> Ancestors:
    """One draw in each of the M strata [i/M, (i+1)/M)."""
    cumulative = _cumulative(weights)
    count = len(weights) if count is None else count
    points = [(i + rng.at(i).uniform(lambda i=i: _within(cumulative, count, i))) / count for i in range(count)]  # type: ignore[misc]
    return _invert(cumulative, np.array(points))


def systematic(rng: Rng, weights: Weights, count: int | None = None) -> Ancestors:
    """One offset shared by all strata."""
    cumulative = _cumulative(weights)
    count = len(weights) if count is None else count
    offset = rng.uniform(lambda: np.unique(np.append((count * cumulative) % 1.0, 1.0)))
    return _invert(cumulative, (np.arange(count) + offset) / count)


def residual(rng: Rng, weights: Weights, count: int | None = None) -> Ancestors:
    """floor(M w_i) copies of i for certain, the rest drawn independently from what is left."""
    count = len(weights) if count is None else count
    # The small slack keeps 0.9999999999 M w from losing a copy that is certain.
    certain = np.floor(count * weights + 1e-9).astype(np.int64)
    kept = np.repeat(np.arange(len(weights)), certain)
    left = count - len(kept)
    if left <= 0:
        return kept[:count]
    cumulative = _cumulative(np.maximum(count * weights - certain, 0.0))
    points = [rng.at(i).uniform(lambda: cumulative) for i in range(left)]
    return np.concatenate([kept, _invert(cumulative, np.array(points))])


class Survivors(NamedTuple):
    """Distinct candidates `indices (n,)`, ascending, with log weights `(n,)` whose expectation is the old weight."""

    indices: Ancestors
    log_weights: NDArray[np.float64]


def without_replacement(rng: Rng, log_weights: NDArray[np.float64], count: int) -> Survivors:
    """At most `count` of M candidates, without copies: E[weight after] = weight before, for each of them.

    With c such that sum of min(1, w / c) = `count`, candidates of weight c or more survive
    as they are; the others survive with probability w / c (systematic sampling) and get
    weight c, which has the least variance among unbiased schemes. O(M log M).
    """
    positive = np.flatnonzero(log_weights > -np.inf)
    if len(positive) <= count:
        return Survivors(positive, log_weights[positive])
    order = positive[np.argsort(-log_weights[positive], kind="stable")]
    top = float(log_weights[order[0]])
    weights = np.exp(log_weights[order] - top)  # (M,) falling, linear
    rest = np.cumsum(weights[::-1])[::-1]  # rest[i]: weight of the candidates from i on
    thresholds = rest[:count] / np.arange(count, 0, -1)
    n_certain = int(np.argmax(weights[:count] < thresholds * (1 + 1e-12)))
    chosen = _distinct(rng, weights[n_certain:], count - n_certain)
    log_threshold = top + float(np.log(thresholds[n_certain]))
    indices = np.concatenate([order[:n_certain], order[n_certain:][chosen]])
    kept = np.concatenate([log_weights[order[:n_certain]], np.full(len(chosen), log_threshold)])
    ascending = np.argsort(indices)
    return Survivors(indices[ascending], kept[ascending])


def _distinct(rng: Rng, weights: Weights, count: int) -> Ancestors:
    """`count` different indices, i with probability count * w_i / sum, which is at most 1."""
    expected = count * _cumulative(weights)
    offset = rng.uniform(lambda: np.unique(np.append(expected % 1.0, 1.0)))
    return np.searchsorted(expected, np.arange(count) + offset, side="right").astype(np.int64)


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
