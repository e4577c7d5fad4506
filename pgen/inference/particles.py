"""Particles: many runs of one program, advanced together so that their model calls are batched.

A particle is immutable: where its program stands (`Suspension`), a draft if it is in
the middle of a text, and its log weight. `tick` moves each chosen particle by one
token or one choice. Proposal for texts: the prefix tree explored so far, then the
masked model; weight: the tree's mass times the masses allowed at every later step,
so E[weight * 1{text = x}] is the target mass of x whatever the tree has explored.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pgen.errors import PgenError
from pgen.inference.context import Context
from pgen.inference.prefix_tree import Stratum
from pgen.inference.scoring import observe_all
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine, Suspension
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import Text, TextDistribution
from pgen.programs.trace import Entry
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD, STOP, step


class Draft(NamedTuple):
    """A text in the making; `log_weight` is what it has earned so far, `log_norm` its normaliser."""

    process: TextProcess
    state: TextState
    log_weight: float
    log_norm: float


class Particle(NamedTuple):
    """One weighted run. `log_weight` covers the finished statements, `draft` the text being drawn."""

    suspension: Suspension
    log_weight: float = 0.0
    draft: Draft | None = None

    @property
    def running(self) -> bool:
        """Whether there is anything left to do."""
        return self.suspension.effect is not None and self.total_log_weight > -math.inf

    @property
    def total_log_weight(self) -> float:
        """log weight, the draft's included; -inf for the dead."""
        if self.suspension.dead:
            return -math.inf
        return self.log_weight + (self.draft.log_weight if self.draft else 0.0)

    def partial_text(self) -> str:
        """The draft, or the last text drawn: what to show when everything died."""
        if self.draft is not None:
            data: bytes = self.draft.process.vocabulary.decode(self.draft.state.tokens)
            return data.decode(errors="replace")
        values = list(self.suspension.trace.values().values())
        return str(values[-1]) if values else ""


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
        """Move the particles `active` by one token or one choice; particle i draws from `rng.at(i)`."""
        moved = list(particles)
        drafting: list[int] = []
        observing: list[int] = []
        for i in active:
            effect = moved[i].suspension.effect
            if isinstance(effect, Observe):
                observing.append(i)
            elif isinstance(effect, Sample) and isinstance(effect.distribution, TextDistribution):
                drafting.append(i)
            elif isinstance(effect, Sample):
                value = _named(effect, lambda e=effect, i=i: e.distribution.sample(rng.at(i)))  # type: ignore[misc]
                moved[i] = self._decided(moved[i], value, 0.0)
        self._observe(moved, observing)
        self._draft(moved, drafting, rng)
        return moved

    def _observe(self, moved: list[Particle], active: Sequence[int]) -> None:
        effects = [moved[i].suspension.effect for i in active]
        log_probs = observe_all(self.context, [e for e in effects if isinstance(e, Observe)])
        for i, effect, log_prob in zip(active, effects, log_probs, strict=True):
            assert isinstance(effect, Observe)
            moved[i] = self._decided(moved[i], effect.value, log_prob)

    def _draft(self, moved: list[Particle], active: Sequence[int], rng: Rng) -> None:
        """Open drafts where there are none, then draw one token for each open one."""
        fresh = [i for i in active if moved[i].draft is None]
        self._explore([moved[i] for i in fresh])
        for indices in _grouped(fresh, lambda i: id(self.context.tree(_text(moved[i])))):
            self._begin_all(indices, moved, rng)
        for indices in _grouped((i for i in active if i not in set(fresh)), lambda i: _call_shape(moved[i])):
            self._step(indices, moved, rng)

    def _explore(self, particles: Sequence[Particle]) -> None:
        """Spend the look-ahead on the prefix trees of the texts about to be drawn, shared evenly."""
        trees = {id(tree): tree for tree in (self.context.tree(_text(p)) for p in particles)}
        for tree in trees.values():
            share = self.lookahead // len(trees)
            tree.expand(max(0, share - tree.n_evaluations))

    def _begin_all(self, indices: Sequence[int], moved: list[Particle], rng: Rng) -> None:
        """Stratified starts: the particles of one tree share its mass out in equal parts, rotated at random.

        The rotation makes every particle's own law the tree's, so that weights stay proper.
        """
        streams, count = [rng.at(i) for i in indices], len(indices)
        rotation = int(streams[0].uniform(lambda: np.arange(1, count + 1) / count) * count) if count > 1 else 0
        for rank, (i, stream) in enumerate(zip(indices, streams, strict=True)):
            moved[i] = self._begin(moved[i], stream, Stratum((rank + rotation) % count, count))

    def _begin(self, particle: Particle, rng: Rng, stratum: Stratum) -> Particle:
        distribution = _text(particle)
        log_norm = self.context.log_normalizer(distribution)
        start = self.context.tree(distribution).draw(rng, stratum)
        process = self.context.process(distribution)
        draft = Draft(process, start.state, start.log_weight, log_norm)
        if start.text is None:
            return particle._replace(draft=draft)
        return self._finished(particle._replace(draft=draft), start.text)

    def _step(self, indices: Sequence[int], moved: list[Particle], rng: Rng) -> None:
        drafts = [_draft_of(moved[i]) for i in indices]
        weighed = self.context.weigh_many([(d.process, d.state) for d in drafts])
        choices = [d.process.choice(d.state) for d in drafts]
        drawn = step(weighed.given, weighed.rows, choices, [rng.at(i) for i in indices])
        for i, draft, token, log_weight in zip(indices, drafts, drawn.tokens, drawn.log_weights, strict=True):
            moved[i] = self._extended(moved[i], draft, int(token), float(log_weight))

    def _extended(self, particle: Particle, draft: Draft, token: int, log_weight: float) -> Particle:
        earned = draft._replace(log_weight=draft.log_weight + log_weight)
        if token == DEAD:
            return particle._replace(draft=earned._replace(log_weight=-math.inf))
        if token == STOP or draft.process.ends(token):
            return self._finished(particle._replace(draft=earned), draft.process.text(draft.state))
        state = draft.process.advance(draft.state, token)
        particle = particle._replace(draft=earned._replace(state=state))
        text = draft.process.finished(state)
        return particle if text is None else self._finished(particle, text)

    def _finished(self, particle: Particle, text: Text) -> Particle:
        draft = _draft_of(particle)
        if not draft.process.holds(text):
            return particle._replace(draft=draft._replace(log_weight=-math.inf))
        return self._decided(particle._replace(draft=None), text, draft.log_weight - draft.log_norm)

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


def _call_shape(particle: Particle) -> tuple[object, ...]:
    process = _draft_of(particle).process
    return id(process.model), *process.shape


def _draft_of(particle: Particle) -> Draft:
    assert particle.draft is not None
    return particle.draft


def _text(particle: Particle) -> TextDistribution:
    effect = particle.suspension.effect
    assert effect is not None
    assert isinstance(effect.distribution, TextDistribution)
    return effect.distribution


def _grouped(indices: Iterable[int], key: Callable[[int], object]) -> list[list[int]]:
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(index)].append(index)
    return list(groups.values())


def _named(effect: Sample, draw: Callable[[], Any]) -> Any:
    """Run `draw`; an error of the distribution's own names the site."""
    try:
        return draw()
    except PgenError:
        raise
    except Exception as error:
        error.add_note(f"while sampling {effect.address!r} from {effect.distribution!r}")
        raise
