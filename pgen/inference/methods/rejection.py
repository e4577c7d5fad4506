"""Rejection sampling: exact independent draws. Label: exact.

A weighted run with log weight w is accepted with probability exp(w - bound). With
constraints and conditions as the only evidence, weights are probabilities and the
bound is 0; factors and densities above 1 need a larger `log_bound`. Stopping at the
k-th acceptance of n tries, exp(bound) (k - 1) / (n - 1) is an unbiased estimate of
the evidence (inverse binomial sampling; Haldane, "On a method of estimating
frequencies", Biometrika 1945).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.methods import importance
from pgen.inference.particles import Particle, Population
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng

BATCH = 32
"""Tries that share their model calls; draws do not depend on it."""
_ACCEPTANCE = 2**40
"""Place of the acceptance draw in a batch's streams, beyond any tick."""


@dataclass(frozen=True)
class Rejection:
    """`draws` exact draws in at most `max_tries` runs."""

    draws: int = 100
    max_tries: int = 10_000
    log_bound: float = 0.0
    lookahead: int = 0

    def __post_init__(self) -> None:
        importance.check_particles(self.draws, self.lookahead)
        if self.draws < 2:
            raise InvalidArgument("Rejection needs draws of 2 or more: one acceptance says nothing about the evidence")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `LimitExceeded` if `max_tries` runs give too few draws."""
        accepted: list[Particle] = []
        n_tries, population = 0, Population(machine, context, self.lookahead)
        try:
            for particle, uniform in self._tries(population, rng):
                n_tries += 1
                if uniform < math.exp(self._excess(particle)):
                    accepted.append(particle)
                if len(accepted) == self.draws:
                    return self._posterior(accepted, n_tries, context)
        except STOPPED as stop:
            if len(accepted) < 2:
                raise give_up(stop) from None
            found = self._posterior(accepted, n_tries, context)
            return replace(found, notes=(*found.notes, why(stop)))
        raise LimitExceeded(
            f"rejection sampling accepted {len(accepted)} of {self.max_tries} tries; {self.draws} were asked for",
            hint="the evidence is small: use pgen.Importance or pgen.SMC, or raise max_tries",
        )

    def _tries(self, population: Population, rng: Rng) -> Iterator[tuple[Particle, float]]:
        for batch in range(-(-self.max_tries // BATCH)):
            stream = rng.at(batch)
            state = importance.init(population, min(BATCH, self.max_tries - batch * BATCH))
            while any(particle.running for particle in state.particles):
                state, _ = importance.step(stream, population, state)
            for i, particle in enumerate(state.particles):
                chance = math.exp(min(0.0, self._excess(particle)))
                yield particle, stream.at(_ACCEPTANCE, i).uniform(lambda c=chance: _split(c))  # type: ignore[misc]

    def _excess(self, particle: Particle) -> float:
        excess = particle.total_log_weight - self.log_bound
        if excess > 1e-9:
            raise InvalidArgument(
                f"a run has log weight {particle.total_log_weight:.4g}, above log_bound={self.log_bound}",
                hint=f"set log_bound to at least {particle.total_log_weight:.4g}: the largest total of factors and "
                "log densities any run can have",
            )
        return excess

    def _posterior(self, accepted: list[Particle], n_tries: int, context: Context) -> Posterior:
        log_evidence = self.log_bound + math.log((len(accepted) - 1) / (n_tries - 1))
        equal = [particle._replace(log_weight=log_evidence) for particle in accepted]
        return posterior_of(
            equal,
            label="exact",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=(f"accepted {len(accepted)} of {n_tries} tries",),
        )


def _split(chance: float) -> NDArray[np.float64]:
    return np.array([chance, 1.0])
