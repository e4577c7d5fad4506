"""Particles: many runs of one program, advanced together so that their model calls are batched.

A particle is immutable: where its program stands (`Suspension`), a draft if it is in
the middle of a text, and its log weight. `tick` moves each chosen particle by one
step of its draft or one choice; what a step of a draft is, its drafter says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pgen.errors import PgenError
from pgen.inference.context import Context
from pgen.inference.drafting import joint_drafts
from pgen.inference.drafting.drafts import AnyDrafter, Draft, Drawn, at_sites
from pgen.inference.observing import observe_all
from pgen.programs.distributions import Finite
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine, Suspension
from pgen.programs.strings import StringDistribution
from pgen.programs.trace import Entry
from pgen.sampling.rng import Rng, foresee, streams, uniforms

MANY = 32
"""From so many random numbers on, one kernel call is worth loading the kernel."""


class Particle(NamedTuple):
    """One weighted run. `log_weight` covers the finished statements, `draft` the text being drawn."""

    suspension: Suspension
    log_weight: float = 0.0
    draft: Draft | None = None

    @property
    def running(self) -> bool:
        """Whether there is anything left to do."""
        if self.suspension.effect is None:
            return False
        return self.log_weight > -math.inf and (self.draft is None or self.draft.log_weight > -math.inf)

    @property
    def total_log_weight(self) -> float:
        """log weight, the draft's included; -inf for the dead."""
        if self.suspension.dead:
            return -math.inf
        return self.log_weight + (self.draft.log_weight if self.draft else 0.0)

    def partial_text(self) -> str:
        """The draft, or the last text drawn: what to show when everything died."""
        if self.draft is not None:
            return self.draft.partial_text()
        values = list(self.suspension.trace.values().values())
        return str(values[-1]) if values else ""

    def unweighted(self) -> Particle:
        """The same run with weight one, as after resampling."""
        return self.weighing(0.0)

    def weighing(self, log_weight: float) -> Particle:
        """The same run with another weight, none of which is the draft's."""
        return Particle(self.suspension, log_weight, self.draft.reweighted(0.0) if self.draft else None)


