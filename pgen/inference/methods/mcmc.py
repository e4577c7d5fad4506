"""Markov chain Monte Carlo over complete runs of a program. Label: consistent; no evidence estimate.

Every chain starts from one of `starts` simulated runs, chosen by weight, and applies
the kernels of `kernel` in turn. Each kernel leaves the posterior invariant
(`pgen.testing.generative_laws` proves it on small programs), so averages over the
chains converge to it if the kernels together reach every run. The chains move in
step, so that their model calls are batched, and draw from streams of their own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.diagnostics.convergence import autocorrelation, effective_draws, split_rhat
from pgen.inference.generative import log_draw_weight
from pgen.inference.moves.trace_moves import Kernel, Regenerate, draw
from pgen.inference.particles import Particle
from pgen.inference.posterior import Posterior, zero_evidence
from pgen.inference.runs import Run, Runner, draw_everything
from pgen.programs.machine import Machine
from pgen.sampling.logspace import normalized
from pgen.sampling.rng import Rng

MAX_ROUNDS = 20
"""Rounds of starting runs after which a chain without one of positive mass gives up."""
NO_EVIDENCE = ("MCMC gives no estimate of the evidence",)
WATCHED = 5
"""Values whose indicators the convergence diagnostics follow, likeliest first."""


@dataclass(frozen=True, repr=False)
class ChainPosterior(Posterior):
    """Equally weighted states of several chains, one chain after the other."""

    n_chains: int = 1
    acceptance: tuple[float, ...] = ()

    def series(self, function: Callable[[Any], float]) -> NDArray[np.float64]:
        """`(chains, steps)`: `function(value)` of every state."""
        return np.array([float(function(value)) for value in self.values]).reshape(self.n_chains, -1)

    def split_rhat(self, function: Callable[[Any], float]) -> float:
        """Split R-hat of `function(value)`: above about 1.01 the chains disagree."""
        return split_rhat(self.series(function))

    def autocorrelation(self, function: Callable[[Any], float], max_lag: int = 20) -> NDArray[np.float64]:
        """`(max_lag + 1,)` autocorrelations of `function(value)` along the chains."""
        series = self.series(function)
        return autocorrelation(series, min(max_lag, series.shape[1] - 1))

    @property
    def ess(self) -> float:
        """Effective number of independent draws, for the worst of the likeliest values' probabilities."""
        return min(effective_draws(series) for series in self._indicators)

    @property
    def rhat(self) -> float:
        """The largest split R-hat of the likeliest values' probabilities."""
        return max(split_rhat(series) for series in self._indicators)

    @cached_property
    def _indicators(self) -> list[NDArray[np.float64]]:
        """For each of the likeliest values 0/1 series of being there, `(chains, steps)`."""
        keys = [repr(value) for value in self.values]
        watched = [key for key, _ in Counter(keys).most_common(WATCHED)]
        return [np.array([k == key for k in keys], np.float64).reshape(self.n_chains, -1) for key in watched]

    def diagnose(self) -> str:
        """In words: how far to trust the chains, and what to do about it."""
        moves = ", ".join(f"{share:.0%}" for share in self.acceptance)
        lines = [
            f"Label: {self.label} ({self.method}).",
            *self.notes,
            f"{self.n_chains} chains of {len(self.values) // self.n_chains} states; accepted moves: {moves}.",
            f"For the probabilities of the likeliest values: split R-hat {self.rhat:.3f}, "
            f"effective sample size {self.ess:.0f}.",
            f"Autocorrelation at lag 1, 5, 20: {self._correlations()}.",
        ]
        if not self.rhat <= 1.01:
            lines.append("The chains disagree or are short: run more steps, or add a kernel that moves more at once.")
        if self.ess < 100:
            lines.append("Fewer than 100 effective draws: probabilities are rough.")
        lines.append("Chains cannot show a mode that none has visited: compare with pgen.SMC or more chains.")
        return "\n".join(lines)

    def _correlations(self) -> str:
        series = self._indicators[0]
        found = autocorrelation(series, min(20, series.shape[1] - 1))
        return ", ".join(f"{found[lag]:.2f}" for lag in (1, 5, 20) if lag < len(found)) or "none"


@dataclass
class _Chains:
    """Where the chains are, what they have visited, and how often a move was accepted, by kernel."""

    here: list[Run]
    visited: list[list[Run]] = field(default_factory=list)
    n_accepted: Counter[int] = field(default_factory=Counter)
    n_moves: Counter[int] = field(default_factory=Counter)

    def advance(self, number: int, kernel: Kernel, runner: Runner, rng: Rng) -> None:
        """One move of every chain by kernel `number`; chain i draws from `rng.at(i)`."""
        moves = kernel.step(runner, self.here, [rng.at(i) for i in range(len(self.here))])
        self.here = [move.run for move in moves]
        self.n_accepted[number] += sum(move.accepted for move in moves)
        self.n_moves[number] += len(moves)


