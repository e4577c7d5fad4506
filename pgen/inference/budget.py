"""Stopping early: a budget of model evaluations or seconds, or an interrupt, and what a method returns then.

A method that is stopped returns what it has, with a note. Unfinished runs count as runs
of weight 0, so an evidence estimate is too low on average, and short texts, which
finish first, are favoured: the label is then `heuristic`. Enumeration counts what it
has not followed as unexplored mass, and chains keep their states: they need no such
label.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.programs.machine import Suspension

if TYPE_CHECKING:
    from pgen.inference.particles import Particle
    from pgen.inference.posterior import Label


class BudgetSpent(Exception):
    """Raised where a model has been asked and the budget is used up; methods catch it."""


STOPPED = (KeyboardInterrupt, BudgetSpent)
"""What ends a method early."""


@dataclass(frozen=True)
class Budget:
    """At most so many distinct inputs sent to models, or so many seconds (passed by at most one call of a model)."""

    evaluations: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, number in (("evaluations", self.evaluations), ("seconds", self.seconds)):
            if number is not None and not number > 0:
                raise InvalidArgument(f"budget: {name}={number} must be positive")


def as_budget(value: Budget | int | timedelta | None) -> Budget:
    """A number of evaluations, a time, or both, as a `Budget`."""
    if isinstance(value, Budget):
        return value
    if isinstance(value, timedelta):
        return Budget(seconds=value.total_seconds())
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return Budget(evaluations=value)
    raise InvalidArgument(
        f"budget={value!r}: expected a number of model evaluations or a time",
        hint="for instance budget=200, or budget=pgen.Budget(seconds=2.5)",
    )


class Account:
    """What has been spent of a budget since the account was opened."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._opened = time.monotonic()

    def check(self, n_evaluations: int) -> None:
        """Raise `BudgetSpent` if the budget is used up."""
        if self.left(n_evaluations) <= 0 or self._time_left() <= 0:
            raise BudgetSpent

    def left(self, n_evaluations: int) -> float:
        """Evaluations that may still be made; for a time the estimate from the speed so far (inf before the first)."""
        limit = math.inf if self.budget.evaluations is None else self.budget.evaluations - n_evaluations
        if self.budget.seconds is None or n_evaluations == 0:
            return limit
        speed = n_evaluations / max(time.monotonic() - self._opened, 1e-9)
        return min(limit, self._time_left() * speed)

    def _time_left(self) -> float:
        if self.budget.seconds is None:
            return math.inf
        return self.budget.seconds - (time.monotonic() - self._opened)


class Remains(NamedTuple):
    """What a stopped method can report on: particles (unfinished ones dead), their label, and a note."""

    particles: list[Particle]
    label: Label
    notes: tuple[str, ...]


def remains(stop: BaseException, particles: Sequence[Particle], label: Label) -> Remains:
    """Raises what stopped the method (`LimitExceeded` for a budget) if no run of positive weight was complete."""
    unfinished = sum(particle.running for particle in particles)
    if not any(not particle.running and particle.total_log_weight > -math.inf for particle in particles):
        raise give_up(stop) from None
    if not unfinished:
        return Remains(list(particles), label, (why(stop),))
    kept = [_dead(particle) if particle.running else particle for particle in particles]
    note = f"{why(stop)}: {unfinished} of {len(particles)} runs were unfinished and count as dead"
    return Remains(kept, "heuristic", (f"{note}, which favours short texts",))


def give_up(stop: BaseException) -> BaseException:
    """The error for a method that was stopped and has nothing to report."""
    if not isinstance(stop, BudgetSpent):
        return stop
    return LimitExceeded(
        "the budget was spent before any run of the program was complete",
        hint="allow more, or ask for fewer particles",
    )


SPENT, INTERRUPTED = "the budget was spent", "interrupted"


def why(stop: BaseException) -> str:
    """What stopped a method, in words."""
    return SPENT if isinstance(stop, BudgetSpent) else INTERRUPTED


def told_to_stop(notes: Sequence[str]) -> str | None:
    """What stopped the method that left these notes, in words; `None` if it came to its end."""
    return next((word for word in (SPENT, INTERRUPTED) if any(note.startswith(word) for note in notes)), None)


def _dead(particle: Particle) -> Particle:
    return particle._replace(suspension=Suspension(particle.suspension.trace, dead=True), draft=None)
