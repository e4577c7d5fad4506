"""Rejection sampling that makes no mistake twice: exact draws by a trie of upper bounds. Label: exact.

The trie holds every prefix that a try has visited, and for each outcome v after it a bound U(v) on the
mass of all runs that go through v: at first the mass of the prefix, times what critics, products of models and
statements (`log_bound`) can add; later what is known,

    U(prefix) = sum over its outcomes of U(v),     U(complete run) = its mass, 0 if it is dead.

A try walks from the root, v in proportion to U(v). Where it visits something for the first time the bound
falls from U to U', and the try goes on with probability U' / U, else it is rejected. So a run x of mass
f(x) is accepted with probability f(x) / U(root), whatever was learned before: accepted runs are independent
draws from the posterior. Every rejection teaches something, so that there are no more of them than prefixes;
where the support is exhausted every try is accepted. (The trie is that of ASAp, Park et al., NeurIPS 2024,
with bounds in place of estimates; soft weights are treated like masks.)

With U_i the root at try i, (k - 1) / (sum of 1 / U_i over the tries before the k-th acceptance) estimates the
evidence: inverse binomial sampling (`rejection`) as long as nothing is learned. The trie also bounds it on both
sides. Cost: one model evaluation per distinct prefix visited, not batched; memory 24 bytes for each token
allowed after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.places import Outcomes, Place, Places
from pgen.inference.posterior import Posterior, posterior_of, zero_evidence
from pgen.programs.machine import Machine
from pgen.sampling.logspace import log_sum_exp, normalized
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert


@dataclass(frozen=True, repr=False)
class BoundedPosterior(Posterior):
    """Exact draws, and certified bounds (nats) on the evidence that they come from."""

    log_found: float = -math.inf
    log_reachable: float = math.inf

    @property
    def log_evidence_bounds(self) -> tuple[float, float]:
        """The log evidence lies between these."""
        return self.log_found, self.log_reachable


@dataclass
class Branch:
    """A visited prefix: what may follow, `log_bounds (n,)` on the runs through it, and what has been visited.

    `slack`: how much, in nats, runs may still gain over what the model and the text's own critics allow.
    """

    place: Place
    outcomes: Outcomes
    log_bounds: NDArray[np.float64]
    slack: float
    following: dict[int, Branch | Place] = field(default_factory=dict)

    @property
    def log_total(self) -> float:
        """log U of the prefix."""
        return log_sum_exp(self.log_bounds)


class BoundTrie:
    """What the tries so far have learned; `log_bound` is the most that statements add to any run."""

    def __init__(self, places: Places, log_bound: float) -> None:
        self._places = places
        self.log_found = -math.inf
        """log mass of the complete runs that were visited: the evidence is not below it."""
        self.dead: list[Place] = []
        start = places.start()
        self._root = self._opened(start, math.inf, log_bound)

    @property
    def log_reachable(self) -> float:
        """log U of the root: the evidence is not above it."""
        return _log_total(self._root)

    def attempt(self, rng: Rng) -> Place | None:
        """A draw from the posterior, or `None` for a try that is rejected."""
        here, path = self._root, list[tuple[Branch, int]]()
        while isinstance(here, Branch):
            index = invert(normalized(here.log_bounds), rng.at(2 * len(path)))
            path.append((here, index))
            if index not in here.following:
                chance = math.exp(min(0.0, self._visit(path)))
                if rng.at(2 * len(path) - 1).uniform(partial(_split, chance)) >= chance:
                    return None
            here = here.following[index]
        return here

    def _visit(self, path: list[tuple[Branch, int]]) -> float:
        """Look at what the last outcome leads to, lower the bounds on the way there, and return log U' / U."""
        branch, index = path[-1]
        log_before = float(branch.log_bounds[index])
        after = self._places.follow(
            branch.place, branch.outcomes.values[index], float(branch.outcomes.log_masses[index])
        )
        branch.following[index] = self._opened(after, log_before - branch.slack, branch.slack)
        for parent, taken in reversed(path):
            parent.log_bounds[taken] = _log_total(parent.following[taken])
        return float(branch.log_bounds[index]) - log_before

    def _opened(self, place: Place, log_expected: float, slack: float) -> Branch | Place:
        """What is at a place whose runs were expected to weigh `log_expected` at most, and the slack more."""
        if not place.waits:
            _check_gain(place, _log_total(place) - log_expected, slack)
            self.log_found = float(np.logaddexp(self.log_found, _log_total(place)))
            if _log_total(place) == -math.inf:
                self.dead.append(place)
            return place
        (outcomes,) = self._places.outcomes([place])
        log_bounds = self._places.log_bounds(place, outcomes)
        log_total = log_sum_exp(log_bounds)
        log_gain = math.inf if log_total == math.inf else log_total - log_expected
        _check_gain(place, log_gain, slack)
        slack -= max(0.0, log_gain)
        return Branch(place, outcomes, log_bounds + slack, slack)


