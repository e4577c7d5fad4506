"""Beam search over the choices of a program: the `width` heaviest beginnings at every step.

`Beam` keeps the heaviest. A run weighs what its choices and statements weigh, its texts
all spellings together, so the result compares what was found rightly, and the mass of
what was pruned bounds what was missed. Label: `map` if that proves the likeliest
value, else `heuristic` (a beam has no say on what it has pruned).

`StochasticBeam` draws the `width` survivors without replacement and reweights them
(`pgen.sampling.resampling.without_replacement`; Fearnhead and Clifford 2003). Label:
consistent; the evidence is unbiased. That is SMC in which no two particles are alike.

Cost: at most `width` model evaluations a step, in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.methods.certificate import is_proven
from pgen.inference.places import Outcomes, Place, Places
from pgen.inference.posterior import Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.programs.strings import Text
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.resampling import without_replacement
from pgen.sampling.rng import Rng


class BeamState(NamedTuple):
    """Places that wait, runs at their end, dead ones, and a log bound on what was pruned."""

    waiting: tuple[Place, ...]
    finished: tuple[Place, ...] = ()
    dead: tuple[Place, ...] = ()
    log_pruned: float = -math.inf


class Candidates(NamedTuple):
    """Every outcome of every waiting place: parents, outcome numbers, log masses, log weights, each `(M,)`."""

    outcomes: list[Outcomes]
    parents: NDArray[np.int64]
    indices: NDArray[np.int64]
    log_weights: NDArray[np.float64]


def init(places: Places) -> BeamState:
    """The program's first choice."""
    return _filed(BeamState(()), [places.start()])


def candidates(places: Places, waiting: Sequence[Place]) -> Candidates:
    """What may follow the waiting places; one batch of model evaluations."""
    return gathered(waiting, places.outcomes(waiting))