@dataclass(frozen=True)
class MCMC:
    """`chains` chains of `steps` states each, kept after `warmup` steps (default: a fifth as many).

    `kernel` is one kernel or several that take turns: `Regenerate`, `RegenerateSpan`,
    `Gibbs`. A step applies every one of them once. `lookahead` is how many evaluations
    may list the texts of a language, which makes proposals for them exact.
    """

    kernel: Kernel | Sequence[Kernel] = field(default_factory=Regenerate)
    steps: int = 1000
    chains: int = 4
    warmup: int | None = None
    starts: int = 16
    lookahead: int = 32

    def __post_init__(self) -> None:
        smallest = {"steps": 1, "chains": 1, "starts": 1, "warmup": 0, "lookahead": 0}
        for name, least in smallest.items():
            number = getattr(self, name)
            if number is not None and number < least:
                raise InvalidArgument(f"{name}={number}: must be at least {least}")
        if not self._kernels or not all(hasattr(kernel, "step") for kernel in self._kernels):
            raise InvalidArgument(
                f"kernel={self.kernel!r}: expected a kernel or several",
                hint="for instance pgen.Regenerate(), pgen.RegenerateSpan('story'), pgen.Gibbs('kind')",
            )

    @property
    def _warmup(self) -> int:
        return self.steps // 5 if self.warmup is None else self.warmup

    @property
    def _kernels(self) -> tuple[Kernel, ...]:
        return tuple(self.kernel) if isinstance(self.kernel, Sequence) else (self.kernel,)

    def run(self, machine: Machine, context: Context, rng: Rng) -> ChainPosterior:
        """Raises `ZeroEvidence` if no chain finds a run of positive mass. An interrupt keeps what there is."""
        runner = Runner(machine, context, self.lookahead)
        chains, notes = _Chains([]), list(NO_EVIDENCE)
        try:
            chains.here = self._started(runner, rng)
            self._walk(chains, runner, rng)
        except STOPPED as stop:
            if not chains.visited:
                raise give_up(stop) from None
            notes.append(f"{why(stop)} after {len(chains.visited)} of {self._warmup + self.steps} steps")
        return self._posterior(chains, context, notes)

    def _walk(self, chains: _Chains, runner: Runner, rng: Rng) -> None:
        for step in range(self._warmup + self.steps):
            for number, kernel in enumerate(self._kernels):
                chains.advance(number, kernel, runner, rng.at(step + MAX_ROUNDS, number))
            chains.visited.append(chains.here)

    def _started(self, runner: Runner, rng: Rng) -> list[Run]:
        """A run of positive mass for each chain, out of `starts` by weight; more are drawn where all are dead."""
        found: dict[int, Run] = {}
        for attempt in range(MAX_ROUNDS):
            missing = [i for i in range(self.chains) if i not in found]
            streams = [rng.at(attempt, i, k) for i in missing for k in range(self.starts)]
            runs = runner.run([draw_everything] * len(streams), streams)
            for place, i in enumerate(missing):
                group = runs[place * self.starts : (place + 1) * self.starts]
                weights = normalized([log_draw_weight(run) for run in group])
                if weights.sum() > 0:
                    found[i] = group[draw(rng.at(attempt, i, self.starts), weights)]
            if len(found) == self.chains:
                return [found[i] for i in range(self.chains)]
        raise zero_evidence([Particle(run.suspension, -math.inf) for run in runs if run.dead])

    def _unknown(self, states: Sequence[Run]) -> tuple[str, ...]:
        """A note on addresses that kernels name and no run has."""
        named = {address for kernel in self._kernels for address in getattr(kernel, "addresses", ())}
        missing = sorted(named - {address for run in states for address in run.choices})
        return (f"no run has a choice {', '.join(missing)}: kernels that name it did nothing",) if missing else ()

    def _posterior(self, chains: _Chains, context: Context, notes: Sequence[str]) -> ChainPosterior:
        # A walk that was stopped early gives up the same share of its steps.
        dropped = len(chains.visited) * self._warmup // (self._warmup + self.steps)
        states = [runs[i] for i in range(self.chains) for runs in chains.visited[dropped:]]
        shares = tuple(chains.n_accepted[k] / chains.n_moves[k] for k in sorted(chains.n_moves))
        return ChainPosterior(
            values=tuple(run.value for run in states),
            log_weights=np.zeros(len(states)),
            traces=tuple(run.trace for run in states),
            log_evidence=math.nan,
            label="consistent",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=(*notes, *self._unknown(states)),
            n_chains=self.chains,
            acceptance=shares,
        )
