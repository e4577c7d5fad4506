"""Diverse beam search: groups of beams, each told to avoid what the groups before it have just chosen.

Vijayakumar et al., "Diverse beam search" (AAAI 2018) with Hamming diversity: group g takes
the `width / groups` candidates of largest

    log weight - penalty * (how many beginnings of earlier groups take the same outcome in this step).

The penalty only selects; a run weighs what it weighs. The first group is a plain beam.
Label: `map` if what some group has pruned cannot beat the mode, else `heuristic`. Cost: at
most `width` model evaluations a step, in one batch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, why
from pgen.inference.context import Context
from pgen.inference.methods.beam import (
    BeamState,
    Candidates,
    check_width,
    follow_all,
    gathered,
    init,
    reported,
    respelled,
    stopped,
)
from pgen.inference.places import Place, Places
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng


def step(places: Places, groups: Sequence[BeamState], width: int, penalty: float) -> list[BeamState]:
    """Every group one choice further, in order; `width` is that of one group."""
    listed = iter(places.outcomes([place for group in groups for place in group.waiting]))
    taken: Counter[object] = Counter()
    moved = []
    for group in groups:
        found = gathered(group.waiting, [next(listed) for _ in group.waiting])
        keys = [_key(found, i) for i in range(len(found.log_weights))]
        scores = found.log_weights - penalty * np.array([taken[key] for key in keys], np.float64)
        kept = _best(scores, [place.total_log_weight for place in group.finished], width)
        taken.update(keys[i] for i in kept)
        moved.append(follow_all(places, group, found, kept))
    return moved


def _best(scores: NDArray[np.float64], finished: Sequence[float], width: int) -> NDArray[np.int64]:
    """Numbers of the candidates among the `width` best of all; finished runs keep the places that they deserve."""
    pool = np.concatenate([np.array(finished), scores])
    best = np.argsort(-pool, kind="stable")[:width] - len(finished)
    return np.asarray(best[best >= 0], np.int64)


def _key(found: Candidates, i: int) -> object:
    """What tells outcomes of one step apart: the token, or the value."""
    value = found.outcomes[int(found.parents[i])].values[int(found.indices[i])]
    return int(value) if isinstance(value, np.integer) else repr(value)


@dataclass(frozen=True)
class DiverseBeam:
    """`groups` beams that share `width`; a larger `penalty` (nats) keeps them further apart."""

    width: int = 8
    groups: int = 4
    penalty: float = 1.0
    tol: float = 0.01

    def __post_init__(self) -> None:
        check_width(self.width)
        if self.groups < 1 or self.width % self.groups:
            raise InvalidArgument(f"groups={self.groups}: must divide width={self.width}")
        if not 0 <= self.penalty < math.inf:
            raise InvalidArgument(f"penalty={self.penalty}: must be finite and not negative")
        if not 0 < self.tol < math.inf:
            raise InvalidArgument(f"tol={self.tol}: must be positive")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every run in the beams dies, `InvalidArgument` on infinite choices."""
        places, states, notes = Places(machine, context), list[BeamState](), tuple[str, ...]()
        try:
            states = [init(places)] * self.groups
            while any(state.waiting for state in states):
                states = step(places, states, self.width // self.groups, self.penalty)
            union = _union(states)
            found = respelled(places, union.finished, self.tol)
        except STOPPED as stop:
            union = stopped(stop, places, _union(states))
            found, notes = list(union.finished), (f"{why(stop)}: texts weigh what was found of their spellings",)
        return reported(places, union, found, repr(self), notes)


def _union(states: Sequence[BeamState]) -> BeamState:
    """All groups as one; what one of them has pruned bounds what all have missed."""
    distinct: dict[object, Place] = {}
    for place in chain.from_iterable(state.finished for state in states):
        key = [(e.address, repr(e.value), getattr(e.value, "tokens", None)) for e in place.suspension.trace.entries()]
        distinct.setdefault(tuple(key), place)
    return BeamState(
        tuple(chain.from_iterable(state.waiting for state in states)),
        tuple(distinct.values()),
        tuple(chain.from_iterable(state.dead for state in states)),
        min((state.log_pruned for state in states), default=-math.inf),
    )
