"""The evidence from both sides: forwards from proposals, backwards from an exact draw. Label: consistent.

Forwards, the mean weight F of N independent runs has E[F] = Z, so log F is too low on average.
Backwards, one of the runs is a draw from the posterior itself, with the weight w* that
its own random choices give it, beside N - 1 proposals:

    R = (w* + w_2 + ... + w_N) / N,    E[1 / R] = 1 / Z,    so log R is too high on average

(Grosse, Ancha and Roy, "Measuring the reliability of MCMC inference with bidirectional Monte
Carlo", NeurIPS 2016; for importance sampling the reverse chain is this one draw). By Markov's
inequality each side is off in its direction by more than b nats with probability e^-b at most.
A gap that does not close as N grows shows what no forward diagnostic can: a mode
that the proposals miss. Cost: the runs, and 1 / Z more for an exact draw by rejection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.methods import importance
from pgen.inference.methods.rejection import Rejection
from pgen.inference.methods.replicated import Shifted
from pgen.inference.particles import Particle, Population
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.logspace import log_sum_exp, normalized
from pgen.sampling.rng import Rng


@dataclass(frozen=True, repr=False)
class BidirectionalPosterior(Posterior):
    """The pooled forward runs; `log_forward` and `log_reverse` hold log F and log R of each replicate."""

    log_forward: tuple[float, ...] = ()
    log_reverse: tuple[float, ...] = ()

    @property
    def log_evidence_interval(self) -> tuple[float, float]:
        """Mean log F and mean log R: on average the log evidence lies between them."""
        return float(np.mean(self.log_forward)), float(np.mean(self.log_reverse))

    @property
    def gap(self) -> float:
        """Width of the interval, in nats."""
        low, high = self.log_evidence_interval
        return high - low


@dataclass(frozen=True)
class Bidirectional:
    """`runs` replicates with `particles` runs each.

    `reference` says where the posterior draw comes from: "exact" by rejection (`log_bound`: the
    largest log weight of a run, 0 where all evidence are probabilities), "weighted" from
    the runs of the other replicates, which is quick and only as good as they are.
    """

    particles: int = 32
    runs: int = 8
    reference: Literal["exact", "weighted"] = "exact"
    log_bound: float = 0.0

    def __post_init__(self) -> None:
        importance.check_particles(self.particles, None)
        if self.runs < 2:
            raise InvalidArgument(f"runs={self.runs}: at least two are needed")
        if self.reference not in ("exact", "weighted"):
            raise InvalidArgument(f"reference={self.reference!r}: expected 'exact' or 'weighted'")

    def run(self, machine: Machine, context: Context, rng: Rng) -> BidirectionalPosterior:
        """Raises `ZeroEvidence` if every run dies, and what rejection raises where exact draws are too rare."""
        # Without look-ahead the runs are independent, which the backward estimate needs.
        population = Population(machine, context, 0)
        groups: list[list[Particle]] = []
        reference = self.reference
        notes: tuple[str, ...] = ()
        try:
            for number in range(self.runs):
                groups.append(self._group(population, Shifted(rng, number)))  # noqa: PERF401
        except STOPPED as stop:
            if len(groups) < 2:
                raise give_up(stop) from None
            reference, notes = "weighted", (f"{why(stop)} after {len(groups)} of {self.runs} replicates",)
        exact = self._exact(machine, context, rng) if reference == "exact" else None
        return self._posterior(groups, self._picked(groups, rng) if exact is None else exact, reference, notes, context)

    def _posterior(
        self,
        groups: Sequence[Sequence[Particle]],
        references: Sequence[float],
        reference: str,
        notes: tuple[str, ...],
        context: Context,
    ) -> BidirectionalPosterior:
        forward = [log_forward(_log_weights(group)) for group in groups]
        # An interrupted rejection has fewer draws than there are replicates.
        pairs = zip(references, groups, strict=False)
        reverse = [log_reverse(log_weight, _log_weights(group)[1:]) for log_weight, group in pairs]
        low, high = float(np.mean(forward)), float(np.mean(reverse))
        said = f"log evidence between {low:.4g} and {high:.4g} on average ({reference} posterior draws)"
        found = posterior_of(
            list(chain.from_iterable(groups)),
            label="consistent",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=(said, *notes),
        )
        return BidirectionalPosterior(**vars(found), log_forward=tuple(forward), log_reverse=tuple(reverse))

    def _group(self, population: Population, rng: Rng) -> list[Particle]:
        state = importance.init(population, self.particles)
        while any(particle.running for particle in state.particles):
            state, _ = importance.step(rng, population, state)
        return state.particles

    def _exact(self, machine: Machine, context: Context, rng: Rng) -> list[float]:
        """log weights of exact posterior draws, one a replicate."""
        exact = Rejection(self.runs, log_bound=self.log_bound).run(machine, context, Shifted(rng, self.runs))
        return [trace.log_weight for trace in exact.traces]

    def _picked(self, groups: Sequence[Sequence[Particle]], rng: Rng) -> list[float]:
        """For each replicate the log weight of a run of the others, by weight."""
        picked: list[float] = []
        for number in range(len(groups)):
            others = chain.from_iterable(group for i, group in enumerate(groups) if i != number)
            log_weights = _log_weights(list(others))
            running = np.cumsum(normalized(log_weights))
            if running[-1] == 0:
                raise LimitExceeded(
                    "every run of the other replicates died, so none can stand for the posterior",
                    hint="use more particles, or reference='exact'",
                )
            running /= running[-1]
            point = Shifted(rng, self.runs + 1).at(number).uniform(lambda shares=running: shares)  # type: ignore[misc]
            picked.append(log_weights[int(np.searchsorted(running, point, side="right"))])
        return picked


def log_forward(log_weights: Sequence[float]) -> float:
    """log F: the mean weight of N proposals."""
    return log_sum_exp(np.asarray(log_weights)) - math.log(len(log_weights))


def log_reverse(log_reference: float, log_weights: Sequence[float]) -> float:
    """log R: the mean weight of a posterior draw and N - 1 proposals."""
    return log_forward([log_reference, *log_weights])


def _log_weights(particles: Sequence[Particle]) -> list[float]:
    return [particle.total_log_weight for particle in particles]
