"""Sum-product over positions: mass, samples, marginals and entropy of one denoising step under an automaton.

The step posterior is π(x) = Π p_i(x_i) 1[x in L] / Z over canvases x. Backward messages
β_i(s), the mass of all ways to end well from state s at place i, follow

    β_L(s) = 1[s final],    β_i(s) = Σ_s' M_i[s, s'] β_{i+1}(s'),    Z = β_0(start),

and a draw walks forwards by M_i[s, s'] β_{i+1}(s') / β_i(s) (forward filtering the other way
round; Rabiner 1989 for the recursions, Dang and Ermon 2026 for their use here). With forward
messages α, the token v at position i has probability p_i(v) Σ_s α_i(s) β_{i+1}(δ(s, v)) / Z.
O(L E) for E edges; masses have unlimited range (`pgen.chains.kernels`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pgen.chains import kernels
from pgen.chains.automaton import Ints
from pgen.chains.emissions import LOG_TWO, Canvas, Emissions, Floats
from pgen.sampling.rng import CounterRng, Rng


class Messages(NamedTuple):
    """Backward messages `(places, S)` as mantissa and power of two, for canvases that begin in state `start`.

    `length` is that of the whole canvas; the emissions may cover less (up to the end of a block).
    `support` lists the states that the canvas can be in at each place: bounds `(places + 1,)` and states.
    """

    emissions: Emissions
    mantissa: Floats
    exponent: Ints
    start: int
    length: int
    support: tuple[Ints, Ints]

    @property
    def log_mass(self) -> float:
        """log Z: log mass of the canvases that end in the language; -inf if there are none."""
        return _log(self.mantissa[0, self.start], self.exponent[0, self.start])

    def log_mass_given(self, canvas: Canvas) -> float:
        """`given(canvas).log_mass`, for those who need nothing else: only what changes is computed."""
        emissions = self.emissions.committed(canvas)
        changed = np.flatnonzero(emissions.fixed != self.emissions.fixed)
        kept = int(changed[-1]) + 1 if len(changed) else 0
        mantissa, exponent = (
            np.empty((kept + 1, self.mantissa.shape[1])),
            np.empty((kept + 1, self.mantissa.shape[1]), np.int32),
        )
        mantissa[kept], exponent[kept] = self.mantissa[kept], self.exponent[kept]
        _sweep(emissions, self, mantissa, exponent, kept)
        return _log(mantissa[0, self.start], exponent[0, self.start])

    def given(self, canvas: Canvas) -> Messages:
        """The messages when more positions are committed, under the same marginals.

        `canvas` must agree with what is committed already; what lies behind the last new position is kept.
        """
        emissions = self.emissions.committed(canvas)
        changed = np.flatnonzero(emissions.fixed != self.emissions.fixed)
        if not len(changed):
            return self
        mantissa, exponent, kept = np.empty_like(self.mantissa), np.empty_like(self.exponent), int(changed[-1]) + 1
        mantissa[kept:], exponent[kept:] = self.mantissa[kept:], self.exponent[kept:]
        _sweep(emissions, self, mantissa, exponent, kept)
        return self._replace(emissions=emissions, mantissa=mantissa, exponent=exponent)


def _log(mantissa: float, power: int) -> float:
    """Mantissa and power of two as a natural logarithm."""
    return math.log(mantissa) + int(power) * LOG_TWO if mantissa > 0.0 else -math.inf


def messages(emissions: Emissions, length: int | None = None, start: int | None = None) -> Messages:
    """Backward messages of a canvas; `start` is the automaton's state before it (default: its own start).

    With `length`, the emissions cover the first positions of a longer canvas: what
    follows counts 1 from the states that can still end well in it, else 0.
    """
    automaton, places = emissions.automaton, emissions.length + 1
    whole, begin = emissions.length if length is None else length, automaton.start if start is None else start
    mantissa, exponent = np.empty((places, automaton.n_states)), np.empty((places, automaton.n_states), np.int32)
    bounds, states = _support(emissions, begin, whole)
    last = states[bounds[-2] : bounds[-1]]
    mantissa[-1], exponent[-1] = 0.0, kernels.NOWHERE
    mantissa[-1, last] = automaton.within(whole - emissions.length)[last]
    exponent[-1, mantissa[-1] > 0] = 0
    made = Messages(emissions, mantissa, exponent, begin, whole, (bounds, states))
    _sweep(emissions, made, mantissa, exponent, emissions.length)
    return made


def _support(emissions: Emissions, start: int, length: int) -> tuple[Ints, Ints]:
    """What of the automaton's support the committed positions leave."""
    automaton, edges = emissions.automaton, emissions.automaton.edges
    bounds, states = automaton.support(length, start)
    into = np.empty(emissions.length + 2, np.int32), np.empty(len(states), np.int32)
    fixed, labels = emissions.fixed, emissions.labels[0]
    laid = edges.start, edges.target, edges.label, automaton.delta, automaton.successors
    kernels.reachable(*laid, bounds, states, fixed, labels, start, *into)
    return into


def _sweep(emissions: Emissions, frame: Messages, mantissa: Floats, exponent: Ints, last: int) -> None:
    """Recompute the places before `last`."""
    automaton, edges = emissions.automaton, emissions.automaton.edges
    bounds, states = frame.support
    kernels.backward(
        edges.start,
        edges.target,
        edges.label,
        automaton.delta,
        bounds,
        states,
        emissions.fixed,
        *emissions.labels,
        0,
        last,
        mantissa,
        exponent,
    )


class Drawn(NamedTuple):
    """Tokens at the positions asked for, in their order; `states (n + 1,)` before and after the first n positions."""

    tokens: tuple[int, ...]
    states: Ints


