"""Sequential Monte Carlo with moves: after every choice MCMC kernels tell copies of particles apart again.

Label: consistent; the evidence estimate is unbiased. Particles are runs up to their
k-th choice, k = 1, 2, ...; their target is the program cut off there, all evidence before
the next choice included. After each choice particles are resampled if the effective
sample size has fallen below `ess_threshold` * N, and moved by kernels that leave that
target unchanged (`rejuvenation`; Gilks and Berzuini 2001), so that an early choice can still
change when later evidence speaks against it. Moves that depended on the weights would bias the
evidence, so particles are moved whether resampled or not; and as programs end after different numbers of choices, a
move to a run with another number is rejected, and runs that ended earlier stay.
`waste_free` (Dau and Chopin 2022) resamples after every choice.

log evidence = sum over resamplings of log mean weight, plus log mean final weight. Cost: that of `SMC`, and for each
move what the kernel draws and scores anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.methods.weighted_runs import driven
from pgen.inference.moves.rejuvenation import (
    EXTENDING,
    Rejuvenation,
    as_particles,
    log_weights_of,
    moved,
    replenished,
    resampled,
)
from pgen.inference.moves.trace_moves import Metropolis, Proposal, Regenerate
from pgen.inference.posterior import Posterior
from pgen.inference.runs import Run, Runner, draw_everything
from pgen.programs.machine import Machine
from pgen.sampling.logspace import effective_sample_size, log_sum_exp
from pgen.sampling.rng import Rng


class MoveState(NamedTuple):
    """Runs up to `horizon` choices, their `(N,)` log weights, and the log evidence of the resamplings so far."""

    runs: list[Run]
    log_weights: NDArray[np.float64]
    log_evidence: float
    horizon: int


class MoveInfo(NamedTuple):
    """Effective sample size before resampling, and whether there was one."""

    ess: float
    resampled: bool


@dataclass(frozen=True)
class Restricted(Metropolis):
    """The kernel on the runs with `n_choices` choices that proposes what `kernel` proposes."""

    kernel: Metropolis
    n_choices: int

    def applies(self, run: Run) -> bool:
        """Whether a run has the right number of choices and the kernel has something to do."""
        return len(run.choices) == self.n_choices and self.kernel.applies(run)

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """What the kernel proposes; runs with another number of choices are never accepted."""
        return [
            proposal if len(proposal.run.choices) == self.n_choices else proposal._replace(log_ratio=-math.inf)
            for proposal in self.kernel.propose(runner, runs, rngs)
        ]


def init(rng: Rng, runner: Runner, count: int) -> MoveState:
    """`count` runs at the program's first choice."""
    runs = runner.up_to(0).run([draw_everything] * count, [rng.at(EXTENDING, i) for i in range(count)])
    return MoveState(runs, log_weights_of(runs), 0.0, 0)


def step(rng: Rng, runner: Runner, method: ResampleMove, state: MoveState) -> tuple[MoveState, MoveInfo]:
    """Every run one choice further; then resampled if the weights have degenerated, and moved."""
    horizon, count = state.horizon + 1, len(state.runs)
    how = method.rejuvenation.among(lambda kernel: Restricted(kernel, horizon))
    cut = runner.up_to(horizon)
    runs = cut.extend(state.runs, [rng.at(EXTENDING, i) for i in range(count)])
    log_weights = state.log_weights + _gained(state.runs, runs)
    ess, log_evidence, resamples = effective_sample_size(log_weights), state.log_evidence, False
    if ess > 0.0 and (how.waste_free or ess < method.threshold * count):
        log_evidence += log_sum_exp(log_weights) - math.log(count)
        runs = (
            replenished(rng, cut, runs, log_weights, how) if how.waste_free else resampled(rng, runs, log_weights, how)
        )
        log_weights, resamples = np.zeros(count), True
    if not how.waste_free:
        runs = moved(rng, cut, runs, how)[-1]
    return MoveState(runs, log_weights, log_evidence, horizon), MoveInfo(ess, resamples)


def _gained(before: Sequence[Run], after: Sequence[Run]) -> NDArray[np.float64]:
    """`(N,)` log weights that runs have earned in a step; 0 for those that were dead already."""
    alive = np.array([not run.dead for run in before])
    return np.where(alive, log_weights_of(after), 0.0) - np.where(alive, log_weights_of(before), 0.0)


@dataclass(frozen=True)
class ResampleMove:
    """`particles` runs; after each choice `moves` moves by `kernel` (one or several that take turns).

    Kernels must propose and accept (`Regenerate`, `RegenerateSpan`, `EditText`; not `Gibbs`).
    `waste_free` resamples always and keeps every state of the chains, which takes `particles` to be a multiple of
    `moves` + 1. `ess_threshold` is 0.5 by default. `lookahead`: how many evaluations may list the texts of a language.
    """

    particles: int = 32
    kernel: Metropolis | Sequence[Metropolis] = field(default_factory=Regenerate)
    moves: int = 1
    waste_free: bool = False
    ess_threshold: float | None = None
    resampling: str = "systematic"
    lookahead: int = 32

    def __post_init__(self) -> None:
        self.rejuvenation.check(self.particles)
        if not 0 <= self.threshold <= 1:
            raise InvalidArgument(f"ess_threshold={self.ess_threshold}: must lie in [0, 1]")
        if self.waste_free and self.ess_threshold is not None:
            raise InvalidArgument("waste_free particles are resampled after every choice: leave ess_threshold out")
        if self.lookahead < 0:
            raise InvalidArgument(f"lookahead={self.lookahead}: must not be negative")

    @property
    def threshold(self) -> float:
        """Share of the particles below which an effective sample size asks for resampling."""
        return 0.5 if self.ess_threshold is None else self.ess_threshold

    @property
    def rejuvenation(self) -> Rejuvenation:
        """What happens when weights have degenerated."""
        return Rejuvenation(self.kernel, self.moves, self.waste_free, self.resampling)

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every particle dies."""
        runner = Runner(machine, context, self.lookahead)

        def steps(state: MoveState) -> Iterator[tuple[MoveState, MoveInfo]]:
            while any(run.running for run in state.runs):
                state, info = step(rng.at(state.horizon + 1), runner, self, state)
                yield state, info

        reached = driven(
            lambda: init(rng.at(0), runner, self.particles),
            steps,
            lambda state: as_particles(state.runs, state.log_weights),
        )
        n_resampled = sum(info.resampled for info in reached.infos)
        note = f"resampled {n_resampled} of {len(reached.infos)} times"
        return reached.posterior(self, context, note, log_evidence=reached.state.log_evidence)
