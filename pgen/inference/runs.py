"""Runs of a program in which some choices are fixed and the others drawn, many at a time.

The engine of the operations on traces (`generative`, `trace_moves`) and of the particle
methods that move whole runs (`resample_move`, `tempering`, `conditional`): a job runs to
its end, or up to the next choice after a `horizon`; its drafts share model calls with those of the other jobs, and what
comes back is a `Run` with an exact mass. Job i draws from its own stream, so results do
not depend on what runs beside it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pgen.errors import UnsupportedFeature
from pgen.inference.context import Context
from pgen.inference.drafting.choice_laws import Law, Laws, Score
from pgen.inference.drafting.drafts import AnyDrafter, Draft, Drawn
from pgen.inference.observing import observe_all
from pgen.inference.particles import log_weight_since
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine, Suspension
from pgen.programs.trace import Entry, Trace
from pgen.sampling.rng import Rng


class Choice(NamedTuple):
    """A latent choice of a run. `log_weight` is known where it was drawn; `is_drawn`: by the job that made the run."""

    law: Law
    value: Any
    log_weight: float | None
    is_drawn: bool

    @property
    def score(self) -> Score:
        """Mass and weight; the weight of the draw itself where it is known."""
        scored = self.law.score(self.value)
        return scored if self.log_weight is None else scored._replace(log_weight=self.log_weight)

    @property
    def log_draw_weight(self) -> float:
        """log w of the value, without scoring it where it is known."""
        log_weight = self.law.score(self.value).log_weight if self.log_weight is None else self.log_weight
        if math.isnan(log_weight):
            raise UnsupportedFeature(
                f"the text {self.value!r} was not drawn by its model, so no move can take it back",
                hint="start from runs in which this text was drawn",
            )
        return log_weight


@dataclass(frozen=True)
class Run:
    """A run, complete or up to a horizon: latent `choices` by address, and the log weight of everything else in it.

    `log_evidence` is -inf for runs that died; then `choices` are those made until then.
    """

    suspension: Suspension
    choices: Mapping[str, Choice]
    log_evidence: float

    @property
    def trace(self) -> Trace:
        """What it did, statement by statement."""
        return self.suspension.trace

    @property
    def value(self) -> Any:
        """What the program returned."""
        return self.suspension.value

    @property
    def dead(self) -> bool:
        """Whether the run has mass 0."""
        return self.log_evidence == -math.inf

    @property
    def log_mass(self) -> float:
        """log of the run's exact mass: all choices and all evidence."""
        return self.log_evidence + math.fsum(choice.score.log_mass for choice in self.choices.values())

    @property
    def log_weight(self) -> float:
        """log of the run's mass over the chance to draw all of its choices from their laws."""
        return self.log_evidence + math.fsum(choice.log_draw_weight for choice in self.choices.values())

    @property
    def running(self) -> bool:
        """Whether there is anything left to do."""
        return self.suspension.effect is not None and not self.dead


class Keep(NamedTuple):
    """What a job does at an address: take `value`, or the whole `choice` if its law is the same; `None` is to draw."""

    value: Any
    choice: Choice | None = None


class Refuse(NamedTuple):
    """What a job does at an address that it must not reach: die."""


Plan = Callable[[str, Law], Keep | Refuse | None]


def draw_everything(address: str, law: Law) -> Keep | None:
    """The plan of a run from scratch."""
    return None


@dataclass
class Job:
    """A run in the making. `draft` is the text being drawn from `law`, `choices` are finished."""

    suspension: Suspension
    plan: Plan
    rng: Rng
    log_evidence: float
    choices: dict[str, Choice] = field(default_factory=dict)
    draft: Draft | None = None
    law: Law | None = None

    @property
    def running(self) -> bool:
        """Whether there is anything left to do."""
        return self.suspension.effect is not None and self.log_evidence > -math.inf

    @property
    def log_weight(self) -> float:
        """What it has earned if all of its choices were drawn from their laws, the draft's included."""
        if self.log_evidence == -math.inf:
            return -math.inf
        drawn = math.fsum(choice.log_draw_weight for choice in self.choices.values())
        return self.log_evidence + drawn + (self.draft.log_weight if self.draft is not None else 0.0)

    def forked(self, plan: Plan) -> Job:
        """A copy that goes on by another plan."""
        return replace(self, plan=plan, choices=dict(self.choices))

    @property
    def run(self) -> Run:
        """Where it is now (a draft is no part of it)."""
        return Run(self.suspension, self.choices, self.log_evidence)


