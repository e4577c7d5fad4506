"""One draw from finitely many weighted outcomes, by inverse CDF in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgen.sampling.rng import Rng


def invert(weights: NDArray[np.float64], rng: Rng, part: int = 0, n_parts: int = 1) -> int:
    """An index in proportion to `weights (N,)`, drawn from one of `n_parts` equal parts of their mass."""
    running = np.cumsum(weights)
    running /= running[-1]
    within = np.clip(running * n_parts - part, 0.0, 1.0)
    return int(np.searchsorted(within, rng.uniform(lambda: within), side="right"))
