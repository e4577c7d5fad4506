"""Speculative sampling for any-order models: several positions drafted at once, verified by one density pass.

A round at canvas C, for the next positions o_1 .. o_n of the order (Guo and Ermon,
"Reviving any-subset autoregressive models", 2025; constraint and weights are ours):

1. One call gives p(. | C) for every open position. Draft y_1 .. y_n from its rows, each
   restricted to what the constraint allows after the drafts before it: d_j.
2. One density pass gives p_j = p(. | C, y_1 .. y_{j-1}), restricted the same way to t_j with
   mass Z_j before normalising. Keep y_j with probability min(1, t_j(y_j) / d_j(y_j)); at the
   first that is not kept draw from max(0, t_j - d_j), normalised, and end the round.

Every token kept or redrawn has law t_j given those before it, so the joint is that of
drawing one by one, and the product of Z_j weighs it against the model. The first draft is
always kept (its row is exact), so two calls give two tokens or more: never more calls
than tokens. Where a row gives nothing allowed any mass, d_j = 0: the position ends the
round without a draft, and its token is drawn from t_j.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.programs.anyorder import LogRows, next_positions
from pgen.programs.anyorder_process import AnyOrderProcess, CanvasState
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert

Floats = NDArray[np.float64]


class Drafted(NamedTuple):
    """Drafts for `positions`: `tokens`, the laws they were drawn from and the masks `(V,)` in force at each.

    The last position but the first may have no token: its law is 0 everywhere. `log_mass` is
    that of what the constraint allows at the first position.
    """

    state: CanvasState
    positions: tuple[int, ...]
    tokens: tuple[int, ...]
    laws: tuple[Floats, ...]
    allowed: tuple[NDArray[np.bool_], ...]
    log_mass: float


class Kept(NamedTuple):
    """The state after a round, and the log mass of what was allowed along the way (-inf: nothing was)."""

    state: CanvasState
    log_mass: float


def draft_ahead(process: AnyOrderProcess, state: CanvasState, rows: LogRows, rng: Rng) -> Drafted:
    """Draw tokens for the next positions from `rows (L, V)`, until the text is complete."""
    distribution = process.distribution
    most = 1 if distribution.adaptive else min(distribution.draft, state.canvas.count(None))
    drafted = Drafted(state, (), (), (), (), -np.inf)
    for _ in range(most):
        ways = next_positions(distribution.order, state.canvas, rows)
        position = ways[invert(np.array([share for _, share in ways]), rng)][0] if len(ways) > 1 else ways[0][0]
        allowed = process.allowed(state, position)
        law, mass = restricted(rows[position], allowed)
        if mass == 0.0 and not drafted.tokens:
            break
        # A position whose row has no mass stays: to give it up because of its row would bias a random order.
        tokens = (invert(law, rng),) if mass > 0.0 else ()
        drafted = Drafted(
            drafted.state,
            (*drafted.positions, position),
            drafted.tokens + tokens,
            (*drafted.laws, law),
            (*drafted.allowed, allowed),
            drafted.log_mass if drafted.tokens else log_or_ninf(mass),
        )
        if not tokens:
            break
        state = process.after(state, (position, *tokens))
        if process.finished(state) is not None:
            break
    return drafted


def kept_first(process: AnyOrderProcess, drafted: Drafted) -> Kept:
    """The outcome of a round of at most one position, whose draft is exact as it is."""
    if not drafted.tokens:
        return Kept(drafted.state, -np.inf)
    return Kept(process.after(drafted.state, (drafted.positions[0], drafted.tokens[0])), drafted.log_mass)


def verified(process: AnyOrderProcess, drafted: Drafted, rows: LogRows, rng: Rng) -> Kept:
    """The round's outcome, from the density pass `rows (n, V)` along the drafted positions."""
    state, log_mass = kept_first(process, drafted)
    for j, position in enumerate(drafted.positions[1:], 1):
        law, mass = restricted(rows[j], drafted.allowed[j])
        log_mass += log_or_ninf(mass)
        if mass == 0.0:
            return Kept(state, -np.inf)
        if j == len(drafted.tokens):
            return Kept(process.after(state, (position, invert(law, rng))), log_mass)
        token = drafted.tokens[j]
        ratio = min(1.0, float(law[token] / drafted.laws[j][token]))
        rejected = rng.uniform(lambda kept=ratio: np.array([kept, 1.0])) >= ratio  # type: ignore[misc]
        missing = np.maximum(law - drafted.laws[j], 0.0)
        if rejected and missing.any():
            return Kept(process.after(state, (position, invert(missing, rng))), log_mass)
        state = process.after(state, (position, token))
    return Kept(state, log_mass)


def restricted(row: NDArray[np.floating[Any]], allowed: NDArray[np.bool_]) -> tuple[Floats, float]:
    """The law `(V,)` of a row of log-probabilities within what is allowed, and the mass of that."""
    masses = np.where(allowed, np.exp(row.astype(np.float64)), 0.0)
    total = float(masses.sum())
    return masses / (total or 1.0), total
