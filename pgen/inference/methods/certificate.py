"""When the likeliest value is proven: what was not followed cannot lift any other above it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pgen.inference.places import Place
from pgen.sampling.logspace import log_sum_exp


def log_masses_by_value(found: Sequence[Place]) -> dict[str, float]:
    """log mass found for each return value (told apart by `repr`, as values need not be hashable)."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for place in found:
        groups[repr(place.suspension.value)].append(place.total_log_weight)
    return {value: log_sum_exp(log_masses) for value, log_masses in groups.items()}


def is_proven(found: Sequence[Place], log_missing: float, tol: float = 0.0) -> bool:
    """Whether no value can outweigh the best found one by more than `tol` nats if `exp(log_missing)` is missing."""
    log_masses = sorted(log_masses_by_value(found).values(), reverse=True)
    if not log_masses or log_masses[0] == -math.inf:
        return False
    rival = log_masses[1] if len(log_masses) > 1 else -math.inf
    return float(np.logaddexp(rival, log_missing)) <= log_masses[0] + tol
