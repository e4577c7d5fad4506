"""Exact inference by enumerating every choice of a program. Label: exact (up to the stated bound).

Texts are enumerated by their drafters (all spellings summed, prefix trees expanded until
at most `tol` of a text's mass is unknown), finite distributions value by value, and
runs best first by their weight so far. Without pruning (`tol=0`) the result is exact
to rounding; otherwise `posterior.log_unexplored` bounds what is missing, as long as
no later factor is above 0. Cost: one model evaluation per distinct allowed prefix.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.drafting.drafts import at_sites
from pgen.inference.observing import observe_all
from pgen.inference.particles import Particle, log_weight_since
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine, Suspension
from pgen.programs.strings import StringDistribution
from pgen.programs.trace import Entry
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import Rng


@dataclass(frozen=True)
class Enumerate:
    """Sum over everything; `tol` is the share of each text's mass that may stay unknown (default: rounding)."""

    tol: float | None = None
    max_evaluations: int = 20_000
    max_runs: int = 100_000

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `LimitExceeded` past `max_evaluations` or `max_runs`, `InvalidArgument` on infinite choices."""
        search = _Search(self, machine, context)
        search.explore(machine.start(), 0.0, None)
        try:
            while search.frontier:
                search.branch(*search.frontier[0][2:])
            notes: tuple[str, ...] = ()
        except STOPPED as stop:
            notes = search.stopped(stop)
        return posterior_of(
            search.finished,
            label="exact",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            complete=True,
            log_unexplored=search.log_unexplored,
            notes=notes,
        )


@dataclass
class _Search:
    method: Enumerate
    machine: Machine
    context: Context
    frontier: list[tuple[float, int, Suspension, float]] = field(default_factory=list)
    finished: list[Particle] = field(default_factory=list)
    log_unexplored: float = -math.inf
    ties: Iterator[int] = field(default_factory=itertools.count)

    def explore(self, suspension: Suspension, log_weight: float, before: Suspension | None) -> None:
        """File a run where it belongs: dead, finished or to be branched."""
        total = log_weight + log_weight_since(suspension, before)
        if suspension.dead or total == -math.inf:
            self.finished.append(Particle(Suspension(suspension.trace, dead=True), -math.inf))
        elif suspension.effect is None:
            self.finished.append(Particle(suspension, total))
        else:
            heapq.heappush(self.frontier, (-total, next(self.ties), suspension, total))

    def branch(self, suspension: Suspension, log_weight: float) -> None:
        """Follow every outcome of the choice that the best run, with this weight, waits at."""
        effect = suspension.effect
        assert effect is not None
        kind = "observe" if isinstance(effect, Observe) else "sample"
        if len(self.finished) + len(self.frontier) > self.method.max_runs:
            raise LimitExceeded(
                f"enumeration passed max_runs={self.method.max_runs} runs at {effect.address!r}",
                hint="use a sampling method (pgen.Importance, pgen.SMC) or raise max_runs",
            )
        outcomes = self._outcomes(effect, log_weight)
        # Only now is the run off the frontier: a stop while the model was asked leaves it there.
        heapq.heappop(self.frontier)
        for value, log_mass in outcomes:
            entry = Entry(effect.address, kind, value, log_mass)  # type: ignore[arg-type]
            if log_mass == -math.inf:
                self.explore(Suspension(suspension.trace.extend(entry), dead=True), log_weight, suspension)
            else:
                self.explore(self.machine.resume(suspension.trace.extend(entry)), log_weight, suspension)

    def stopped(self, stop: BaseException) -> tuple[str, ...]:
        """Count what was not followed as unexplored; raises if there is nothing to report."""
        if not any(particle.log_weight > -math.inf for particle in self.finished):
            raise give_up(stop) from None
        left = [log_weight for _, _, _, log_weight in self.frontier]
        self.log_unexplored = log_sum_exp([self.log_unexplored, *left])
        return (f"{why(stop)}: {len(left)} runs were not followed, their mass is in log_unexplored",)

    def _outcomes(self, effect: Sample | Observe, log_weight: float) -> list[tuple[Any, float]]:
        distribution = effect.distribution
        if isinstance(effect, Observe):
            return [(effect.value, observe_all(self.context, [effect])[0])]
        if isinstance(distribution, StringDistribution):
            return self._texts(effect.address, distribution, log_weight)
        values = distribution.support()
        if values is None:
            raise InvalidArgument(
                f"{effect.address!r} has infinitely many values ({distribution!r}): it cannot be enumerated",
                hint="use pgen.Importance or pgen.SMC",
            )
        return [(value, distribution.log_prob(value)) for value in values]

    def _texts(self, address: str, distribution: StringDistribution, log_weight: float) -> list[tuple[Any, float]]:
        left = max(self.method.max_evaluations - self.context.n_evaluations, 0)
        drafter = self.context.drafter(distribution)
        with at_sites([address]):
            found = drafter.enumerate(distribution, f"enumerating {address!r}", self.method.tol, left)
        self.log_unexplored = float(np.logaddexp(self.log_unexplored, log_weight + found.log_rest))
        return list(found.texts)