def gathered(waiting: Sequence[Place], listed: list[Outcomes]) -> Candidates:
    """The outcomes of some places in one pool."""
    if not waiting:
        return Candidates([], np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    sizes = [len(outcomes.log_masses) for outcomes in listed]
    totals = [place.total_log_weight + x.log_masses for place, x in zip(waiting, listed, strict=True)]
    return Candidates(
        listed,
        np.repeat(np.arange(len(waiting)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        np.concatenate(totals),
    )


def step(places: Places, state: BeamState, width: int) -> BeamState:
    """Everything one choice further; the heaviest `width` runs and beginnings stay, finished runs in any case."""
    found = candidates(places, state.waiting)
    done = np.array([place.total_log_weight for place in state.finished])
    pool = np.concatenate([done, found.log_weights])
    heaviest = np.argsort(-pool, kind="stable")[:width] - len(done)
    return follow_all(places, state, found, heaviest[heaviest >= 0])


def follow_all(places: Places, state: BeamState, found: Candidates, kept: NDArray[np.int64]) -> BeamState:
    """Go on with the candidates `kept`; the others are pruned, and what they could have weighed is added up."""
    kept = np.sort(kept)
    bounds = [places.log_bounds(p, x) for p, x in zip(state.waiting, found.outcomes, strict=True)]
    pruned = np.delete(np.concatenate([np.zeros(0), *bounds]), kept)
    followed = [_follow(places, state.waiting, found, int(i), 0.0) for i in kept]
    log_pruned = float(np.logaddexp(state.log_pruned, log_sum_exp(pruned)))
    return _filed(state._replace(waiting=(), log_pruned=log_pruned, dead=_dead_ends(state, found)), followed)


def draw(rng: Rng, places: Places, state: BeamState, width: int) -> BeamState:
    """Everything one choice further; `width` of all runs and beginnings survive, drawn without replacement."""
    found = candidates(places, state.waiting)
    done = np.array([place.total_log_weight for place in state.finished])
    survivors = without_replacement(rng, np.concatenate([done, found.log_weights]), width)
    pairs = [(int(i) - len(done), float(x)) for i, x in zip(*survivors, strict=True)]
    stayed = [_reweighted(state.finished[i], log_weight) for i, log_weight in pairs if i < 0]
    followed = [_follow(places, state.waiting, found, i, x - found.log_weights[i]) for i, x in pairs if i >= 0]
    return _filed(BeamState((), tuple(stayed), _dead_ends(state, found)), followed)


def _reweighted(place: Place, log_weight: float) -> Place:
    return place._replace(log_weight=log_weight)


def _follow(places: Places, waiting: Sequence[Place], found: Candidates, i: int, log_correction: float) -> Place:
    parent, index = int(found.parents[i]), int(found.indices[i])
    values, log_masses = found.outcomes[parent]
    return places.follow(waiting[parent], values[index], float(log_masses[index]) + log_correction)


def _dead_ends(state: BeamState, found: Candidates) -> tuple[Place, ...]:
    stuck = [p for p, x in zip(state.waiting, found.outcomes, strict=True) if not len(x.log_masses)]
    return (*state.dead, *stuck)


def _filed(state: BeamState, places: Sequence[Place]) -> BeamState:
    """Sort places into waiting, finished and dead."""
    waiting = [place for place in places if place.waits]
    finished = [place for place in places if not place.waits and place.particle.log_weight > -math.inf]
    dead = [place for place in places if not place.waits and place.particle.log_weight == -math.inf]
    return BeamState((*state.waiting, *waiting), (*state.finished, *finished), (*state.dead, *dead), state.log_pruned)


@dataclass(frozen=True)
class Beam:
    """The likeliest runs by beam search, with their log masses.

    `spellings="all"` gives each found text its whole mass, known to within `tol` nats (more
    evaluations; `LimitExceeded` if that takes too many); `"found"` counts only the
    spellings that were in the beam. Texts cut at `max_tokens` count as found.
    """

    width: int = 8
    spellings: Literal["all", "found"] = "all"
    tol: float = 0.01

    def __post_init__(self) -> None:
        check_width(self.width)
        if self.spellings not in ("all", "found"):
            raise InvalidArgument(f"spellings={self.spellings!r}: expected 'all' or 'found'")
        if not self.tol > 0:
            raise InvalidArgument(f"tol={self.tol}: must be positive")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every run in the beam dies, `InvalidArgument` on infinite choices."""
        tol = self.tol if self.spellings == "all" else None
        return searched(Places(machine, context), lambda p, s: step(p, s, self.width), repr(self), tol)


@dataclass(frozen=True)
class StochasticBeam:
    """`width` distinct weighted runs, drawn without replacement step by step."""

    width: int = 32

    def __post_init__(self) -> None:
        check_width(self.width)

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every run dies, `InvalidArgument` on infinite choices."""
        places, state, n_steps = Places(machine, context), BeamState(()), 0
        label: Literal["consistent", "heuristic"] = "consistent"
        notes: tuple[str, ...] = ()
        try:
            state = init(places)
            while state.waiting:
                state = draw(rng.at(n_steps), places, state, self.width)
                n_steps += 1
        except STOPPED as stop:
            state = stopped(stop, places, state)
            label, notes = "heuristic", (f"{why(stop)}: unfinished runs were dropped, which favours short texts",)
        particles = [place.particle for place in (*state.finished, *state.dead)]
        return posterior_of(
            particles,
            label=label,
            method=repr(self),
            n_evaluations=context.n_evaluations,
            log_evidence=math.log(max(len(particles), 1)),  # weights add up to the evidence, they do not average to it
            notes=notes,
        )


def searched(
    places: Places, advance: Callable[[Places, BeamState], BeamState], method: str, tol: float | None
) -> Posterior:
    """A beam led to its end by `advance`; texts weigh all their spellings to within `tol`, or those found (`None`)."""
    state, notes = BeamState(()), tuple[str, ...]()
    try:
        state = init(places)
        while state.waiting:
            state = advance(places, state)
        found = list(state.finished) if tol is None else respelled(places, state.finished, tol)
    except STOPPED as stop:
        state = stopped(stop, places, state)
        found, notes = list(state.finished), (f"{why(stop)}: texts weigh what was found of their spellings",)
    return reported(places, state, found, method, notes)


def reported(
    places: Places, state: BeamState, found: Sequence[Place], method: str, notes: tuple[str, ...]
) -> Posterior:
    """The posterior of what a beam has found, labelled by whether the rest could change the mode."""
    proven = is_proven(found, state.log_pruned)
    verdict = "no value can be likelier than the mode" if proven else "a likelier value may have been pruned"
    return posterior_of(
        [place.particle for place in (*found, *state.dead)],
        label="map" if proven else "heuristic",
        method=method,
        n_evaluations=places.context.n_evaluations,
        complete=True,
        log_unexplored=state.log_pruned,
        notes=(verdict, *notes),
    )


def stopped(stop: BaseException, places: Places, state: BeamState) -> BeamState:
    """What is left once a search has ended early; raises if nothing is."""
    if not state.finished:
        raise give_up(stop) from None
    left = [places.log_bound(place) for place in state.waiting]
    return state._replace(waiting=(), log_pruned=float(np.logaddexp(state.log_pruned, log_sum_exp(left))))


def respelled(places: Places, finished: Sequence[Place], tol: float) -> list[Place]:
    """One run for each combination of choices, its texts with the mass of all their spellings."""
    distinct: dict[object, Place] = {}
    for place in finished:
        key = [(e.address, repr(e.value), _cut_tokens(e.value)) for e in place.suspension.trace.entries()]
        distinct.setdefault(tuple(key), place)
    return [_with_all_spellings(places, place, tol) for place in distinct.values()]


def _cut_tokens(value: object) -> tuple[int, ...] | None:
    return value.tokens if isinstance(value, Text) and value.truncated else None


def _with_all_spellings(places: Places, place: Place, tol: float) -> Place:
    log_weight = place.log_weight
    for drawn in place.drawn:
        if not drawn.text.truncated:
            drafter = places.context.drafter(drawn.distribution)
            log_weight += drafter.score(drawn.distribution, drawn.text, "all", tol / len(place.drawn)) - drawn.log_mass
    return place._replace(log_weight=log_weight)


def check_width(width: int) -> None:
    """Raise `InvalidArgument` unless something fits in the beam."""
    if width < 1:
        raise InvalidArgument(f"width={width}: must be at least 1")
