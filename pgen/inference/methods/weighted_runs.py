"""Weighted runs moved step by step to their end, or to that of the budget, and the posterior of what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from pgen.inference.budget import STOPPED, Remains, give_up, remains
from pgen.inference.context import Context
from pgen.inference.particles import Particle
from pgen.inference.posterior import Posterior, posterior_of


class HasESS(Protocol):
    """What a step tells: at least the effective sample size."""

    @property
    def ess(self) -> float: ...


State = TypeVar("State")
Info = TypeVar("Info", bound=HasESS)


class Driven(NamedTuple, Generic[State, Info]):
    """The last state, what every step has told, and the particles to report on."""

    state: State
    infos: list[Info]
    found: Remains

    def posterior(
        self,
        method: object,
        context: Context,
        *notes: str,
        told: Callable[[Context], tuple[str, ...]] = lambda _: (),
        log_evidence: float = 0.0,
        lineage: Sequence[int] = (),
    ) -> Posterior:
        """The posterior of the particles; what the budget did stands between `notes` and what is `told` at the end.

        Raises `ZeroEvidence`.
        """
        return posterior_of(
            self.found.particles,
            label=self.found.label,
            method=repr(method),
            n_evaluations=context.n_evaluations,
            log_evidence=log_evidence,
            ess_path=[info.ess for info in self.infos],
            lineage=lineage,
            notes=(*notes, *self.found.notes, *told(context)),
        )


def driven(
    begin: Callable[[], State],
    steps: Callable[[State], Iterator[tuple[State, Info]]],
    particles: Callable[[State], Sequence[Particle]],
) -> Driven[State, Info]:
    """Begin and take all the steps; when the budget is spent, or at an interrupt, the last state is what counts.

    Raises what ended it if there is nothing to report on.
    """
    state, infos = None, list[Info]()
    try:
        first = state = begin()
        for reached, info in steps(first):
            state = reached
            infos.append(info)
    except STOPPED as stop:
        if state is None:
            raise give_up(stop) from None
        return Driven(state, infos, remains(stop, particles(state), "consistent"))
    return Driven(state, infos, Remains(list(particles(state)), "consistent", ()))
