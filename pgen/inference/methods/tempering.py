"""Tempering: from the proposal to the posterior through powers of the weight. Label: consistent.

With q the law by which complete runs are drawn, w the weight of a run (evidence, potentials,
and what masks leave out), particles pass through the targets

    q(t) w(t)^a,    0 = a_0 < a_1 < ... < a_n = 1,

reweighted by w^(a_i - a_{i-1}), resampled, and moved by kernels that leave q w^a_i
unchanged (Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers", JRSS B 2006).
A Metropolis kernel of the posterior becomes one of q w^a: its log ratio changes by
(a - 1) (log w(t') - log w(t)). Without a `schedule` each a is found by bisection such that
the effective sample size of the step is `ess_threshold` * N, so evidence that needs no
tempering costs no more than importance sampling. The evidence estimate is unbiased for
a fixed schedule, and consistent for an adaptive one (Beskos et al., "On the convergence of
adaptive sequential Monte Carlo methods", AAP 2016).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.moves.rejuvenation import EXTENDING, Rejuvenation, as_particles, log_weights_of, replenished
from pgen.inference.moves.trace_moves import Metropolis, Proposal, Regenerate
from pgen.inference.posterior import Posterior, posterior_of
from pgen.inference.runs import Run, Runner, draw_everything
from pgen.programs.machine import Machine
from pgen.sampling.logspace import effective_sample_size, log_sum_exp
from pgen.sampling.rng import Rng

BISECTIONS = 50
"""Halvings of the interval in which the next power lies."""


class TemperedState(NamedTuple):
    """Complete runs of equal weight, distributed as q w^power, and the log evidence of the powers so far."""

    runs: list[Run]
    power: float
    log_evidence: float


class TemperedInfo(NamedTuple):
    """Effective sample size of the last change of power."""

    ess: float


@dataclass(frozen=True)
class Tempered(Metropolis):
    """The kernel of q w^power that proposes what `kernel` proposes."""

    kernel: Metropolis
    power: float

    def applies(self, run: Run) -> bool:
        """Whether the kernel has something to do."""
        return self.kernel.applies(run)

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """What the kernel proposes, with the log ratio of the tempered target."""
        proposals = self.kernel.propose(runner, runs, rngs)
        return [
            proposal if proposal.log_ratio == -math.inf else self._tempered(run, proposal)
            for run, proposal in zip(runs, proposals, strict=True)
        ]

    def _tempered(self, run: Run, proposal: Proposal) -> Proposal:
        gained = proposal.run.log_weight - run.log_weight
        return proposal._replace(log_ratio=proposal.log_ratio + (self.power - 1.0) * gained)


def init(rng: Rng, runner: Runner, count: int) -> TemperedState:
    """`count` complete runs from the proposal."""
    runs = runner.run([draw_everything] * count, [rng.at(EXTENDING, i) for i in range(count)])
    return TemperedState(runs, 0.0, 0.0)


def step(
    rng: Rng, runner: Runner, how: Rejuvenation, state: TemperedState, power: float
) -> tuple[TemperedState, TemperedInfo]:
    """From the present power to a larger one: reweigh, resample, move."""
    log_weights = (power - state.power) * log_weights_of(state.runs)
    ess = effective_sample_size(log_weights)
    log_mean = log_sum_exp(log_weights) - math.log(len(state.runs))
    if ess == 0.0:
        return state._replace(power=power, log_evidence=log_mean), TemperedInfo(ess)
    tempered = how.among(lambda kernel: Tempered(kernel, power))
    runs = replenished(rng, runner, state.runs, log_weights, tempered)
    return TemperedState(runs, power, state.log_evidence + log_mean), TemperedInfo(ess)


def next_power(log_weights: NDArray[np.float64], power: float, ess_threshold: float) -> float:
    """The largest power up to 1 whose effective sample size is at least `ess_threshold` of the living particles."""
    goal = ess_threshold * np.count_nonzero(log_weights > -np.inf)
    if effective_sample_size((1.0 - power) * log_weights) >= goal:
        return 1.0
    low, high = power, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        enough = effective_sample_size((middle - power) * log_weights) >= goal
        low, high = (middle, high) if enough else (low, middle)
    return high


@dataclass(frozen=True)
class Tempering:
    """`particles` complete runs led to the posterior; `kernel` must propose and accept (`Regenerate`, not `Gibbs`).

    `schedule` lists the powers, rising to 1; `None` finds them. `moves` and `waste_free` as in `ResampleMove`.
    """

    particles: int = 32
    kernel: Metropolis | Sequence[Metropolis] = field(default_factory=Regenerate)
    moves: int = 2
    waste_free: bool = False
    schedule: tuple[float, ...] | None = None
    ess_threshold: float = 0.5
    resampling: str = "systematic"
    lookahead: int = 32

    def __post_init__(self) -> None:
        self.rejuvenation.check(self.particles)
        if not 0 < self.ess_threshold < 1:
            raise InvalidArgument(f"ess_threshold={self.ess_threshold}: must lie between 0 and 1")
        if self.lookahead < 0:
            raise InvalidArgument(f"lookahead={self.lookahead}: must not be negative")
        if self.schedule is not None:
            powers = (0.0, *self.schedule)
            if powers[-1] != 1.0 or any(a >= b for a, b in itertools.pairwise(powers)):
                raise InvalidArgument(f"schedule={self.schedule}: expected powers that rise from above 0 to 1")

    @property
    def rejuvenation(self) -> Rejuvenation:
        """What happens after each change of power."""
        return Rejuvenation(self.kernel, self.moves, self.waste_free, self.resampling)

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every particle dies. Stopped early, runs carry what is left of their weight."""
        runner, ess_path = Runner(machine, context, self.lookahead), list[float]()
        state: TemperedState | None = None
        notes: tuple[str, ...] = ()
        powers: list[float] = []
        try:
            state = init(rng.at(0), runner, self.particles)
            while (power := self._next(state, len(powers))) < 1.0:
                state, info = step(rng.at(len(powers) + 1), runner, self.rejuvenation, state, power)
                powers.append(power)
                ess_path.append(info.ess)
        except STOPPED as stop:
            if state is None:
                raise give_up(stop) from None
            notes = (f"{why(stop)} at power {state.power:.3g}",)
        log_weights = (1.0 - state.power) * log_weights_of(state.runs)
        return posterior_of(
            as_particles(state.runs, log_weights),
            label="consistent",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            log_evidence=state.log_evidence,
            ess_path=[*ess_path, effective_sample_size(log_weights)],
            notes=(f"powers {', '.join(f'{power:.3g}' for power in [*powers, 1.0])}", *notes),
        )

    def _next(self, state: TemperedState, number: int) -> float:
        if self.schedule is not None:
            return self.schedule[number]
        log_weights = log_weights_of(state.runs)
        return 1.0 if not np.isfinite(log_weights).any() else next_power(log_weights, state.power, self.ess_threshold)