class Runner:
    """Runs jobs of one program; `laws` are kept over its lifetime. Jobs stop at the choice after `horizon` choices."""

    def __init__(self, machine: Machine, context: Context, lookahead: int) -> None:
        self.context = context
        self.laws = Laws(context, lookahead)
        self.horizon: int | None = None
        self._machine = machine

    def up_to(self, horizon: int | None) -> Runner:
        """The runner of the program that ends before its choice number `horizon`; laws are shared."""
        other = copy(self)
        other.horizon = horizon
        return other

    def run(self, plans: Sequence[Plan], rngs: Sequence[Rng]) -> list[Run]:
        """One run a plan; run i draws from `rngs[i]`."""
        return self.finish(self.begin(plans, rngs))

    def extend(self, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Run]:
        """Runs that stopped at a shorter horizon, drawn on to this one; old choices count as kept."""
        jobs = []
        for run, rng in zip(runs, rngs, strict=True):
            kept = {address: choice._replace(is_drawn=False) for address, choice in run.choices.items()}
            jobs.append(Job(run.suspension, draw_everything, rng, run.log_evidence, kept))
        return self.finish(jobs)

    def begin(self, plans: Sequence[Plan], rngs: Sequence[Rng]) -> list[Job]:
        """A job a plan, at the program's first choice."""
        if not plans:
            return []
        start = self._machine.start()
        log_evidence = -math.inf if start.dead else log_weight_since(start, None)
        return [Job(start, plan, rng, log_evidence) for plan, rng in zip(plans, rngs, strict=True)]

    def finish(self, jobs: Sequence[Job]) -> list[Run]:
        """Every job's run."""
        while active := [job for job in jobs if self.moves(job)]:
            self.advance(active)
        return [job.run for job in jobs]

    def moves(self, job: Job) -> bool:
        """Whether a job has something to do before the horizon."""
        if self.horizon is None or not job.running or job.draft is not None:
            return job.running
        return isinstance(job.suspension.effect, Observe) or len(job.choices) < self.horizon

    def advance(self, jobs: Sequence[Job]) -> None:
        """Each job on by all that needs no draft, and then by a step of its draft."""
        drafting: defaultdict[AnyDrafter, list[Job]] = defaultdict(list)
        for job in jobs:
            self.open(job)
            if job.draft is not None and job.law is not None and job.law.drafter is not None:
                drafting[job.law.drafter].append(job)
        for drafter, group in drafting.items():
            moved = drafter.step([job.draft for job in group], [job.rng for job in group])
            for job, result in zip(group, moved, strict=True):
                self.receive(job, result)

    def open(self, job: Job) -> None:
        """Run a job until there is a draft to move on, or the end."""
        while job.draft is None and self.moves(job):
            effect = job.suspension.effect
            if isinstance(effect, Observe):
                (log_prob,) = observe_all(self.context, [effect])
                self._decide(job, effect.value, log_prob, evidence=True)
                continue
            assert isinstance(effect, Sample)
            job.law = self.laws.of(effect.distribution)
            kept = job.plan(effect.address, job.law)
            if isinstance(kept, Refuse):
                self._die(job)
            elif kept is None:
                self.receive(job, job.law.begin(job.rng))
            else:
                self._keep(job, effect, job.law, kept)

    def receive(self, job: Job, result: Drawn | Draft) -> None:
        """Give a job its next draft, or the finished text."""
        if not isinstance(result, Drawn):
            job.draft = result
            if result.log_weight == -math.inf:
                self._die(job)
            return
        job.draft, effect = None, job.suspension.effect
        assert effect is not None
        assert job.law is not None
        job.choices[effect.address] = Choice(job.law, result.text, result.log_weight, is_drawn=True)
        self._decide(job, result.text, 0.0 if result.log_weight > -math.inf else -math.inf)

    def _die(self, job: Job) -> None:
        job.log_evidence = -math.inf
        self._machine.release(job.suspension.trace)

    def _keep(self, job: Job, effect: Sample, law: Law, kept: Keep) -> None:
        if kept.choice is not None and kept.choice.law is law:
            job.choices[effect.address] = kept.choice._replace(is_drawn=False)
            self._decide(job, kept.choice.value, 0.0)
            return
        choice = Choice(law, law.member(kept.value), None, is_drawn=False)
        job.choices[effect.address] = choice
        self._decide(job, choice.value, 0.0 if choice.score.log_mass > -math.inf else -math.inf)

    def _decide(self, job: Job, value: Any, log_weight: float, evidence: bool = False) -> None:
        """Answer the statement a job waits at; only evidence enters `log_evidence`, choices are scored apart."""
        before, effect = job.suspension, job.suspension.effect
        assert effect is not None
        trace = before.trace.extend(Entry(effect.address, "observe" if evidence else "sample", value, log_weight))
        if log_weight == -math.inf:
            self._machine.release(before.trace)
            job.suspension, job.log_evidence = Suspension(trace, dead=True), -math.inf
            return
        job.suspension = self._machine.resume(trace)
        job.log_evidence += log_weight_since(job.suspension, before)