class Population(NamedTuple):
    """What a run needs to move particles: the program, the shared context, the look-ahead per text."""

    machine: Machine
    context: Context
    lookahead: int

    def spawn(self, count: int) -> list[Particle]:
        """`count` particles at the first choice of the program."""
        suspension = self.machine.start()
        return [Particle(suspension, log_weight_since(suspension, None)) for _ in range(count)]

    def tick(self, particles: Sequence[Particle], active: Sequence[int], rng: Rng) -> list[Particle]:
        """Move the particles `active` by one step or one choice; particle i draws from `rng.at(i)`."""
        moved = list(particles)
        drafting: list[int] = []
        drawing: list[int] = []
        observing: list[int] = []
        for i in active:
            effect = moved[i].suspension.effect
            if isinstance(effect, Observe):
                observing.append(i)
            elif isinstance(effect, Sample) and isinstance(effect.distribution, StringDistribution):
                drafting.append(i)
            elif isinstance(effect, Sample):
                drawing.append(i)
        self._draw(moved, drawing, rng)
        self._observe(moved, observing)
        self._draft(moved, drafting, rng)
        return moved

    def _draw(self, moved: list[Particle], active: Sequence[int], rng: Rng) -> None:
        """Choices that are no texts; many draw their random numbers in one kernel call."""
        for i, value in zip(
            active, _values([moved[i].suspension.effect for i in active], streams(rng, active)), strict=True
        ):
            moved[i] = self._decided(moved[i], value, 0.0)

    def _observe(self, moved: list[Particle], active: Sequence[int]) -> None:
        effects = [moved[i].suspension.effect for i in active]
        log_probs = observe_all(self.context, [e for e in effects if isinstance(e, Observe)])
        for i, effect, log_prob in zip(active, effects, log_probs, strict=True):
            assert isinstance(effect, Observe)
            moved[i] = self._decided(moved[i], effect.value, log_prob)

    def _draft(self, moved: list[Particle], active: Sequence[int], rng: Rng) -> None:
        """Open drafts where there are none; move the others by a step."""
        begins: defaultdict[AnyDrafter, list[int]] = defaultdict(list)
        steps: defaultdict[AnyDrafter, list[int]] = defaultdict(list)
        drafters: dict[int, AnyDrafter] = {}
        for i in active:
            effect = moved[i].suspension.effect
            if id(effect) not in drafters:
                drafters[id(effect)] = self.context.drafter(_strings(moved[i]))
            chosen = begins if moved[i].draft is None else steps
            chosen[drafters[id(effect)]].append(i)
        for drafter, indices in begins.items():
            runs = [joint_drafts.waiting_together(moved[i].suspension) for i in indices]
            with at_sites(effect.address for effects in runs for effect in effects):
                begun = joint_drafts.begin(drafter, runs, rng, indices, self.lookahead)
            self._drafted(moved, indices, begun)
        for drafter, indices in steps.items():
            drafts = [draft for i in indices if (draft := moved[i].draft) is not None]
            with at_sites(e.address for i in indices for e in joint_drafts.waiting_together(moved[i].suspension)):
                stepped = joint_drafts.step(drafter, drafts, rng, indices)
            self._drafted(moved, indices, stepped)

    def _drafted(self, moved: list[Particle], indices: Sequence[int], results: Sequence[Draft | Drawn]) -> None:
        for i, result in zip(indices, results, strict=True):
            suspension, log_weight, _ = moved[i]
            texts = joint_drafts.finished(result)
            if not texts:
                moved[i] = Particle(suspension, log_weight, result)  # type: ignore[arg-type]
                continue
            moved[i] = Particle(suspension, log_weight)
            for drawn in texts:
                if moved[i].running:
                    moved[i] = self._decided(moved[i], drawn.text, drawn.log_weight)

    def _decided(self, particle: Particle, value: Any, log_weight: float) -> Particle:
        """The particle after its program has received `value` and run on to its next choice."""
        before, effect = particle.suspension, particle.suspension.effect
        assert effect is not None
        kind = "sample" if isinstance(effect, Sample) else "observe"
        entry = Entry(effect.address, kind, value, log_weight)  # type: ignore[arg-type]
        if particle.log_weight + log_weight == -math.inf:
            dead = Suspension(before.trace.extend(entry), dead=True)
            return Particle(dead, -math.inf)
        after = self.machine.resume(before.trace.extend(entry))
        return Particle(after, particle.log_weight + log_weight_since(after, before))


def log_weight_since(after: Suspension, before: Suspension | None) -> float:
    """Sum of the log weights of the statements between two suspensions of one run (`None`: from its start)."""
    total, here = 0.0, after.trace
    while here is not (before.trace if before else None) and here.entry is not None:
        total += here.entry.log_weight
        assert here.parent is not None
        here = here.parent
    return total


def _strings(particle: Particle) -> StringDistribution:
    effect = particle.suspension.effect
    assert effect is not None
    assert isinstance(effect.distribution, StringDistribution)
    return effect.distribution


def _values(effects: Sequence[Any], rngs: Sequence[Rng]) -> Iterator[Any]:
    """A draw for each effect; those of finite supports from random numbers that are computed together."""
    laws = [effect.distribution for effect in effects]
    if len(laws) >= MANY and all(type(law) is Finite for law in laws):
        points: list[float] = uniforms(rngs, lambda i: laws[i].breakpoints).tolist()
        yield from (law.quantile(point) for law, point in zip(laws, points, strict=True))
        return
    if len(laws) >= MANY:
        rngs = list(rngs)
        foresee(rngs)
    yield from map(_sampled, effects, rngs)


def _sampled(effect: Sample, rng: Rng) -> Any:
    """A draw; an error of the distribution's own names the site."""
    assert not isinstance(effect.distribution, StringDistribution)
    try:
        return effect.distribution.sample(rng)
    except PgenError:
        raise
    except Exception as error:
        error.add_note(f"while sampling {effect.address!r} from {effect.distribution!r}")
        raise
