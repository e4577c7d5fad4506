"""Sequential Monte Carlo over programs. Label: consistent; the evidence estimate is unbiased.

Particles are proposed as in `importance` and resampled when the effective sample
size falls below `ess_threshold * N` (Doucet and Johansen, "A tutorial on particle
filtering and smoothing", 2009; bootstrap of the weights by `pgen.sampling.resampling`).

Resampling waits until every particle has finished the same number of choices
(`resample="choices"`), because weights in the middle of texts are not comparable:
resampling early kills the particles whose good news comes later. `"tokens"`
resamples after any token, for long texts with informative prefixes.

log evidence = sum over resamplings of log mean weight, plus log mean final weight.

`steer` shapes what survives: particles are resampled by w psi, with psi a function of a run's values
so far and its unfinished text, and the survivors weigh 1 / psi, so that any positive psi gives a
Feynman-Kac flow with the same end (twisted SMC; Whiteley and Lee, "Twisted particle
filters", AoS 2014). The best psi is the expected weight that is still to come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.methods.importance import check_particles, log_weights_of, lookahead_of, warnings
from pgen.inference.methods.weighted_runs import driven
from pgen.inference.particles import Particle, Population
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.logspace import effective_sample_size, log_sum_exp, normalized
from pgen.sampling.resampling import RESAMPLERS
from pgen.sampling.rng import Rng

Steer = Callable[[Mapping[str, Any], str], float]


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
    n_choices = {i: p.suspension.trace.n_choices for i, p in enumerate(particles) if p.running}
    goal = 1 + min(n_choices.values(), default=0)
    active = [i for i, count in n_choices.items() if count < goal]
    while active:
        particles = population.tick(particles, active, rng.at(tick))
        tick += 1
        active = [] if method.resample == "tokens" else _behind(particles, goal)
    return _resampled(rng.at(tick, len(particles)), method, SMCState(particles, state.log_evidence, tick + 1))


def _behind(particles: Sequence[Particle], goal: int) -> list[int]:
    return [i for i, p in enumerate(particles) if p.running and p.suspension.trace.n_choices < goal]


def _resampled(rng: Rng, method: SMC, state: SMCState) -> tuple[SMCState, SMCInfo]:
    log_twists = _log_twists(method.steer, state.particles)
    log_weights = log_weights_of(state.particles) + log_twists
    ess, count = effective_sample_size(log_weights), len(log_weights)
    finished = not any(particle.running for particle in state.particles)
    if finished or ess >= method.ess_threshold * count:
        return state, SMCInfo(ess, None)
    ancestors = RESAMPLERS[method.resampling](rng, normalized(log_weights))
    log_mean = log_sum_exp(log_weights) - math.log(count)
    chosen, kept_back = ancestors.tolist(), (0.0 - log_twists).tolist()
    copied = {i: state.particles[i].weighing(kept_back[i]) for i in set(chosen)}
    survivors = [copied[i] for i in chosen]
    return state._replace(particles=survivors, log_evidence=state.log_evidence + log_mean), SMCInfo(ess, ancestors)


def _log_twists(steer: Steer | None, particles: Sequence[Particle]) -> NDArray[np.float64]:
    """`(N,)` what `steer` expects of each run."""
    if steer is None:
        return np.zeros(len(particles))
    return np.array([_log_twist(steer, particle) for particle in particles])


def _log_twist(steer: Steer, particle: Particle) -> float:
    """What `steer` expects of a run that is still going on; 0 for the others."""
    if not particle.running:
        return 0.0
    values, text = particle.suspension.trace.values(), particle.draft.partial_text() if particle.draft else ""
    log_twist = float(steer(values, text))
    if not math.isfinite(log_twist):
        raise InvalidArgument(
            f"steer returned {log_twist} for {values!r} and the unfinished text {text!r}: expected a finite number",
            hint="what cannot be is for pgen.condition to say",
        )
    return log_twist


@dataclass(frozen=True)
class SMC:
    """Particles with resampling; `resampling` is one of systematic, stratified, multinomial, residual.

    `steer(values, text)` gives log psi (nats) from the values so far by address and the unfinished text ("" if none).
    """

    particles: int = 32
    ess_threshold: float = 0.5
    resampling: str = "systematic"
    resample: Literal["choices", "tokens"] = "choices"
    lookahead: int | None = None
    steer: Steer | None = None

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
        population = Population(machine, context, lookahead_of(self.particles, self.lookahead))

        def steps(state: SMCState) -> Iterator[tuple[SMCState, SMCInfo]]:
            while any(particle.running for particle in state.particles):
                state, info = step(rng, population, self, state)
                yield state, info

        reached = driven(lambda: init(population, self.particles), steps, lambda state: state.particles)
        lineage, choices = np.arange(self.particles), [info.ancestors for info in reached.infos]
        resamplings = [ancestors for ancestors in choices if ancestors is not None]
        for ancestors in resamplings:
            lineage = lineage[ancestors]
        note, log_evidence = f"resampled {len(resamplings)} of {len(choices)} times", reached.state.log_evidence
        return reached.posterior(
            self, context, note, told=warnings, log_evidence=log_evidence, lineage=lineage.tolist()
        )
