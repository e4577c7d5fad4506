"""Particles that are whole runs: resampled by weight, then moved by MCMC kernels that leave their target unchanged.

`replenished` is what resample-move (Gilks and Berzuini, "Following a moving target",
JRSS B 2001) and tempering share. With `waste_free` only N / (moves + 1) ancestors are
drawn and every state that their chains pass through is a particle (Dau and Chopin,
"Waste-free sequential Monte Carlo", JRSS B 2022): as many moves, none thrown away.
Either way particles stay unbiased for their target: resampling is, and kernels leave it invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.moves.trace_moves import Metropolis, Regenerate
from pgen.inference.particles import Particle
from pgen.inference.runs import Run, Runner
from pgen.sampling.logspace import normalized
from pgen.sampling.resampling import RESAMPLERS
from pgen.sampling.rng import Rng

EXTENDING, RESAMPLING, MOVING = 0, 1, 2
"""Places of a step's random numbers; the moves take all from `MOVING` on."""


@dataclass(frozen=True)
class Rejuvenation:
    """How particles are replenished: the scheme, the kernels that take turns, and how often."""

    kernel: Metropolis | Sequence[Metropolis] = field(default_factory=Regenerate)
    moves: int = 1
    waste_free: bool = False
    resampling: str = "systematic"

    @property
    def kernels(self) -> tuple[Metropolis, ...]:
        """The kernels of one move."""
        return tuple(self.kernel) if isinstance(self.kernel, Sequence) else (self.kernel,)

    def among(self, wrapped: Callable[[Metropolis], Metropolis]) -> Rejuvenation:
        """The same with other kernels made from these."""
        return replace(self, kernel=tuple(wrapped(kernel) for kernel in self.kernels))

    def check(self, particles: int) -> None:
        """Raise `InvalidArgument` for settings that make no sense with so many particles."""
        if particles < 1:
            raise InvalidArgument(f"particles={particles}: at least one is needed")
        if self.moves < 0:
            raise InvalidArgument(f"moves={self.moves}: must not be negative")
        if self.resampling not in RESAMPLERS:
            raise InvalidArgument(f"resampling={self.resampling!r}: expected one of {', '.join(RESAMPLERS)}")
        if not self.kernels or not all(isinstance(kernel, Metropolis) for kernel in self.kernels):
            raise InvalidArgument(
                f"kernel={self.kernel!r}: expected one or several kernels that propose and accept",
                hint="pgen.Regenerate(), pgen.RegenerateSpan() or pgen.EditText()",
            )
        if self.waste_free and particles % (self.moves + 1):
            raise InvalidArgument(
                f"waste_free: {particles} particles cannot be chains of {self.moves + 1} states each",
                hint="make particles a multiple of moves + 1",
            )


def replenished(
    rng: Rng, runner: Runner, runs: Sequence[Run], log_weights: NDArray[np.float64], how: Rejuvenation
) -> list[Run]:
    """As many runs as there were, of equal weight: ancestors drawn by weight, then moved."""
    if not how.waste_free:
        return moved(rng, runner, resampled(rng, runs, log_weights, how), how)[-1]
    ancestors = resampled(rng, runs, log_weights, how, len(runs) // (how.moves + 1))
    return [run for states in moved(rng, runner, ancestors, how) for run in states]


def resampled(
    rng: Rng, runs: Sequence[Run], log_weights: NDArray[np.float64], how: Rejuvenation, count: int | None = None
) -> list[Run]:
    """Ancestors drawn by weight."""
    return [runs[i] for i in RESAMPLERS[how.resampling](rng.at(RESAMPLING), normalized(log_weights), count)]


def moved(rng: Rng, runner: Runner, runs: Sequence[Run], how: Rejuvenation) -> list[list[Run]]:
    """Where chains from `runs` are before their first move and after each."""
    passed = [list(runs)]
    for number in range(how.moves):
        here = passed[-1]
        for k, kernel in enumerate(how.kernels):
            place = MOVING + number * len(how.kernels) + k
            here = _moved_once(runner, kernel, here, [rng.at(place, i) for i in range(len(here))])
        passed.append(here)
    return passed


def _moved_once(runner: Runner, kernel: Metropolis, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Run]:
    """Every run after one move; the dead stay, and those that have nothing (yet) for the kernel to move."""
    chosen = [i for i, run in enumerate(runs) if not run.dead and kernel.applies(run)]
    moves = kernel.step(runner, [runs[i] for i in chosen], [rngs[i] for i in chosen]) if chosen else []
    after = list(runs)
    for i, move in zip(chosen, moves, strict=True):
        after[i] = move.run
    return after


def log_weights_of(runs: Sequence[Run]) -> NDArray[np.float64]:
    """`(N,)` log weights of runs whose choices were all drawn from their laws; -inf for the dead."""
    return np.array([-np.inf if run.dead else run.log_weight for run in runs])


def as_particles(runs: Sequence[Run], log_weights: NDArray[np.float64]) -> list[Particle]:
    """Runs with the weights of a method's own."""
    return [Particle(run.suspension, float(x)) for run, x in zip(runs, log_weights, strict=True)]
