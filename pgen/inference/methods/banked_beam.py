"""Lexically constrained beam search: places in the beam for every stage of progress towards a member.

A plain beam puts off what a language demands but the model finds unlikely, until the
budget forces it in at the worst place. Here beginnings compete within banks only: a bank
holds those from which equally many tokens lead to a member, and the `width` places go
around the banks in turn, heaviest first (Hokamp and Liu, "Lexically constrained decoding
for sequence generation using grid beam search", ACL 2017; Post and Vilar, "Fast lexically constrained
decoding with dynamic beam allocation", NAACL 2018), with the distance in the automaton in the
place of the number of words that are met. Label: `map` if the result is proven, else `heuristic`.

Cost: at most `width` model evaluations a step. Of each beginning's outcomes the `width`
heaviest and the `width` heaviest that make progress are considered.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.methods.beam import BeamState, Candidates, candidates, check_width, follow_all, searched
from pgen.inference.places import Outcomes, Place, Places
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import STOP, unpack


def step(places: Places, state: BeamState, width: int) -> BeamState:
    """Everything one choice further; `width` beginnings stay, taken from the banks in turn."""
    found = candidates(places, state.waiting)
    banks: defaultdict[int, list[int]] = defaultdict(list)
    first = 0
    for place, outcomes in zip(state.waiting, found.outcomes, strict=True):
        for index in _considered(places, place, outcomes, width):
            banks[_distance(places, place, outcomes.values[index])].append(first + index)
        first += len(outcomes.log_masses)
    return follow_all(places, state, found, _in_turn(banks, found, width))


def _in_turn(banks: dict[int, list[int]], found: Candidates, width: int) -> NDArray[np.int64]:
    """The heaviest of each bank, nearest to a member first, then the second heaviest of each, and so on."""
    ranked = [sorted(banks[bank], key=lambda i: -found.log_weights[i]) for bank in sorted(banks)]
    rounds = [i for taken in zip_longest(*ranked) for i in taken if i is not None]
    return np.array(rounds[:width], np.int64)


def _considered(places: Places, place: Place, outcomes: Outcomes, width: int) -> list[int]:
    """Numbers of the `width` heaviest outcomes, and of the `width` heaviest that lead nearer to a member."""
    order = np.argsort(-outcomes.log_masses, kind="stable")
    if place.state is None or len(order) <= width:
        return [int(i) for i in order]
    process, automaton = places.process(place), places.process(place).automaton
    distance = automaton.distance_to_accept(place.state.automaton)
    nearer = unpack(automaton.mask(place.state.automaton, budget=distance), len(process.vocabulary))
    progress = order[np.isin(np.asarray(outcomes.values)[order], [STOP, *nearer])]
    return [int(i) for i in dict.fromkeys([*order[:width], *progress[:width]])]


def _distance(places: Places, place: Place, value: object) -> int:
    """Tokens that are missing after an outcome; none outside of texts and at their ends."""
    if place.state is None or value == STOP:
        return 0
    automaton = places.process(place).automaton
    return automaton.distance_to_accept(automaton.advance(place.state.automaton, int(value)))  # type: ignore[call-overload]


@dataclass(frozen=True)
class BankedBeam:
    """A beam of `width`, its places shared out over the stages of progress; texts weigh all spellings (`tol` nats)."""

    width: int = 8
    tol: float = 0.01

    def __post_init__(self) -> None:
        check_width(self.width)
        if not 0 < self.tol < math.inf:
            raise InvalidArgument(f"tol={self.tol}: must be positive")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every run in the beam dies, `InvalidArgument` on infinite choices."""
        return searched(Places(machine, context), lambda p, s: step(p, s, self.width), repr(self), self.tol)
