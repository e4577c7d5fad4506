"""Importance sampling: N independent weighted runs. Label: consistent; the evidence estimate is unbiased.

Each run draws its texts from the prefix tree (stratified over the runs) and then from the masked
model (`particles`), and is weighted by what that left out. `lookahead` is how many
distinct prefixes each text's tree may evaluate before the particles start, shared by
all of them; 0 gives the plain masked proposal. By default it is the number of particles, rounded up
to whole model calls after the first one, but at least `LOOKAHEAD`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.drafting.prefix_tree import EVALUATIONS_AT_ONCE
from pgen.inference.methods.weighted_runs import driven
from pgen.inference.particles import Particle, Population
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.logspace import effective_sample_size
from pgen.sampling.rng import Rng

LOOKAHEAD = 9
"""The least look-ahead by default: what a few particles find is only as good as where they start."""

KNOWN = 0.8
"""Explored share of every text from which a sampled posterior carries no warning."""


class ImportanceState(NamedTuple):
    """The particles, and how many ticks they have made (the place of the next random numbers)."""

    particles: list[Particle]
    tick: int


class ImportanceInfo(NamedTuple):
    """Effective sample size of the weights so far, and how many particles still run."""

    ess: float
    n_running: int


def init(population: Population, count: int) -> ImportanceState:
    """`count` particles at the program's first choice."""
    return ImportanceState(population.spawn(count), 0)


def step(rng: Rng, population: Population, state: ImportanceState) -> tuple[ImportanceState, ImportanceInfo]:
    """Move every running particle by one token or one choice."""
    running = [i for i, particle in enumerate(state.particles) if particle.running]
    particles = population.tick(state.particles, running, rng.at(state.tick))
    info = ImportanceInfo(effective_sample_size(log_weights_of(particles)), sum(p.running for p in particles))
    return ImportanceState(particles, state.tick + 1), info


def log_weights_of(particles: Sequence[Particle]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`(N,)` log weights, drafts included."""
    return np.array([particle.total_log_weight for particle in particles])


@dataclass(frozen=True)
class Importance:
    """Independent weighted runs; see the module for `lookahead`."""

    particles: int = 64
    lookahead: int | None = None

    def __post_init__(self) -> None:
        check_particles(self.particles, self.lookahead)

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Run all particles to their end. Raises `ZeroEvidence` if every one dies."""
        population = Population(machine, context, lookahead_of(self.particles, self.lookahead))

        def steps(state: ImportanceState) -> Iterator[tuple[ImportanceState, ImportanceInfo]]:
            while any(particle.running for particle in state.particles):
                state, info = step(rng, population, state)
                yield state, info

        reached = driven(lambda: init(population, self.particles), steps, lambda state: state.particles)
        return reached.posterior(self, context, told=warnings)


def check_particles(particles: int, lookahead: int | None) -> None:
    """Raise `InvalidArgument` unless there is a particle and the look-ahead is not negative."""
    if particles < 1:
        raise InvalidArgument(f"particles={particles}: at least one is needed")
    if lookahead is not None and lookahead < 0:
        raise InvalidArgument(f"lookahead={lookahead}: must not be negative")


def warnings(context: Context) -> tuple[str, ...]:
    """What a sampled posterior says if most of its particles may have begun without knowing where the mass is."""
    share = context.least_explored
    if share >= KNOWN:
        return ()
    return (
        f"Warning: only {share:.2g} of the mass of a text is likely to have been explored before the runs began; what "
        "they have not met may weigh more than all they have found, and the weights cannot show it. "
        "Allow a larger lookahead, or compare log_evidence over several seeds (pgen.Replicated)",
    )


def lookahead_of(particles: int, lookahead: int | None) -> int:
    """`lookahead` if it is given, else the default for so many particles."""
    n_calls = -(-(particles - 1) // EVALUATIONS_AT_ONCE)
    return max(LOOKAHEAD, 1 + n_calls * EVALUATIONS_AT_ONCE) if lookahead is None else lookahead