def _log_total(found: Branch | Place) -> float:
    return found.log_total if isinstance(found, Branch) else found.particle.log_weight


def _check_gain(place: Place, log_gain: float, slack: float) -> None:
    if log_gain <= slack + 1e-9:
        return
    entry = place.suspension.trace.entry
    reached = f"{entry.kind} {entry.address!r}" if entry is not None else "the start"
    raise InvalidArgument(
        f"a run gains {'without bound' if log_gain == math.inf else f'{log_gain:.4g} nats'} at {reached}, "
        f"where at most {slack:.4g} were expected",
        hint="set log_bound= to the most that factors above 0, densities above 1, products of models and texts with "
        'end="prefix" can add to a run, and give a potential its bound: .weighted(f, bound=...)',
    )


def _split(chance: float) -> NDArray[np.float64]:
    return np.array([chance, 1.0])


@dataclass(frozen=True)
class AdaptiveRejection:
    """`draws` exact draws in at most `max_tries` tries, each of which knows what the earlier ones have met.

    `log_bound` (nats): the most that factors above 0 and densities above 1 add to any run.
    """

    draws: int = 100
    max_tries: int = 100_000
    log_bound: float = 0.0

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise InvalidArgument(f"draws={self.draws}: one acceptance says nothing about the evidence, take 2 or more")
        if not 0 <= self.log_bound < math.inf:
            raise InvalidArgument(f"log_bound={self.log_bound}: must be finite and not negative")

    def run(self, machine: Machine, context: Context, rng: Rng) -> BoundedPosterior:
        """Raises `LimitExceeded` if `max_tries` tries give too few draws, `ZeroEvidence` if there is nothing to draw.

        Raises `InvalidArgument` on infinite choices, and where a run gains more than its bound.
        """
        drawn, log_roots = list[Place](), list[float]()
        trie: BoundTrie | None = None
        notes: tuple[str, ...] = ()
        try:
            trie = BoundTrie(Places(machine, context, lists_normalised=True), self.log_bound)
            while len(drawn) < self.draws:
                self._check(trie, drawn, len(log_roots))
                log_roots.append(trie.log_reachable)
                found = trie.attempt(rng.at(len(log_roots)))
                drawn.extend([] if found is None else [found])
        except STOPPED as stop:
            if trie is None or len(drawn) < 2:
                raise give_up(stop) from None
            notes = (why(stop),)
        return self._posterior(trie, drawn, log_roots, notes, context)

    def _check(self, trie: BoundTrie, drawn: list[Place], n_tries: int) -> None:
        if trie.log_reachable == -math.inf:
            raise zero_evidence([place.particle for place in trie.dead])
        if n_tries >= self.max_tries:
            raise LimitExceeded(
                f"adaptive rejection accepted {len(drawn)} of {n_tries} tries; {self.draws} were asked for",
                hint="use pgen.Importance or pgen.SMC, or raise max_tries",
            )

    def _posterior(
        self, trie: BoundTrie, drawn: list[Place], log_roots: list[float], notes: tuple[str, ...], context: Context
    ) -> BoundedPosterior:
        log_inverse = log_sum_exp(-np.array(log_roots[:-1]))
        low, high = trie.log_found, max(trie.log_found, trie.log_reachable)
        log_evidence = min(max(math.log(len(drawn) - 1) - log_inverse, low), high)
        found = posterior_of(
            [place.particle._replace(log_weight=log_evidence) for place in drawn],
            label="exact",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=(f"accepted {len(drawn)} of {len(log_roots)} tries", *notes),
        )
        return BoundedPosterior(**vars(found), log_found=low, log_reachable=high)
