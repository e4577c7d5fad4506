"""Conditional SMC: particles beside one run that must survive. The building block of particle Gibbs.

The first of N particles retraces a given run; the others are proposed as in `smc`. When
the weights degenerate, the others draw their ancestors from all N (multinomial), the
retained one descends from itself. If the given run is a draw from the posterior, so is a
particle drawn by weight at the end, whatever N (Andrieu, Doucet and Holenstein, "Particle
Markov chain Monte Carlo methods", JRSS B 2010).

Ancestor sampling (Lindsten, Jordan and Schön, "Particle Gibbs with ancestor sampling",
JMLR 2014) also draws the past of the retained run anew: particle i with probability
proportional to w_i g(past_i, future) / g(past_i), so that early choices change
even where all particles descend from one. Cost: N runs, and for each resampling with
ancestor sampling N scored runs more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import UnsupportedFeature
from pgen.inference.drafting.choice_laws import Law, Spelled
from pgen.inference.drafting.drafts import Draft, Drawn
from pgen.inference.drafting.left_to_right import TokenDraft
from pgen.inference.generative import redraw
from pgen.inference.moves.trace_moves import draw
from pgen.inference.runs import Choice, Job, Keep, Plan, Refuse, Run, Runner, draw_everything
from pgen.sampling.logspace import effective_sample_size, log_sum_exp, normalized
from pgen.sampling.rng import Rng

Places = Literal["choices", "tokens"]


class Sweep(NamedTuple):
    """N runs, the retained one (or its descendant) first, their `(N,)` log weights, and the evidence estimate."""

    runs: list[Run]
    log_weights: NDArray[np.float64]
    log_evidence: float


def conditional_sweep(
    runner: Runner,
    retained: Run,
    count: int,
    rng: Rng,
    *,
    resample: Places = "choices",
    ess_threshold: float = 0.5,
    ancestors: bool = False,
) -> Sweep:
    """One pass of `count` particles, all drawn from one stream; see the module for what it keeps invariant."""
    swarm = _Swarm.begun(runner, retained, count, rng, resample)
    while swarm.moves:
        swarm.advance()
        if swarm.moves and effective_sample_size(swarm.log_weights) < ess_threshold * count:
            swarm.resample(rng, ancestors)
    log_weights = swarm.log_weights
    log_evidence = swarm.log_evidence + log_sum_exp(log_weights) - math.log(count)
    return Sweep([job.run for job in swarm.jobs], log_weights, log_evidence)


@dataclass
class _Swarm:
    """Jobs, the first of which retraces `retained`; `log_bases (N,)` are their weights at the last resampling."""

    runner: Runner
    retained: Run
    where: Places
    jobs: list[Job]
    log_bases: NDArray[np.float64]
    log_evidence: float = 0.0

    @classmethod
    def begun(cls, runner: Runner, retained: Run, count: int, rng: Rng, where: Places) -> _Swarm:
        plans = [_retrace(retained, where), *[draw_everything] * (count - 1)]
        return cls(runner, retained, where, runner.begin(plans, [rng] * count), np.zeros(count))

    @property
    def moves(self) -> bool:
        return any(self.runner.moves(job) for job in self.jobs)

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """`(N,)` log weights since the last resampling."""
        return np.array([job.log_weight for job in self.jobs]) - self.log_bases

    def advance(self) -> None:
        """All particles to the next point of comparison."""
        if self.where == "tokens":
            self.runner.advance([job for job in self.jobs[1:] if self.runner.moves(job)])
            self._follow()
            return
        done = min(len(job.choices) for job in self.jobs if self.runner.moves(job))
        cut = self.runner.up_to(done + 1)
        while behind := [job for job in self.jobs if cut.moves(job)]:
            cut.advance(behind)

    def _follow(self) -> None:
        """The retained run one token further."""
        job = self.jobs[0]
        if not self.runner.moves(job):
            return
        self.runner.open(job)
        if job.draft is not None:
            assert job.suspension.effect is not None
            text = self.retained.choices[job.suspension.effect.address].value
            self.runner.receive(job, _next_token(job.law, job.draft, text.tokens))

    def resample(self, rng: Rng, ancestors: bool) -> None:
        """New ancestors for all but the retained run, which keeps its own unless `ancestors` are sampled too."""
        log_weights = self.log_weights
        weights = normalized(log_weights)
        drawn = [draw(rng, weights) for _ in self.jobs[1:]]
        first = self._reattached(rng, log_weights) if ancestors else self.jobs[0]
        self.log_evidence += log_sum_exp(log_weights) - math.log(len(self.jobs))
        self.jobs = [first, *(self.jobs[i].forked(draw_everything) for i in drawn)]
        self.log_bases = np.array([job.log_weight for job in self.jobs])

    def _reattached(self, rng: Rng, log_weights: NDArray[np.float64]) -> Job:
        """The future of the retained run on a past drawn from all particles."""
        future = {a: c for a, c in self.retained.choices.items() if a not in self.jobs[0].choices}
        alive = [i for i in range(len(self.jobs)) if log_weights[i] > -np.inf]
        whole = self.runner.run([_spliced(self.jobs[i], future) for i in alive], [rng] * len(alive))
        log_masses = []
        for i, run in zip(alive, whole, strict=True):
            complete = not run.dead and len(run.choices) == len(self.jobs[i].choices) + len(future)
            gained = run.log_mass - self.jobs[i].run.log_mass if complete else -math.inf
            log_masses.append(float(log_weights[i]) + gained)
        chosen = draw(rng, normalized(log_masses))
        self.retained = whole[chosen]
        return self.jobs[alive[chosen]].forked(_retrace(self.retained, self.where))


def _retrace(run: Run, where: Places) -> Plan:
    """Make the choices of `run` again; token by token, texts are begun and then led (`_Swarm._follow`)."""
    kept = redraw(run, ())
    if where == "choices":
        return kept

    def plan(address: str, law: Law) -> Keep | Refuse | None:
        if law.level == "opaque" or (isinstance(law, Spelled) and type(law) is not Spelled):
            raise UnsupportedFeature(
                f"conditional SMC cannot retrace the text {address!r} token by token",
                hint='only texts of left-to-right models without critics or holes: use resample="choices"',
            )
        return None if isinstance(law, Spelled) else kept(address, law)

    return plan


def _spliced(job: Job, future: dict[str, Choice]) -> Plan:
    """The past of a job, then the choices of another run; any other choice is refused."""
    past = dict(job.choices)

    def plan(address: str, law: Law) -> Keep | Refuse:
        choice = past.get(address) or future.get(address)
        if choice is None or (choice.law is not law and (choice.law.level != law.level or law.level == "opaque")):
            return Refuse()
        return Keep(choice.value, choice)

    return plan


def _next_token(law: Law | None, draft: Draft, tokens: Sequence[int]) -> Drawn | Draft:
    """The draft after the token that the retained text has next, or its end, with the weight of that step."""
    assert isinstance(law, Spelled)
    assert isinstance(draft, TokenDraft)
    at = len(draft.state.tokens)
    log_weight = draft.log_weight + law.steps(tuple(tokens))[at].log_weight
    if at == len(tokens):
        return Drawn(law.process.text(draft.state), log_weight - draft.log_norm)
    result = law.resume(law.process.advance(draft.state, tokens[at]))
    return result._replace(log_weight=log_weight + result.log_weight)
