"""ASAp: sampling by a trie that learns what each beginning is worth. Label: consistent; the evidence is unbiased.

Park et al., "Grammar-aligned decoding" (NeurIPS 2024). The trie holds every prefix
that a run has visited with the model's masses p and, for each outcome v after a
prefix w, an estimate c(wv) of what is earned from there on: at first what critics
expect (1 without any, the upper bound under a constraint), later the sum

    c(w) = sum over v of p(v | w) c(wv),

backed up along each run. A run draws v in proportion to p(v | w) c(wv). Here runs
are also weighted, by the product of c(w) / c(wv) and what their statements earned:
the law of a run depends on earlier runs only, so every weight is proper, and as
the estimates settle the weights become constant. The trie goes through all choices of a
program, later evidence included. Choices with infinitely many values are drawn from
their prior, and what precedes them is not learned.

Cost: one model evaluation per distinct prefix visited; memory 24 bytes for each
allowed token after it. Each run learns from the one before, so model calls are not batched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.particles import Particle
from pgen.inference.places import Outcomes, Place, Places, effect_of
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.programs.strings import StringDistribution
from pgen.sampling.logspace import log_sum_exp, normalized
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert


@dataclass
class Branch:
    """A visited prefix: outcomes, their estimates `log_values (n,)`, and the branches after those that were visited."""

    outcomes: Outcomes
    log_values: NDArray[np.float64]
    following: dict[int, Branch] = field(default_factory=dict)

    @property
    def log_value(self) -> float:
        """log c of the prefix."""
        return log_sum_exp(self.outcomes.log_masses + self.log_values)

    def draw(self, rng: Rng) -> int:
        """An outcome in proportion to p times c."""
        return invert(normalized(self.outcomes.log_masses + self.log_values), rng)


class Taken(NamedTuple):
    """An outcome on a run's way, and what statements after it earned, in nats."""

    branch: Branch
    outcome: int
    log_gained: float


class Trie:
    """What the runs so far have learned."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._start = places.start()
        self._root: Branch | None = None

    def run(self, rng: Rng) -> Particle:
        """One weighted run, from which the trie learns."""
        place, parent, path, n_steps = self._start, None, list[Taken](), 0
        while place.waits:
            if not self._places.is_finite(place):
                place, parent, path = self._from_prior(place, rng.at(n_steps)), None, []
                n_steps += 1
                continue
            branch = self._branch(place, parent, n_steps)
            if branch.log_value == -math.inf:
                return self._learned(path, -math.inf, place)
            taken, place = self._step(place, branch, rng.at(n_steps))
            parent, n_steps = taken, n_steps + 1
            path.append(taken)
        return self._learned(path, 0.0 if place.suspension.finished else -math.inf, place)

    def _from_prior(self, place: Place, rng: Rng) -> Place:
        distribution = effect_of(place).distribution
        assert not isinstance(distribution, StringDistribution)
        return self._places.follow(place, distribution.sample(rng), 0.0)

    def _branch(self, place: Place, parent: Taken | None, n_steps: int) -> Branch:
        """The branch at a place: known, or opened by one evaluation."""
        known = parent.branch.following.get(parent.outcome) if parent else self._root if n_steps == 0 else None
        if known is not None:
            return known
        (outcomes,) = self._places.outcomes([place])
        opened = Branch(outcomes, np.full(len(outcomes.log_masses), place.log_potential))
        if parent is not None:
            parent.branch.following[parent.outcome] = opened
        elif n_steps == 0:
            self._root = opened
        return opened

    def _step(self, place: Place, branch: Branch, rng: Rng) -> tuple[Taken, Place]:
        index = branch.draw(rng)
        log_earned = branch.log_value - float(branch.log_values[index])
        after = self._places.follow(place, branch.outcomes.values[index], log_earned)
        log_gained = after.log_earned - place.log_earned - log_earned
        return Taken(branch, index, log_gained), after

    def _learned(self, path: list[Taken], log_value: float, place: Place) -> Particle:
        """Back up the estimates along the way."""
        for branch, outcome, log_gained in reversed(path):
            branch.log_values[outcome] = log_gained + log_value
            log_value = branch.log_value
        return place.particle


@dataclass(frozen=True)
class ASAp:
    """`runs` weighted runs, each drawn by what the earlier ones have learned."""

    runs: int = 64

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InvalidArgument(f"runs={self.runs}: at least one is needed")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every run dies."""
        particles: list[Particle] = []
        notes: tuple[str, ...] = ()
        try:
            trie = Trie(Places(machine, context))
            particles.extend(trie.run(rng.at(number)) for number in range(self.runs))
        except STOPPED as stop:
            if not any(particle.log_weight > -math.inf for particle in particles):
                raise give_up(stop) from None
            notes = (f"{why(stop)} after {len(particles)} of {self.runs} runs",)
        return posterior_of(
            particles, label="consistent", method=repr(self), n_evaluations=context.n_evaluations, notes=notes
        )