def sample(given: Messages, positions: Sequence[int], rng: Rng) -> Drawn:
    """Draw the tokens of some open positions from the step posterior; its mass must not be zero.

    One uniform for the edge of each open position up to the last asked for, and one for each token.
    """
    emissions, last = given.emissions, max(positions, default=-1) + 1
    uniforms, undecided = np.zeros(last), np.flatnonzero(emissions.fixed[:last] < 0)
    if isinstance(rng, CounterRng):
        uniforms[undecided] = rng.several(len(undecided))
    else:
        for i in undecided.tolist():
            uniforms[i] = rng.uniform(lambda i=i: _edge_breakpoints(given, uniforms[:i]))  # type: ignore[misc]
    path, taken = _traced(given, uniforms)
    tokens = []
    for i in positions:
        label = int(emissions.automaton.edges.label[taken[i]])
        uniform = rng.uniform(lambda i=i, label=label: emissions.breakpoints(i, label))  # type: ignore[misc]
        tokens.append(emissions.draw(i, label, uniform))
    return Drawn(tuple(tokens), path)


def _traced(given: Messages, uniforms: Floats) -> tuple[Ints, Ints]:
    automaton, edges, count = given.emissions.automaton, given.emissions.automaton.edges, len(uniforms)
    path, taken = np.empty(count + 1, np.int32), np.empty(count, np.int32)
    kernels.trace(
        edges.start,
        edges.target,
        edges.label,
        automaton.delta,
        given.emissions.fixed,
        *given.emissions.labels,
        given.mantissa,
        given.exponent,
        uniforms,
        given.start,
        path,
        taken,
    )
    return path, taken


def _edge_breakpoints(given: Messages, uniforms: Floats) -> Floats:
    """Cumulative probabilities of the edges at the position that comes after those already decided."""
    edges, i = given.emissions.automaton.edges, len(uniforms)
    state = _traced(given, uniforms)[0][-1]
    around = slice(edges.start[state], edges.start[state + 1])
    label, target = edges.label[around], edges.target[around]
    mantissa, exponent = given.emissions.labels
    powers = exponent[i, label].astype(np.int64) + given.exponent[i + 1, target] - given.exponent[i, state]
    masses = mantissa[i, label] * given.mantissa[i + 1, target]
    running = np.cumsum(np.where(masses > 0, masses * np.exp2(np.maximum(powers, -1000.0)), 0.0))
    return np.asarray(running / running[-1], np.float64)


def class_ratios(given: Messages) -> Floats:
    """`(L, C)`: log of (constrained over unconstrained) probability of each class's tokens; -inf where impossible.

    At committed positions it is log of 0 or 1: whether the token there is of the class.
    """
    emissions = given.emissions
    automaton, edges = emissions.automaton, emissions.automaton.edges
    bounds, states = given.support
    alpha = np.zeros_like(given.mantissa), np.full_like(given.exponent, kernels.NOWHERE)
    alpha[0][0, given.start], alpha[1][0, given.start] = 1.0, 0
    fixed, ratios = emissions.fixed, np.empty((emissions.length, automaton.n_classes))
    kernels.forward(
        edges.start, edges.target, edges.label, automaton.delta, bounds, states, fixed, *emissions.labels, *alpha
    )
    total = given.mantissa[0, given.start], int(given.exponent[0, given.start])
    kernels.class_ratios(automaton.delta, bounds, states, *alpha, given.mantissa, given.exponent, *total, ratios)
    for i in np.flatnonzero(fixed >= 0):
        ratios[i] = np.where(np.arange(automaton.n_classes) == fixed[i], 0.0, -np.inf)
    return ratios


def constrained_marginals(given: Messages) -> Floats:
    """`(L, V)` log-probabilities of tokens under the step posterior; rows of committed positions are NaN."""
    emissions, ratios = given.emissions, class_ratios(given)
    made = np.full((emissions.length, len(emissions.automaton.class_of)), np.nan)
    for i in np.flatnonzero(emissions.fixed < 0).tolist():
        made[i] = emissions.row(i).astype(np.float64) + ratios[i, emissions.automaton.class_of]
    return made


def marginal(given: Messages, position: int) -> Floats:
    """`(V,)` log-probabilities of tokens at one open position under the step posterior, whose mass must not be zero."""
    emissions = given.emissions
    automaton, edges, (bounds, states) = emissions.automaton, emissions.automaton.edges, given.support
    shape = position + 1, automaton.n_states
    alpha = np.zeros(shape), np.full(shape, kernels.NOWHERE, np.int32)
    alpha[0][0, given.start], alpha[1][0, given.start] = 1.0, 0
    before, ratios = emissions.fixed[:position], np.empty((1, automaton.n_classes))
    kernels.forward(
        edges.start, edges.target, edges.label, automaton.delta, bounds, states, before, *emissions.labels, *alpha
    )
    here, behind = slice(position, position + 1), slice(position, position + 2)
    total = given.mantissa[0, given.start], int(given.exponent[0, given.start])
    kernels.class_ratios(
        automaton.delta, bounds[behind], states, alpha[0][here], alpha[1][here],
        given.mantissa[behind], given.exponent[behind], *total, ratios,
    )  # fmt: skip
    return np.asarray(emissions.row(position).astype(np.float64) + ratios[0, automaton.class_of], np.float64)


def entropy(given: Messages) -> float:
    """Entropy of the step posterior over canvases, in nats: log Z - Σ_i Σ_v π_i(v) log p_i(v)."""
    total = given.log_mass
    constrained = constrained_marginals(given)
    for i in np.flatnonzero(given.emissions.fixed < 0).tolist():
        possible = constrained[i] > -np.inf
        row = given.emissions.row(i)[possible].astype(np.float64)
        total -= float(np.exp(constrained[i][possible]) @ row)
    return total
