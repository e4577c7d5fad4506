"""The default method: enumerate where the mass is concentrated, else importance sampling.

A short best-first expansion shows whether the mass is likely to be concentrated. If it is,
the expansion goes on; if a second look shows that most of the mass is certified, until at
most `TOLERANCE` of it is unknown, which is exact for most questions with a finite answer
at the cost of a few dozen evaluations. Otherwise the same trees serve as the proposal of
importance sampling, so nothing is evaluated twice. Blind resampling is never the
default: it loses modes whose evidence comes late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, Remains, remains
from pgen.inference.context import Context
from pgen.inference.drafting.prefix_tree import NotCertified
from pgen.inference.methods import importance
from pgen.inference.methods.enumeration import Enumerate
from pgen.inference.methods.importance import Importance
from pgen.inference.particles import Population
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng

TOLERANCE = 0.002
"""Share of a text's mass that may stay unknown when the automatic method enumerates."""
PROBE = 8
"""Evaluations to measure the speed of a model by."""
FIRST_LOOK = 48
"""Evaluations after which a hopeless enumeration is given up."""
SECOND_LOOK = 128
"""Evaluations after which enumeration goes on only if it is about to succeed."""
MAX_EVALUATIONS = 400
PROMISING = 0.2
"""Likely explored share after the first look from which enumeration goes on."""
SUCCEEDING = 0.8
"""Certified explored share after the second look from which enumeration goes on."""


@dataclass(frozen=True)
class Automatic:
    """Pick a method by looking; `particles` are for the case that sampling is needed."""

    particles: int = 64

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises what the chosen method raises."""
        reason = ""
        # A budget of time asks for a measurement of the model's speed before anything is planned.
        probe = () if context.account.budget.seconds is None else (PROBE,)
        for limit in (*probe, FIRST_LOOK, SECOND_LOOK, MAX_EVALUATIONS):
            try:
                most = int(min(limit, context.affordable / 2))
                found = Enumerate(TOLERANCE, max_evaluations=most, max_runs=2_000).run(machine, context, rng)
                return replace(found, notes=("chosen automatically: the mass is concentrated enough to enumerate",))
            except NotCertified as error:
                reason = error.message
                hopeless = error.likely < PROMISING if limit < SECOND_LOOK else error.explored < SUCCEEDING
                if hopeless and limit != PROBE:
                    break
            except (InvalidArgument, LimitExceeded) as error:
                if context.affordable <= 0:
                    raise
                reason = error.message
                break
        sampled = self._sampled(machine, context, rng)
        return replace(sampled, notes=(*sampled.notes, f"chosen automatically, since {reason}"))

    def _sampled(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Importance sampling; under a budget in growing groups, so that what is complete when it ends is unbiased."""
        if context.affordable == math.inf:
            return Importance(self.particles).run(machine, context, rng)
        population = Population(machine, context, int(min(self.particles, context.affordable / 3)))
        found = Remains([], "consistent", ())
        for number, size in enumerate(_group_sizes(self.particles)):
            state = importance.init(population, size)
            try:
                while any(particle.running for particle in state.particles):
                    state, _ = importance.step(rng.at(number), population, state)
            except STOPPED as stop:
                found = remains(stop, found.particles or state.particles, "consistent")
                break
            found.particles.extend(state.particles)
        method = f"Importance({len(found.particles)}) in groups"
        n_evaluations = context.n_evaluations
        return posterior_of(
            found.particles,
            label=found.label,
            method=method,
            n_evaluations=n_evaluations,
            notes=(*found.notes, *importance.warnings(context)),
        )


def _group_sizes(count: int) -> list[int]:
    """4, 4, 8, 16, ... up to `count` in all."""
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(min(max(4, sum(sizes)), count - sum(sizes)))
    return sizes
