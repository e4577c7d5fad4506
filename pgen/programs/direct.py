"""Direct runs: a program executed once, outside of inference, each choice drawn from its own distribution."""

from __future__ import annotations

import math
from typing import Any

from pgen.errors import InvalidProgram, ZeroEvidence
from pgen.programs.effects import Deterministic, Effect, Factor, Observe, Sample
from pgen.programs.scopes import Scope
from pgen.programs.strings import StringDistribution


class DirectScope(Scope):
    """Answers every message on the spot; latent choices need a stream from `pgen.handlers.seed`."""

    def answer(self, effect: Effect) -> Any:
        if isinstance(effect, Sample):
            return _drawn(effect)
        if isinstance(effect, Factor) and effect.log_weight == -math.inf:
            raise ZeroEvidence(
                f"condition {effect.address!r} failed in a direct run",
                hint="pgen.infer finds the runs in which it holds",
            )
        return effect.value if isinstance(effect, (Observe, Deterministic)) else None


def _drawn(effect: Sample) -> Any:
    if effect.rng is None:
        raise InvalidProgram(
            f"sample {effect.address!r}: a direct run needs a seed",
            hint="run the program with pgen.infer(program, ...), or once with pgen.handlers.seed(program, 0)(...)",
        )
    if effect.scale != 1.0:
        raise InvalidProgram(
            f"sample {effect.address!r} counts to the power {effect.scale:g}: it cannot be drawn directly",
            hint="a power is a weight on runs: use pgen.infer",
        )
    if isinstance(effect.distribution, StringDistribution):
        return effect.distribution.sample(effect.rng.seed())
    return effect.distribution.sample(effect.rng)
