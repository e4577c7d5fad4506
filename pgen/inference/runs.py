"""Complete runs of a program in which some choices are fixed and the others drawn, many at a time.

The engine of the operations on traces (`generative`, `trace_moves`): every job runs to
its end, its drafts share model calls with those of the other jobs, and what comes back
is a `Run` with an exact mass. Job i draws from its own stream, so results do not
depend on what runs beside it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pgen.errors import UnsupportedFeature
from pgen.inference.choice_laws import Law, Laws, Score
from pgen.inference.context import Context
from pgen.inference.drafts import AnyDrafter, Draft, Drawn
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
    """A complete run: latent `choices` by address, and the log weight of everything else in it.

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


class Keep(NamedTuple):
    """What a job does at an address: take `value`, or the whole `choice` if its law is the same; `None` is to draw."""

    value: Any
    choice: Choice | None = None


Plan = Callable[[str, Law], Keep | None]


def draw_everything(address: str, law: Law) -> Keep | None:
    """The plan of a run from scratch."""
    return None


@dataclass
class _Job:
    suspension: Suspension
    plan: Plan
    rng: Rng
    log_evidence: float
    choices: dict[str, Choice] = field(default_factory=dict)
    draft: Draft | None = None
    law: Law | None = None

    @property
    def running(self) -> bool:
        return self.suspension.effect is not None and self.log_evidence > -math.inf


class Runner:
    """Runs jobs of one program; `laws` are kept over its lifetime."""

    def __init__(self, machine: Machine, context: Context, lookahead: int) -> None:
        self.context = context
        self.laws = Laws(context, lookahead)
        self._machine = machine

    def run(self, plans: Sequence[Plan], rngs: Sequence[Rng]) -> list[Run]:
        """One run a plan; run i draws from `rngs[i]`."""
        if not plans:
            return []
        start = self._machine.start()
        jobs = [_Job(start, plan, rng, log_weight_since(start, None)) for plan, rng in zip(plans, rngs, strict=True)]
        if start.dead:
            return [_result(job) for job in jobs]
        while active := [job for job in jobs if job.running]:
            drafting: defaultdict[AnyDrafter, list[_Job]] = defaultdict(list)
            for job in active:
                self._begin(job)
                if job.draft is not None and job.law is not None and job.law.drafter is not None:
                    drafting[job.law.drafter].append(job)
            for drafter, group in drafting.items():
                moved = drafter.step([job.draft for job in group], [job.rng for job in group])
                for job, result in zip(group, moved, strict=True):
                    self._drafted(job, result)
        return [_result(job) for job in jobs]

    def _begin(self, job: _Job) -> None:
        """Run until there is a draft to move on, or the end."""
        while job.running and job.draft is None:
            effect = job.suspension.effect
            if isinstance(effect, Observe):
                (log_prob,) = observe_all(self.context, [effect])
                self._decide(job, effect.value, log_prob, evidence=True)
                continue
            assert isinstance(effect, Sample)
            job.law = self.laws.of(effect.distribution)
            kept = job.plan(effect.address, job.law)
            if kept is None:
                self._drafted(job, job.law.begin(job.rng))
            else:
                self._keep(job, effect, job.law, kept)

    def _keep(self, job: _Job, effect: Sample, law: Law, kept: Keep) -> None:
        if kept.choice is not None and kept.choice.law is law:
            job.choices[effect.address] = kept.choice._replace(is_drawn=False)
            self._decide(job, kept.choice.value, 0.0)
            return
        choice = Choice(law, law.member(kept.value), None, is_drawn=False)
        job.choices[effect.address] = choice
        self._decide(job, choice.value, 0.0 if choice.score.log_mass > -math.inf else -math.inf)

    def _drafted(self, job: _Job, result: Drawn | Draft) -> None:
        if not isinstance(result, Drawn):
            job.draft = result
            if result.log_weight == -math.inf:
                job.log_evidence = -math.inf
                self._machine.release(job.suspension.trace)
            return
        job.draft, effect = None, job.suspension.effect
        assert effect is not None
        assert job.law is not None
        job.choices[effect.address] = Choice(job.law, result.text, result.log_weight, is_drawn=True)
        self._decide(job, result.text, 0.0 if result.log_weight > -math.inf else -math.inf)

    def _decide(self, job: _Job, value: Any, log_weight: float, evidence: bool = False) -> None:
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


def _result(job: _Job) -> Run:
    return Run(job.suspension, job.choices, job.log_evidence)
