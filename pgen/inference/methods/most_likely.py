"""Best-first search for the likeliest outcome of a program, with a proof. Label: map.

Beginnings are expanded by falling weight. The search ends when what is not expanded
cannot change the answer, as weights only fall on the way:

    of="value"  best value >= second best value + F, with F the sum over all unexpanded beginnings
    of="run"    best run >= the heaviest unexpanded beginning, in the manner of A* with h = 0

A value's mass sums over the runs that return it, so for a single text over its spellings; a
run is one sequence of choices, tokens included, which is what beam search looks for.
The heap holds one entry an expanded beginning, its best child. Cost: one model evaluation per expansion.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.drafting.prefix_tree import EVALUATIONS_AT_ONCE
from pgen.inference.methods.certificate import is_proven
from pgen.inference.places import Outcomes, Place, Places, address
from pgen.inference.posterior import Label, Posterior, posterior_of
from pgen.programs.machine import Machine
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import Rng


class Expanded:
    """A beginning whose outcomes are known, heaviest first; `following` is the next one to be followed."""

    __slots__ = ("following", "log_bounds", "log_masses", "log_suffixes", "place", "values")

    def __init__(self, place: Place, outcomes: Outcomes, log_bounds: NDArray[np.float64]) -> None:
        order = np.argsort(-outcomes.log_masses, kind="stable")
        self.place = place
        self.values = [outcomes.values[i] for i in order]
        self.log_masses = outcomes.log_masses[order]  # (n,)
        self.log_bounds = log_bounds[order]
        # The sum of what is left, taken from the small end.
        self.log_suffixes = np.logaddexp.accumulate(self.log_bounds[::-1])[::-1]
        self.following = 0

    @property
    def log_next(self) -> float:
        """The most that the next outcome can lead to; -inf when there is none."""
        return float(self.log_bounds[self.following]) if self.following < len(self.log_bounds) else -math.inf

    @property
    def log_remaining(self) -> float:
        """The most that all outcomes not followed can lead to together."""
        return float(self.log_suffixes[self.following]) if self.following < len(self.log_bounds) else -math.inf


@dataclass
class Search:
    """Best-first expansion; `log_bound` is the most that statements can add to any run."""

    places: Places
    log_bound: float
    finished: list[Place] = field(default_factory=list)
    dead: list[Place] = field(default_factory=list)
    expanded: list[Expanded] = field(default_factory=list)
    heap: list[tuple[float, int, Expanded]] = field(default_factory=list)
    ties: Iterator[int] = field(default_factory=itertools.count)

    @property
    def log_top(self) -> float:
        """The most that any one unexpanded beginning can lead to."""
        return -self.heap[0][0] if self.heap else -math.inf

    @property
    def log_frontier(self) -> float:
        """log F; summed afresh, since running subtraction cancels."""
        return log_sum_exp(node.log_remaining for node in self.expanded)

    def expand(self) -> None:
        """Follow the heaviest beginnings and evaluate the model after them, in one batch."""
        batch: list[Place] = []
        while self.heap and len(batch) < EVALUATIONS_AT_ONCE:
            place = self._followed(heapq.heappop(self.heap)[2])
            if place.waits:
                batch.append(place)
            else:
                (self.finished if place.particle.log_weight > -math.inf else self.dead).append(place)
                break  # An answer may end the search.
        self.open(batch)

    def open(self, batch: list[Place]) -> None:
        """Put the outcomes of waiting places on the frontier."""
        for place, outcomes in zip(batch, self.places.outcomes(batch), strict=True):
            if len(outcomes.log_masses):
                log_bounds = self.places.log_bounds(place, outcomes) + self.log_bound
                self.expanded.append(Expanded(place, outcomes, log_bounds))
                self._push(self.expanded[-1])
            else:
                self.dead.append(place)

    def _followed(self, node: Expanded) -> Place:
        at, most = node.following, node.log_next
        node.following += 1
        self._push(node)
        after = self.places.follow(node.place, node.values[at], float(node.log_masses[at]))
        if (reached := self.places.log_bound(after)) > most + 1e-9:
            raise InvalidArgument(
                f"a run gains weight after {address(node.place)!r}: up to {reached:.4g}, above the bound of {most:.4g}",
                hint="set log_bound= to the most that factors, densities and texts with end='prefix' can add to a run",
            )
        return after

    def _push(self, node: Expanded) -> None:
        if node.log_next > -math.inf:
            heapq.heappush(self.heap, (-node.log_next, next(self.ties), node))


@dataclass(frozen=True)
class MostLikely:
    """The likeliest `of` "value" (default) or "run"; see the module for what that means.

    `tol` (nats): how much likelier another answer may be; it decides ties. `log_bound`: the most that factors above 0,
    densities above 1 and texts with end="prefix" add to any run; a run found to exceed it raises.
    """

    of: Literal["value", "run"] = "value"
    max_evaluations: int = 4096
    tol: float = 1e-6
    log_bound: float = 0.0

    def __post_init__(self) -> None:
        if self.of not in ("value", "run"):
            raise InvalidArgument(f"of={self.of!r}: expected 'value' or 'run'")
        if self.max_evaluations < 1:
            raise InvalidArgument(f"max_evaluations={self.max_evaluations}: at least one is needed")
        if not self.tol >= 0 or not self.log_bound >= 0:
            raise InvalidArgument(f"tol={self.tol}, log_bound={self.log_bound}: must not be negative")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `LimitExceeded`, with the best answer so far, if `max_evaluations` do not prove it.

        Raises `ZeroEvidence` if nothing has weight, `InvalidArgument` on infinite choices.
        """
        search, label, notes = Search(Places(machine, context), self.log_bound), "map", tuple[str, ...]()
        before = context.n_evaluations
        try:
            start = search.places.start()
            (search.open if start.waits else search.finished.extend)([start])
            while search.heap and not self._proven(search):
                if context.n_evaluations - before >= self.max_evaluations:
                    raise self._unproven(search)
                search.expand()
        except STOPPED as stop:
            if not search.finished:
                raise give_up(stop) from None
            label, notes = "heuristic", (f"{why(stop)}: the answer is not proven",)
        return self._posterior(search, label, notes, context)  # type: ignore[arg-type]

    def _proven(self, search: Search) -> bool:
        if self.of == "value":
            return bool(search.finished) and is_proven(search.finished, search.log_frontier, self.tol)
        return max((p.log_weight for p in search.finished), default=-math.inf) + self.tol >= search.log_top

    def _posterior(self, search: Search, label: Label, notes: tuple[str, ...], context: Context) -> Posterior:
        found = sorted(search.finished, key=lambda place: -place.log_weight)
        found, left = (found, []) if self.of == "value" else (found[:1], found[1:])
        return posterior_of(
            [place.particle for place in (*found, *search.dead)],
            label=label,
            method=repr(self),
            n_evaluations=context.n_evaluations,
            complete=True,
            log_unexplored=log_sum_exp([search.log_frontier, *(place.log_weight for place in left)]),
            notes=notes or (f"no {self.of} can be likelier than the mode",),
        )

    def _unproven(self, search: Search) -> LimitExceeded:
        best = max(search.finished, key=lambda place: place.log_weight, default=None)
        rival = search.log_frontier if self.of == "value" else search.log_top
        known = "nothing is finished" if best is None else f"the best run gives {best.suspension.value!r}"
        return LimitExceeded(
            f"the likeliest {self.of} is not proven after {self.max_evaluations} evaluations: {known} "
            f"({'-inf' if best is None else format(best.log_weight, '.4g')} nats), what is left may weigh {rival:.4g}",
            hint="raise max_evaluations, use a smaller language, ask of='run', or search without proof by pgen.Beam",
        )
