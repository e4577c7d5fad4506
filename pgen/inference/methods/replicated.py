"""The same method several times: one pooled posterior, and how far its evidence is to be trusted.

With unbiased estimates Z_r of the evidence, their mean is unbiased, and runs pooled in
proportion to the Z_r are properly weighted. The standard error of log Z is that of the mean of the
Z_r over the mean (delta method); it is as blind as the replicates to modes that none of them has visited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np

from pgen.errors import InvalidArgument, LimitExceeded, ZeroEvidence
from pgen.inference.budget import INTERRUPTED, SPENT, told_to_stop
from pgen.inference.context import Context
from pgen.inference.infer import Method
from pgen.inference.methods.smc import SMC
from pgen.inference.posterior import Posterior
from pgen.programs.machine import Machine
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import Breakpoints, Rng

_STRIDE = 2**44
"""Distance of two replicates' places in the streams of random numbers, beyond any step of a method."""


@dataclass(frozen=True, repr=False)
class ReplicatedPosterior(Posterior):
    """Pooled replicates; `log_evidences` holds the estimate of each, -inf where every run died."""

    log_evidences: tuple[float, ...] = ()

    @property
    def log_evidence_error(self) -> float:
        """Standard error of `log_evidence`, in nats; NaN if only one replicate was finished."""
        if len(self.log_evidences) < 2:
            return math.nan
        ratios = np.exp(np.array(self.log_evidences) - self.log_evidence)  # Z_r / mean Z
        return float(np.std(ratios, ddof=1) / math.sqrt(len(ratios)))


@dataclass(frozen=True)
class Replicated:
    """`runs` independent runs of a method that estimates the evidence without bias (default: SMC)."""

    method: Method = SMC()  # noqa: RUF009
    runs: int = 8

    def __post_init__(self) -> None:
        if self.runs < 2:
            raise InvalidArgument(f"runs={self.runs}: an error takes at least two")

    def run(self, machine: Machine, context: Context, rng: Rng) -> ReplicatedPosterior:
        """Raises `ZeroEvidence` if every run of every replicate dies, `InvalidArgument` if there is no evidence.

        When the budget is spent, or after an interrupt, the replicates that are complete count, if there are any.
        """
        found, failure, notes = self._replicates(machine, context, rng)
        alive = [posterior for posterior in found if posterior is not None]
        if not alive:
            assert failure is not None
            raise failure
        if any(math.isnan(posterior.log_evidence) for posterior in alive):
            raise InvalidArgument(f"{self.method!r} gives no estimate of the evidence, so its runs cannot be pooled")
        log_evidences = tuple(-math.inf if posterior is None else posterior.log_evidence for posterior in found)
        return self._pooled(alive, log_evidences, notes, context)

    def _replicates(
        self, machine: Machine, context: Context, rng: Rng
    ) -> tuple[list[Posterior | None], ZeroEvidence | None, tuple[str, ...]]:
        """The replicates (`None` where every run died), why the last one did, and what stopped them early."""
        found: list[Posterior | None] = []
        failure: ZeroEvidence | None = None
        word: str | None = None
        while len(found) < self.runs and word is None:
            try:
                posterior = self.method.run(machine, context, Shifted(rng, len(found)))
            except ZeroEvidence as error:
                found.append(None)
                failure = error
            except (KeyboardInterrupt, LimitExceeded) as stop:
                spent = isinstance(stop, LimitExceeded)
                if not found or (spent and context.affordable > 0):
                    raise
                word = SPENT if spent else INTERRUPTED
            else:
                word = told_to_stop(posterior.notes)
                if word is None or not found:
                    found.append(posterior)
        notes = () if word is None else (f"{word} after {len(found)} of {self.runs} replicates",)
        return found, failure, notes

    def _pooled(
        self, alive: list[Posterior], log_evidences: tuple[float, ...], early: tuple[str, ...], context: Context
    ) -> ReplicatedPosterior:
        log_weights = [p.log_weights + (p.log_evidence - log_sum_exp(p.log_weights)) for p in alive]
        rank = ("heuristic", "map", "consistent", "exact")
        pooled = ReplicatedPosterior(
            values=tuple(chain.from_iterable(p.values for p in alive)),
            log_weights=np.concatenate(log_weights),
            traces=tuple(chain.from_iterable(p.traces for p in alive)),
            log_evidence=log_sum_exp(log_evidences) - math.log(len(log_evidences)),
            label=min((p.label for p in alive), key=rank.index),
            method=repr(self),
            n_evaluations=context.n_evaluations,
            ess_path=tuple(chain.from_iterable(p.ess_path for p in alive)),
            log_evidences=log_evidences,
        )
        error = f"log evidence {pooled.log_evidence:.4g}, standard error {pooled.log_evidence_error:.2g}"
        notes = dict.fromkeys(chain.from_iterable(p.notes for p in alive))
        return ReplicatedPosterior(
            **{**vars(pooled), "notes": (f"{error} over {len(log_evidences)} replicates", *early, *notes)}
        )


class Shifted:
    """The streams of one replicate: those of `rng` at places that no other replicate uses."""

    def __init__(self, rng: Rng, number: int) -> None:
        self._rng = rng
        self._offset = number * _STRIDE

    def at(self, *place: int) -> Rng:
        """The stream at a place of this replicate."""
        return self._rng.at(place[0] + self._offset, *place[1:]) if place else self

    def uniform(self, breakpoints: Breakpoints | None = None) -> float:
        """A number from a place of this replicate that no stream uses."""
        return self._rng.at(self._offset + _STRIDE - 1).uniform(breakpoints)

    def seed(self) -> int:
        """A seed from a place of this replicate that no stream uses."""
        return self._rng.at(self._offset + _STRIDE - 1).seed()
