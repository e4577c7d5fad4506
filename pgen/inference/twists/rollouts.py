"""Rollouts as a twist: what a few completions drawn ahead of time were worth.

From a prefix, `count` texts are completed by the masked model; psi is the mean of their weights (masses
allowed on the way times the critics' final word), which is an unbiased guess of the mass ahead. The
random numbers are a function of seed and prefix, so psi is a fixed function of the prefix and
results stay a function of the seed. Cost: `count` texts a token, each prefix once; they are
counted as model evaluations. Tokens are not drawn by it (that would take rollouts for every token that may
follow): it tells SMC with `resample="tokens"` which particles to keep.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.programs.process import TextProcess, TextState
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import CounterRng
from pgen.sampling.token_step import DEAD, STOP, step

LEAST = -30.0
"""log psi where no rollout has any weight: a twist must not exclude anything."""


@dataclass(frozen=True)
class Rollouts:
    """`text.guided(Rollouts(8))`: `count` completions a prefix, drawn with `seed`."""

    count: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise InvalidArgument(f"Rollouts({self.count}, {self.seed}): needs a count of 1 or more and a seed >= 0")

    def bind(self, process: TextProcess) -> BoundRollouts:
        """The twist for one text."""
        return BoundRollouts(self, process)


class BoundRollouts:
    """Rollouts of one process; what they were worth is kept by prefix."""

    def __init__(self, settings: Rollouts, process: TextProcess) -> None:
        self._settings = settings
        self._process = process
        self._known: dict[tuple[int, ...], float] = {}

    def log_at(self, state: TextState) -> float:
        if state.tokens not in self._known:
            self._known[state.tokens] = self._estimate(state)
        return self._known[state.tokens]

    def log_after(self, state: TextState, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.zeros(len(tokens))

    def _estimate(self, state: TextState) -> float:
        """log mean weight of the completions, over what the critics give to the prefix already."""
        judged = self._process.critics.of_prefix(self._process.certain_text(state))
        if judged == -math.inf:
            return LEAST
        log_mean = log_sum_exp(self._log_weights(state)) - math.log(self._settings.count)
        return max(log_mean - judged, LEAST)

    def _log_weights(self, state: TextState) -> NDArray[np.float64]:
        count, process = self._settings.count, self._process
        states, rng = [state] * count, CounterRng(_seed(self._settings.seed, state.tokens))
        log_weights = np.zeros(count)
        active, place = list(range(count)), 0
        while active:
            index: dict[tuple[int, ...], int] = {}
            rows = [index.setdefault(process.prefix(states[i]), len(index)) for i in active]
            given = process.weigh(process.model.next_logits(list(index)))
            process.on_evaluation(len(index))
            drawn = step(given, rows, [process.choice(states[i]) for i in active], [rng.at(place, i) for i in active])
            log_weights[active] += drawn.log_weights
            active = [
                i
                for i, token in zip(active, drawn.tokens, strict=True)
                if self._goes_on(states, log_weights, i, int(token))
            ]
            place += 1
        return log_weights

    def _goes_on(self, states: list[TextState], log_weights: NDArray[np.float64], i: int, token: int) -> bool:
        """Extend rollout i; at its end the critics weigh it."""
        process = self._process
        if token == DEAD:
            return False
        if token == STOP or process.ends(token):
            log_weights[i] += process.log_final(process.text(states[i]))
            return False
        states[i] = process.advance(states[i], token)
        text = process.finished(states[i])
        if text is not None:
            log_weights[i] += process.log_final(text)
        return text is None


def _seed(seed: int, tokens: tuple[int, ...]) -> int:
    digest = hashlib.blake2b(repr((seed, tokens)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
