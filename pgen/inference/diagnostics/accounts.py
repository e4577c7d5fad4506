"""Where the mass of a run goes: what each statement removed, where runs died, which ancestors are left.

Let M be the total weight of the runs that reach a statement, all earlier statements counted, and M'
the same with the statement counted too. The statement keeps the share M' / M and removes the
rest; a factor above 0 adds. A text counts as one statement, so its language and its
critics remove together (`pgen.mass_report` tells them apart). Where every run reaches every
statement the product of the shares is the evidence.

Enumerated runs share their beginnings, which are counted once; sampled runs count one each, the
dead ones included, so M' / M is a ratio of unbiased estimates. After resampling the dead are
forgotten and no account can be given.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pgen.programs.trace import Entry, Trace
from pgen.sampling.logspace import log_sum_exp

if TYPE_CHECKING:
    from pgen.inference.particles import Particle


class Removal(NamedTuple):
    """What a statement, or a factor of a text, did to the mass; log masses in nats."""

    name: str
    log_before: float
    log_after: float

    @property
    def removed(self) -> float:
        """1 - after / before; negative where mass was added, NaN where there was none before."""
        return math.nan if self.log_before == -math.inf else -math.expm1(self.log_after - self.log_before)


def removals(particles: Sequence[Particle], complete: bool) -> tuple[Removal, ...]:
    """One `Removal` a statement that changed the mass, in order of execution; empty where runs were resampled."""
    if any(_was_reweighted(particle) for particle in particles):
        return ()
    return tuple(row for row in charged(particles, complete) if abs(row.log_after - row.log_before) > 1e-12)


def charged(particles: Sequence[Particle], complete: bool) -> list[Removal]:
    """One `Removal` a statement, in order of execution."""
    before: defaultdict[str, list[float]] = defaultdict(list)
    after: defaultdict[str, list[float]] = defaultdict(list)
    seen: set[tuple[str, int]] = set()
    for particle in particles:
        for name, parent, node, log_parent, log_node in _steps(particle):
            if not complete or (name, id(parent)) not in seen:
                before[name].append(log_parent)
            if not complete or (name, id(node)) not in seen:
                after[name].append(log_node)
            seen.update([(name, id(parent)), (name, id(node))])
    found = [Removal(name, log_sum_exp(before[name]), log_sum_exp(after[name])) for name in before]
    log_count = 0.0 if complete else math.log(len(particles))
    return [Removal(name, log_before - log_count, log_after - log_count) for name, log_before, log_after in found]


def deaths(particles: Sequence[Particle]) -> tuple[tuple[str, int], ...]:
    """`(statement, runs that died there)`, the deadliest first."""
    dead = [particle for particle in particles if particle.total_log_weight == -math.inf]
    return tuple(Counter(place_of_death(particle) for particle in dead).most_common())


def place_of_death(particle: Particle) -> str:
    """The statement at which a dead run stands."""
    effect, entry = particle.suspension.effect, particle.suspension.trace.entry
    if effect is not None:
        return f"sample {effect.address!r}"
    return f"{entry.kind} {entry.address!r}" if entry is not None else "its start"


def ancestors(traces: Sequence[Trace]) -> tuple[int, ...]:
    """For the n-th latent choice: how many different runs, up to there, the given ones descend from.

    Copies of a run share the past of their trace, so few ancestors at an early choice mean that
    resampling has left few opinions on it. As long as the shortest run.
    """
    lineages = [[id(node) for node, entry in _nodes(trace) if entry.kind == "sample"] for trace in traces]
    return tuple(len(set(nodes)) for nodes in zip(*lineages, strict=False))


def _was_reweighted(particle: Particle) -> bool:
    """Whether the weight is not what the trace has earned: the run was resampled, or weighed by other means."""
    log_weight = particle.log_weight
    return not particle.suspension.dead and abs(log_weight - particle.suspension.trace.log_weight) > 1e-9


def _steps(particle: Particle) -> Iterator[tuple[str, object, object, float, float]]:
    """`(statement, node before, node after, log weight before, log weight after)` for each statement of a run."""
    total, parent = 0.0, None
    for node, entry in _nodes(particle.suspension.trace):
        yield f"{entry.kind} {entry.address!r}", parent, node, total, total + entry.log_weight
        total, parent = total + entry.log_weight, node
    effect, draft = particle.suspension.effect, particle.draft
    if effect is not None and draft is not None and draft.log_weight == -math.inf:
        yield f"sample {effect.address!r}", parent, draft, total, -math.inf


def _nodes(trace: Trace) -> list[tuple[Trace, Entry]]:
    """The links of a trace, first to last."""
    nodes: list[tuple[Trace, Entry]] = []
    here: Trace | None = trace
    while here is not None and here.entry is not None:
        nodes.append((here, here.entry))
        here = here.parent
    return nodes[::-1]
