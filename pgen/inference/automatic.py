"""The default method: enumerate where the mass is concentrated, else importance sampling.

A short best-first expansion shows whether the mass is concentrated. If it is, the
expansion goes on until at most `TOLERANCE` of it is unknown, which is exact for most
questions with a finite answer at the cost of a few dozen evaluations. Otherwise the
same trees serve as the proposal of importance sampling, so nothing is evaluated twice.
Blind resampling is never the default: it loses modes whose evidence comes late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.context import Context
from pgen.inference.enumeration import Enumerate
from pgen.inference.importance import Importance
from pgen.inference.posterior import Posterior
from pgen.inference.prefix_tree import NotCertified
from pgen.programs.machine import Machine
from pgen.sampling.rng import Rng

TOLERANCE = 0.002
"""Share of a text's mass that may stay unknown when the automatic method enumerates."""
FIRST_LOOK = 48
"""Evaluations after which a hopeless enumeration is given up."""
MAX_EVALUATIONS = 400
PROMISING = 0.2
"""Explored share after the first look from which enumeration goes on."""


@dataclass(frozen=True)
class Automatic:
    """Pick a method by looking; `particles` are for the case that sampling is needed."""

    particles: int = 64

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises what the chosen method raises."""
        reason = ""
        for limit in (FIRST_LOOK, MAX_EVALUATIONS):
            try:
                found = Enumerate(TOLERANCE, max_evaluations=limit, max_runs=2_000).run(machine, context, rng)
                return replace(found, notes=("chosen automatically: the mass is concentrated enough to enumerate",))
            except NotCertified as error:
                reason = error.message
                if error.explored < PROMISING:
                    break
            except (InvalidArgument, LimitExceeded) as error:
                reason = error.message
                break
        sampled = Importance(self.particles).run(machine, context, rng)
        return replace(sampled, notes=(*sampled.notes, f"chosen automatically, since {reason}"))
