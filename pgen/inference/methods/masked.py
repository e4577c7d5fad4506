"""Local masking without weights: what most libraries do. Label: heuristic.

Each step renormalises the model over the mask, and the masses that were left out
(the weights) are thrown away, observations and factors included; only failed
conditions still count. The result is not the posterior; `docs/semantics.md` works
out by how much. Here for comparison, and where a caller wants just that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pgen.inference.budget import STOPPED, Remains, remains
from pgen.inference.context import Context
from pgen.inference.methods import importance
from pgen.inference.particles import Population
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng


@dataclass(frozen=True)
class Masked:
    """`particles` unweighted draws by local masking; `log_evidence` is NaN, for there is none."""

    particles: int = 1

    def __post_init__(self) -> None:
        importance.check_particles(self.particles, None)

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every draw ran into a dead end."""
        population = Population(machine, context, lookahead=0)
        state = importance.init(population, self.particles)
        found = Remains(state.particles, "heuristic", ())
        try:
            while any(particle.running for particle in state.particles):
                state, _ = importance.step(rng, population, state)
            found = found._replace(particles=state.particles)
        except STOPPED as stop:
            found = remains(stop, state.particles, "heuristic")
        weighted = posterior_of(
            found.particles,
            label="heuristic",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=("weights were thrown away: this is not the posterior", *found.notes),
        )
        return Posterior(**{**vars(weighted), "log_weights": np.zeros(len(weighted.values)), "log_evidence": math.nan})
