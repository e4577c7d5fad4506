"""Best of n: draw n values from a posterior and keep the one of highest reward. Label: heuristic.

If the draws are independent, the reward of the result has the distribution function F^n, with F
that of one draw. That is no posterior: what the reward should mean for the model's beliefs, `pgen.factor` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgen.errors import InvalidArgument
from pgen.inference.automatic import Automatic
from pgen.inference.context import Context
from pgen.inference.infer import Method
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert

_DRAWS = 2**41
"""Place of the draws, beyond any step of the method inside."""


@dataclass(frozen=True)
class BestOf:
    """The best of `n` draws from what `method` finds (default: the automatic method), by `reward(value)`."""

    n: int
    reward: Callable[[Any], float]
    method: Method = Automatic()  # noqa: RUF009

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InvalidArgument(f"n={self.n}: at least one draw is needed")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises what `method` raises, and `InvalidArgument` for a reward of NaN."""
        found = self.method.run(machine, context, rng)
        drawn = [invert(found.weights, rng.at(_DRAWS, i)) for i in range(self.n)]
        rewards = {i: self._reward(found.values[i]) for i in dict.fromkeys(drawn)}
        best = max(rewards, key=lambda i: rewards[i])
        note = f"the best of {self.n} draws from a posterior labelled {found.label}, with reward {rewards[best]:.6g}"
        return replace(
            found,
            values=(found.values[best],),
            traces=(found.traces[best],),
            log_weights=np.zeros(1),
            log_evidence=math.nan,
            label="heuristic",
            method=repr(self),
            complete=False,
            log_unexplored=-math.inf,
            notes=(note, *found.notes),
        )

    def _reward(self, value: Any) -> float:
        reward = float(self.reward(value))
        if math.isnan(reward):
            raise InvalidArgument(f"the reward of {value!r} is NaN")
        return reward
