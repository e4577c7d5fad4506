"""Adaptive weighted rejection sampling: one draw under a test that sees one token at a time.

Tokens are drawn from the model and tested; a rejected token is removed and the rest
redrawn, so the accepted token follows p restricted to the accepted set A. A little
more sampling gives a weight with E[weight 1{token = x}] = p(x) 1[x in A], exactly.
Lipkin et al., "Fast controlled generation from language models with adaptive
weighted rejection sampling" (COLM 2025, arXiv 2504.05410), which has the first two of
three estimators:

*recursive*: let R be the mass left when x is accepted. One further token is drawn
without replacement; the weight is R if it is accepted too, else p(x). (The chance that
an order of draws begins with x is p(x) / R times that of its rejects, so p(x) is what
x contributes by itself and R - p(x) what the coin says about the tokens after it.)

*geometric*: draw with replacement until the m-th acceptance, after n rejections in
all; then (m - 1) / (m + n - 1) is unbiased for the accepted mass (the negative binomial
estimator) and independent of which token came first. Rejected tokens are removed all
the same: how often they would have come again is a geometric number, drawn directly.

*harmonic*: the same draws up to the second acceptance; with R_0 > R_1 > ... > R_n the masses
left after each rejection the weight is 1 / sum of 1 / R_k, which needs no geometric
numbers. Without rejections it is R_0, and its variance is no larger.

With Z the accepted mass and V the tokens: about 1 / Z tests, never more than V; O(V)
to start, O(sqrt V) a draw. Recursive needs two tests at least; the others need one where
one token is likely, since an accepted token that comes again is not tested again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, ModelError
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD

Accepts = Callable[[int], bool]
Estimator = Literal["auto", "recursive", "geometric", "harmonic"]

LIKELY = 2 / 3
"""Probability of the likeliest token from which the recursive estimator needs more tests than the others."""


class Accepted(NamedTuple):
    """A token (`DEAD` if none is accepted), its log weight, and how many tests it took."""

    token: int
    log_weight: float
    n_checks: int


class _Estimate(NamedTuple):
    """The same with a linear weight, in units of the likeliest token's probability."""

    token: int
    weight: float
    n_checks: int


def awrs(
    rng: Rng,
    log_probs: NDArray[np.floating[Any]],
    accepts: Accepts,
    *,
    estimator: Estimator = "auto",
    n_accepts: int = 2,
) -> Accepted:
    """A properly weighted draw from `log_probs` `(V,)` restricted to the tokens that `accepts` holds for.

    `log_probs` may sum to less or more than 1 (a mask, a product): the weight estimates
    the accepted part of that sum. `accepts` is called at most once per token.
    `n_accepts` above 2 lowers the variance of the geometric estimator at the price of
    more draws; `"auto"` takes it then, else the harmonic one where a token has most of
    the mass, else the recursive one.
    """
    _check(estimator, n_accepts)
    top = float(np.max(log_probs)) if len(log_probs) else -math.inf
    if math.isnan(top) or top == math.inf:
        raise ModelError(f"the log-probabilities to draw from contain {top}")
    if top == -math.inf:
        return Accepted(DEAD, -math.inf, 0)
    urn = Urn(np.exp(log_probs.astype(np.float64) - top))
    if n_accepts > 2 or estimator == "geometric":
        drawn = _geometric(rng, urn, accepts, n_accepts)
    elif estimator == "harmonic" or (estimator == "auto" and urn.remaining < 1 / LIKELY):
        drawn = _harmonic(rng, urn, accepts)
    else:
        drawn = _recursive(rng, urn, accepts)
    return Accepted(drawn.token, log_or_ninf(drawn.weight) + top, drawn.n_checks)


def _check(estimator: str, n_accepts: int) -> None:
    if estimator not in ("auto", "recursive", "geometric", "harmonic"):
        raise InvalidArgument(f"estimator={estimator!r}: expected 'auto', 'recursive', 'geometric' or 'harmonic'")
    if n_accepts < 2 or (n_accepts > 2 and estimator in ("recursive", "harmonic")):
        raise InvalidArgument(
            f"n_accepts={n_accepts} with estimator={estimator!r}: 2, or more for the geometric estimator"
        )


