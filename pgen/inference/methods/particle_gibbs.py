"""Particle Gibbs: draw all choices of a run anew at once, by particles that compete with it.

One step is a pass of conditional SMC (`conditional`) and a draw of one particle by
weight. It leaves the posterior unchanged for any number of particles (Andrieu, Doucet and
Holenstein 2010), accepts always, and moves far where single choices are stuck. Chains
of it, alone or in turn with other kernels: `pgen.MCMC(pgen.ParticleGibbs(8))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pgen.errors import InvalidArgument
from pgen.inference.methods.conditional import conditional_sweep
from pgen.inference.moves.trace_moves import Move, draw
from pgen.inference.runs import Run, Runner
from pgen.sampling.logspace import normalized
from pgen.sampling.rng import Rng


@dataclass(frozen=True)
class ParticleGibbs:
    """`particles` runs, the present one among them; resampled between choices, or at every token.

    `ancestors` gives the present run a new past wherever particles are resampled (between choices only).
    """

    particles: int = 8
    resample: Literal["choices", "tokens"] = "choices"
    ancestors: bool = False
    ess_threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.particles < 2:
            raise InvalidArgument(f"particles={self.particles}: beside the present run there must be another")
        if self.resample not in ("choices", "tokens"):
            raise InvalidArgument(f"resample={self.resample!r}: expected 'choices' or 'tokens'")
        if self.ancestors and self.resample == "tokens":
            raise InvalidArgument('ancestors=True: a run gets a new past between choices only, resample="choices"')
        if not 0 <= self.ess_threshold <= 1:
            raise InvalidArgument(f"ess_threshold={self.ess_threshold}: must lie in [0, 1]")

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        """Each chain one step further: a sweep of particles that holds its present run, and a draw of one of them."""
        # A chain at a time: its particles share one stream, whose order must not depend on other chains.
        return [self._moved(runner, run, rng) for run, rng in zip(runs, rngs, strict=True)]

    def _moved(self, runner: Runner, run: Run, rng: Rng) -> Move:
        sweep = conditional_sweep(
            runner,
            run,
            self.particles,
            rng,
            resample=self.resample,
            ess_threshold=self.ess_threshold,
            ancestors=self.ancestors,
        )
        chosen = draw(rng, normalized(sweep.log_weights))
        return Move(sweep.runs[chosen], chosen > 0)
