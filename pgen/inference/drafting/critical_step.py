"""One token under predicates or a guide: test every candidate, or draw and test one at a time.

Both proposals are weighted properly for p(token) 1[the predicates hold after it]:
"mask" by the exact mass of what passes, "awrs" by an unbiased estimate of it
(`pgen.sampling.awrs`). Their cost is the number of tests, which is what "auto" compares:
the candidates, shared by all drafts at one prefix, with what the draws of this
process have needed on average so far, once for each draft. Counting tests, not
seconds, keeps results a function of the seed. Other proposals are in
`pgen.inference.drafting.proposals`.

A guide multiplies each candidate's mass by what it expects afterwards, psi. The weight
is then that of the enlarged masses over psi of the drawn token: the draft gets psi
when the token has become part of its text (`TextProcess.log_potential`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pgen.programs.critics import Proposal
from pgen.programs.process import TextProcess, TextState
from pgen.sampling.awrs import Accepted, Estimator, awrs
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD, STOP, Distribution, outcome_masses

ESTIMATORS: Mapping[Proposal, Estimator] = MappingProxyType(
    {"awrs": "auto", "awrs-recursive": "recursive", "awrs-geometric": "geometric"}
)
"""Proposals that test one token at a time, and how they estimate the mass of what passes."""
FEWEST_TESTS = 2
"""Tests of a draw while nothing is known: the first acceptance and the coin after it."""


class Candidates(NamedTuple):
    """What the mask allows after `state`: `outcomes (n,)` are tokens or `STOP`.

    `log_masses (n,)` include the twists of the guide, `log_twists (n,)`.
    """

    process: TextProcess
    state: TextState
    outcomes: np.ndarray[tuple[int], np.dtype[np.int64]]
    log_masses: np.ndarray[tuple[int], np.dtype[np.float64]]
    log_twists: np.ndarray[tuple[int], np.dtype[np.float64]]

    def earned(self, index: int, log_weight: float) -> tuple[int, float]:
        """The outcome at `index` (`DEAD` for none) and its log weight without the twist."""
        if index == DEAD:
            return DEAD, -math.inf
        return int(self.outcomes[index]), log_weight - float(self.log_twists[index])

    def passes(self, index: int) -> bool:
        """Whether the predicates hold after an outcome."""
        return self.process.log_outcome(self.state, int(self.outcomes[index])) > -math.inf


class Tally:
    """Tests that draws one at a time have taken, of one process."""

    def __init__(self) -> None:
        self.n_draws = 0
        self.n_tests = 0

    def add(self, drawn: Accepted) -> None:
        """Count one draw."""
        self.n_draws += 1
        self.n_tests += drawn.n_checks

    @property
    def mean(self) -> float:
        """Expected tests of one more draw."""
        return self.n_tests / self.n_draws if self.n_draws else FEWEST_TESTS


def candidates(process: TextProcess, state: TextState, given: Distribution, row: int) -> Candidates:
    """The outcomes with any mass under the model's probabilities in `row` of `given`."""
    stop, tokens, masses = outcome_masses(given, row, process.choice(state))
    if stop > 0:
        tokens, masses = np.append(tokens, STOP), np.append(masses, stop)
    log_twists = process.log_twists(state, tokens)
    return Candidates(process, state, tokens, np.log(masses) + log_twists, log_twists)


def is_needed(process: TextProcess) -> bool:
    """Whether a masked draw from the model's own probabilities is not all there is to do."""
    foreign = process.guide is not None or process.distribution.proposer is not None
    return process.critics.selective or foreign or process.measure is not None


def draw(found: Candidates, rng: Rng, proposal: Proposal, tally: Tally, n_sharing: int) -> tuple[int, float]:
    """An outcome (a token, `STOP` or `DEAD`) and its log weight; `n_sharing` drafts stand at this prefix."""
    if not len(found.outcomes):
        return DEAD, -math.inf
    if proposal == "auto":
        proposal = "mask" if len(found.outcomes) <= n_sharing * tally.mean else "awrs"
    estimator = ESTIMATORS.get(proposal)
    if estimator is None or not found.process.critics.selective:
        return _masked(found, rng)
    drawn = awrs(rng, found.log_masses, found.passes, estimator=estimator)
    tally.add(drawn)
    return found.earned(drawn.token, drawn.log_weight)


def _masked(found: Candidates, rng: Rng) -> tuple[int, float]:
    passing = np.arange(len(found.outcomes))
    if found.process.critics.selective:
        passing = np.flatnonzero([found.passes(index) for index in range(len(passing))])
    if not len(passing):
        return DEAD, -math.inf
    log_masses = found.log_masses[passing]
    log_total = log_sum_exp(log_masses)
    running = np.cumsum(np.exp(log_masses - log_total))
    running /= running[-1]
    index = int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
    return found.earned(int(passing[index]), log_total)
