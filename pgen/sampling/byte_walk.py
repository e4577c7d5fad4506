"""One weighted token by a walk over bytes: set sampling on the trie of the allowed tokens.

From the root, one child is drawn at each node until a leaf. The tokens that end on the path are a
random set, token v being in it with the product r(v) of the chances of the steps that lead to v.
One of them is drawn in proportion to m(v) 1[accepted] / r(v); the sum of these is the weight, so that

    E[weight * 1{v}] = P(v in the set) * m(v) / r(v) = m(v)

for every accepted token, however the steps were chosen, as long as no accepted token is out of
reach (the trie sampler of Loula et al., "Syntactic and semantic control of large language models
via sequential Monte Carlo", ICLR 2025). Only what lies on the path is tested or
scored: O(length of a token) questions instead of one a token.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.sampling.awrs import Accepted
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD

Floats = NDArray[np.float64]
Branch = Callable[[bytes, Sequence[int], Floats], Floats]
"""`(bytes so far, next bytes (k,), masses below (k,))` -> weights `(k,)` of the steps, 0 for what leads nowhere."""


def byte_walk(
    rng: Rng, spellings: Sequence[bytes], masses: Floats, branch: Branch, accepts: Callable[[int], bool]
) -> Accepted:
    """An index into `masses (n,)` (`DEAD` if none is accepted), properly weighted for the accepted ones.

    `spellings (n,)` must be sorted; empty ones (ends of the text) are in every set.
    """
    running = np.append(0.0, np.cumsum(masses))
    low, high, depth, reach, n_tests = 0, len(spellings), 0, 1.0, 0
    found: list[int] = []
    weights: list[float] = []
    while low < high:
        while low < high and len(spellings[low]) == depth:
            n_tests += 1
            if accepts(low):
                found.append(low)
                weights.append(float(masses[low]) / reach)
            low += 1
        ranges = _children(spellings, low, high, depth)
        following = [spellings[start][depth] for start, _ in ranges]
        below = np.array([running[end] - running[start] for start, end in ranges])
        shares = branch(spellings[low][:depth], following, below) if ranges else np.zeros(0)
        if not shares.sum() > 0:
            break
        chosen = draw(rng, shares)
        reach *= float(shares[chosen] / shares.sum())
        (low, high), depth = ranges[chosen], depth + 1
    if not sum(weights) > 0:
        return Accepted(DEAD, -np.inf, n_tests)
    return Accepted(found[draw(rng, np.array(weights))], log_or_ninf(sum(weights)), n_tests)


def draw(rng: Rng, weights: Floats) -> int:
    """An index in proportion to non-negative weights."""
    running = np.cumsum(weights)
    running /= running[-1]
    return int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))


def _children(spellings: Sequence[bytes], low: int, high: int, depth: int) -> list[tuple[int, int]]:
    """The ranges of sorted spellings that go on with the same byte at `depth`."""
    ranges = []
    while low < high:
        byte = spellings[low][depth]
        end = bisect.bisect_right(spellings, byte, low, high, key=lambda spelling: spelling[depth])
        ranges.append((low, end))
        low = end
    return ranges
