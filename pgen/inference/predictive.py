"""Predictive distributions: what a program would have said where it was told what to observe.

The program runs with its observations turned into draws, and its factors and conditions
left out, for they are evidence. Latent choices come from their prior or, given a
posterior, from one of its weighted runs. That is a program again, so any method infers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgen.errors import InvalidArgument
from pgen.inference.infer import Method, infer
from pgen.inference.methods.importance import Importance
from pgen.inference.posterior import Posterior
from pgen.programs.distributions import categorical
from pgen.programs.effects import Deterministic, Effect, Factor, Observe, Sample, sample
from pgen.programs.handlers import Block, Handler
from pgen.programs.scopes import Send
from pgen.programs.trace import Trace


class Predictive:
    """Prior predictive of `program`, or posterior predictive if a `posterior` of it is given.

    Call it with the program's arguments. In the result the observed sites are latent
    ones: `result.marginal("seen")` is the predictive distribution of what `observe("seen", ...)`
    was told. The program itself goes on with the value that it was told.
    """

    def __init__(self, program: Callable[..., Any], posterior: Posterior | None = None, draws: int = 100) -> None:
        self._function = program
        self._traces = () if posterior is None else posterior.traces
        self._index = None if posterior is None else categorical([float(weight) for weight in posterior.weights])
        self._draws = draws
        _check_visible(self._traces)

    def __call__(self, *args: Any, seed: int = 0, method: Method | None = None, **kwargs: Any) -> Posterior:
        """The predictive distribution as weighted runs: by default `draws` of them by importance sampling."""
        return infer(self.program, *args, method=method or Importance(self._draws), seed=seed, **kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Any:
        """The predictive program, to run by any method or to build on."""
        with _Forecast(self._values()):
            return self._function(*args, **kwargs)

    def _values(self) -> Mapping[str, Any]:
        if self._index is None:
            return {}
        with Block():
            index = int(sample("run of the posterior", self._index))
        return self._traces[index].choices()


class _Forecast(Handler):
    """Take latent choices from `values`, draw what is observed, leave other evidence out."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self._values = values

    def handle(self, effect: Effect, outer: Send) -> Any:
        if isinstance(effect, Sample) and effect.address in self._values:
            return outer(Deterministic(effect.address, self._values[effect.address]))
        if isinstance(effect, Observe) and effect.role == "observe":
            return outer(Sample(effect.address, effect.distribution))
        return None if isinstance(effect, Factor) else outer(effect)


def _check_visible(traces: Sequence[Trace]) -> None:
    for trace in traces:
        hidden = [entry.address for entry in trace.entries() if entry.hidden and entry.kind == "sample"]
        if hidden:
            raise InvalidArgument(
                f"the posterior's choice {hidden[0]!r} is hidden by handlers.block, so it cannot be taken from there",
                hint="infer the program without block",
            )