class Urn:
    """Tokens drawn in proportion to their `masses`, with or without replacement; takes over the array.

    Masses are kept in blocks of about sqrt V with their sums, which are summed afresh
    when a token is removed: subtraction would cancel once little is left.
    """

    def __init__(self, masses: NDArray[np.float64]) -> None:
        self._width = max(1, math.isqrt(len(masses)))
        n_blocks = -(-len(masses) // self._width)
        self._blocks = np.zeros((n_blocks, self._width))
        self._blocks.reshape(-1)[: len(masses)] = masses
        self._sums = self._blocks.sum(axis=1)

    @property
    def remaining(self) -> float:
        """Total mass."""
        return float(self._sums.sum())

    def mass(self, token: int) -> float:
        """The mass of one token."""
        return float(self._blocks.reshape(-1)[token])

    def draw(self, rng: Rng) -> int:
        """A token with probability in proportion to its mass."""
        point = rng.uniform(self._breakpoints)
        running = np.cumsum(self._sums)
        goal = point * running[-1]
        block = _interval(running, goal)
        within = np.cumsum(self._blocks[block])
        return block * self._width + _interval(within, goal - (running[block - 1] if block else 0.0))

    def remove(self, token: int) -> None:
        """Take a token out."""
        block, place = divmod(token, self._width)
        self._blocks[block, place] = 0.0
        self._sums[block] = self._blocks[block].sum()

    def _breakpoints(self) -> NDArray[np.float64]:
        running = np.cumsum(self._blocks)
        return np.asarray(running / running[-1], np.float64)


def _interval(running: NDArray[np.float64], goal: float) -> int:
    """The first index where `running` exceeds `goal`; the last that adds any mass, should rounding lead past it."""
    index = int(np.searchsorted(running, goal, side="right"))
    return index if index < len(running) else int(np.searchsorted(running, running[-1], side="left"))


def _recursive(rng: Rng, urn: Urn, accepts: Accepts) -> _Estimate:
    n_checks = 0
    while (remaining := urn.remaining) > 0:
        token = urn.draw(rng)
        mass = urn.mass(token)
        urn.remove(token)
        n_checks += 1
        if not accepts(token):
            continue
        if urn.remaining <= 0:
            return _Estimate(token, mass, n_checks)
        return _Estimate(token, remaining if accepts(urn.draw(rng)) else mass, n_checks + 1)
    return _Estimate(DEAD, 0.0, n_checks)


class _Run(NamedTuple):
    """Draws until enough acceptances (or nothing is left), rejected tokens removed, accepted ones put back."""

    first: int
    n_accepted: int
    n_checks: int
    before_draws: list[float]
    """Mass in the urn before each draw."""
    levels: list[float]
    """Mass in the urn at the start and after each rejection."""


def _run(rng: Rng, urn: Urn, accepts: Accepts, n_accepts: int) -> _Run:
    accepted: list[int] = []
    tested: set[int] = set()
    before_draws, levels = [], [urn.remaining]
    while len(accepted) < n_accepts and levels[-1] > 0:
        before_draws.append(levels[-1])
        token = urn.draw(rng)
        if token in tested or accepts(token):
            accepted.append(token)
        else:
            urn.remove(token)
            levels.append(urn.remaining)
        tested.add(token)
    return _Run(accepted[0] if accepted else DEAD, len(accepted), len(tested), before_draws, levels)


def _harmonic(rng: Rng, urn: Urn, accepts: Accepts) -> _Estimate:
    run = _run(rng, urn, accepts, 2)
    weight = 1.0 / math.fsum(1.0 / mass for mass in run.levels) if run.n_accepted == 2 else 0.0
    return _Estimate(run.first, weight, run.n_checks)


def _geometric(rng: Rng, urn: Urn, accepts: Accepts, n_accepts: int) -> _Estimate:
    run = _run(rng, urn, accepts, n_accepts)
    if run.n_accepted < n_accepts:
        return _Estimate(DEAD, 0.0, run.n_checks)
    total = run.levels[0]
    n_rejected = len(run.levels) - 1 + sum(_failures(rng, mass / total) for mass in run.before_draws)
    return _Estimate(run.first, total * (n_accepts - 1) / (n_accepts + n_rejected - 1), run.n_checks)


def _failures(rng: Rng, success: float) -> int:
    """How many failures come before the first success: a geometric number, 0 included."""
    if success >= 1.0:
        return 0
    log_failure = math.log1p(-success)

    def breakpoints() -> NDArray[np.float64]:
        count = math.ceil(math.log(1e-17) / log_failure)
        return np.append(-np.expm1(log_failure * np.arange(1, count)), 1.0)

    return int(math.log1p(-rng.uniform(breakpoints)) / log_failure)
