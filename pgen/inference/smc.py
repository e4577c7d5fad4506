"""Sequential Monte Carlo over programs. Label: consistent; the evidence estimate is unbiased.

Particles are proposed as in `importance` and resampled when the effective sample
size falls below `ess_threshold * N` (Doucet and Johansen, "A tutorial on particle
filtering and smoothing", 2009; bootstrap of the weights by `pgen.sampling.resampling`).

Resampling waits until every particle has finished the same number of choices
(`resample="choices"`), because weights in the middle of texts are not comparable:
resampling early kills the particles whose good news comes later. `"tokens"`
resamples after any token, for long texts with informative prefixes.

log evidence = sum over resamplings of log mean weight, plus log mean final weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, Remains, remains
from pgen.inference.context import Context
from pgen.inference.importance import check_particles, log_weights_of
from pgen.inference.particles import Particle, Population
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.logspace import effective_sample_size, log_sum_exp, normalized
from pgen.sampling.resampling import RESAMPLERS
from pgen.sampling.rng import Rng


class SMCState(NamedTuple):
    """Particles, the log evidence of the resamplings so far, and the next tick's number."""

    particles: list[Particle]
    log_evidence: float
    tick: int


class SMCInfo(NamedTuple):
    """Effective sample size before resampling; `ancestors (N,)` where resampling happened."""

    ess: float
    ancestors: NDArray[np.int64] | None


def init(population: Population, count: int) -> SMCState:
    """`count` particles at the program's first choice."""
    return SMCState(population.spawn(count), 0.0, 0)


def step(rng: Rng, population: Population, method: SMC, state: SMCState) -> tuple[SMCState, SMCInfo]:
    """Move the particles to the next point of comparison, then resample if the weights have degenerated."""
    particles, tick = list(state.particles), state.tick
    goal = 1 + min((p.suspension.trace.n_choices for p in particles if p.running), default=0)
    while active := _behind(particles, goal):
        particles = population.tick(particles, active, rng.at(tick))
        tick += 1
        if method.resample == "tokens":
            break
    return _resampled(rng.at(tick, len(particles)), method, SMCState(particles, state.log_evidence, tick + 1))


def _behind(particles: Sequence[Particle], goal: int) -> list[int]:
    return [i for i, p in enumerate(particles) if p.running and p.suspension.trace.n_choices < goal]


def _resampled(rng: Rng, method: SMC, state: SMCState) -> tuple[SMCState, SMCInfo]:
    log_weights = log_weights_of(state.particles)
    ess, count = effective_sample_size(log_weights), len(log_weights)
    finished = not any(particle.running for particle in state.particles)
    if finished or ess >= method.ess_threshold * count:
        return state, SMCInfo(ess, None)
    ancestors = RESAMPLERS[method.resampling](rng, normalized(log_weights))
    log_mean = log_sum_exp(log_weights) - math.log(count)
    survivors = [state.particles[i].unweighted() for i in ancestors]
    return state._replace(particles=survivors, log_evidence=state.log_evidence + log_mean), SMCInfo(ess, ancestors)


@dataclass(frozen=True)
class SMC:
    """Particles with resampling; `resampling` is one of systematic, stratified, multinomial, residual."""

    particles: int = 32
    ess_threshold: float = 0.5
    resampling: str = "systematic"
    resample: Literal["choices", "tokens"] = "choices"
    lookahead: int | None = None

    def __post_init__(self) -> None:
        check_particles(self.particles, self.lookahead)
        if not 0 <= self.ess_threshold <= 1:
            raise InvalidArgument(f"ess_threshold={self.ess_threshold}: must lie in [0, 1]")
        if self.resampling not in RESAMPLERS:
            raise InvalidArgument(f"resampling={self.resampling!r}: expected one of {', '.join(RESAMPLERS)}")
        if self.resample not in ("choices", "tokens"):
            raise InvalidArgument(f"resample={self.resample!r}: expected 'choices' or 'tokens'")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Run to the end. Raises `ZeroEvidence` if every particle dies."""
        population = Population(machine, context, self.particles if self.lookahead is None else self.lookahead)
        state, ess_path, n_resampled = init(population, self.particles), [], 0
        found = Remains(state.particles, "consistent", ())
        try:
            while any(particle.running for particle in state.particles):
                state, info = step(rng, population, self, state)
                ess_path.append(info.ess)
                n_resampled += info.ancestors is not None
            found = found._replace(particles=state.particles)
        except STOPPED as stop:
            found = remains(stop, state.particles, "consistent")
        return posterior_of(
            found.particles,
            label=found.label,
            method=repr(self),
            n_evaluations=context.n_evaluations,
            log_evidence=state.log_evidence,
            ess_path=ess_path,
            notes=(f"resampled {n_resampled} of {len(ess_path)} times", *found.notes),
        )
