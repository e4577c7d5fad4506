"""Drafts of several independent texts of one run, moved together so that their model calls are batched.

The texts are those of a `pgen.map` whose parts wait side by side. Each has a draft and random
numbers of its own; the joint draft has earned what they have earned together, and when all are
finished the program receives them one after the other. Parts begin apart: the drafts of one
`Drafter.begin` share a tree's mass out in strata, which would make the parts of one run depend
on each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

from pgen.inference.drafting.drafts import AnyDrafter, Draft, Drawn
from pgen.programs.effects import Sample
from pgen.programs.machine import Suspension
from pgen.programs.strings import StringDistribution
from pgen.sampling.rng import Rng, streams

PART = 2**32
"""Distance of the random numbers of two texts of one run: text k of run i draws from place i + k PART."""


class JointDraft(NamedTuple):
    """Several texts of one run; those that are finished wait for the others."""

    parts: tuple[Draft | Drawn, ...]

    @property
    def log_weight(self) -> float:
        """What the parts have earned together."""
        return math.fsum(part.log_weight for part in self.parts)

    @property
    def drawn(self) -> tuple[Drawn, ...]:
        """The texts, if all are finished."""
        finished = tuple(part for part in self.parts if isinstance(part, Drawn))
        return finished if len(finished) == len(self.parts) else ()

    def reweighted(self, log_weight: float) -> Self:
        first, *others = self.parts
        return self._replace(parts=(_weighing(first, log_weight), *(_weighing(part, 0.0) for part in others)))

    def partial_text(self) -> str:
        texts = (str(part.text) if isinstance(part, Drawn) else part.partial_text() for part in self.parts)
        return " | ".join(texts)


def waiting_together(suspension: Suspension) -> tuple[Sample, ...]:
    """The texts that a run can draw at once: its own choice, and texts of the same kind that come right after it.

    A choice to a power is drawn alone, for the power is weighed before the next.
    """
    first = suspension.effect
    assert isinstance(first, Sample)
    found = [first]
    for effect in suspension.siblings if first.scale == 1.0 else ():
        if not isinstance(effect, Sample) or effect.scale != 1.0 or _kind(effect) != _kind(first):
            break
        found.append(effect)
    return tuple(found)


def begin(
    drafter: AnyDrafter, runs: Sequence[Sequence[Sample]], rng: Rng, indices: Sequence[int], lookahead: int
) -> list[Draft | Drawn]:
    """A draft for each run, a joint one where several texts wait; run `indices[n]` draws from its own places."""
    parts: list[list[Draft | Drawn]] = [[] for _ in runs]
    for rank in range(max(map(len, runs), default=0)):
        chosen = [n for n, effects in enumerate(runs) if rank < len(effects)]
        distributions = [runs[n][rank].distribution for n in chosen]
        rngs = [rng.at(indices[n] + PART * rank) for n in chosen]
        for n, draft in zip(chosen, drafter.begin(distributions, rngs, lookahead), strict=True):
            parts[n].append(draft)
    return [drafts[0] if len(drafts) == 1 else JointDraft(tuple(drafts)) for drafts in parts]


def step(drafter: AnyDrafter, drafts: Sequence[Draft], rng: Rng, indices: Sequence[int]) -> list[Draft | Drawn]:
    """Every unfinished text one step further, all in one call."""
    if not any(isinstance(draft, JointDraft) for draft in drafts):
        alone: list[Draft | Drawn] = drafter.step(drafts, streams(rng, indices))
        return alone
    parts = [_parts(draft) for draft in drafts]
    places = [(n, rank) for n, group in enumerate(parts) for rank, part in enumerate(group) if _unfinished(part)]
    rngs = [rng.at(indices[n] + PART * rank) for n, rank in places]
    for (n, rank), part in zip(places, drafter.step([parts[n][rank] for n, rank in places], rngs), strict=True):
        parts[n][rank] = part
    return [group[0] if len(group) == 1 else JointDraft(tuple(group)) for group in parts]


def _parts(draft: Draft) -> list[Draft | Drawn]:
    return list(draft.parts) if isinstance(draft, JointDraft) else [draft]


def finished(result: Draft | Drawn) -> tuple[Drawn, ...]:
    """The texts that the program can receive now, in order."""
    if isinstance(result, Drawn):
        return (result,)
    return result.drawn if isinstance(result, JointDraft) else ()


def _unfinished(part: Draft | Drawn) -> bool:
    return not isinstance(part, Drawn)


def _weighing(part: Draft | Drawn, log_weight: float) -> Draft | Drawn:
    return part._replace(log_weight=log_weight) if isinstance(part, Drawn) else part.reweighted(log_weight)


def _kind(effect: Sample) -> str | None:
    """The drafter of a text, `None` for other choices."""
    distribution = effect.distribution
    return distribution.drafter if isinstance(distribution, StringDistribution) else None
