"""`infer`: one program, one method, one posterior."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, Protocol

from pgen.errors import InvalidArgument
from pgen.inference import collecting
from pgen.inference.automatic import Automatic
from pgen.inference.budget import Budget, as_budget
from pgen.inference.context import Context
from pgen.inference.posterior import Posterior
from pgen.programs.effects import sample
from pgen.programs.machine import Machine, Program
from pgen.programs.strings import StringDistribution
from pgen.sampling.rng import CounterRng, Rng


class Method(Protocol):
    """An inference method: a value with its settings and a `run`."""

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """The posterior of the program of `machine`; model calls go through `context`, randomness through `rng`."""
        ...


def infer(
    program: Program[..., Any] | Callable[..., Any] | StringDistribution,
    *args: Any,
    method: Method | Literal["auto"] = "auto",
    seed: int = 0,
    batch_size: int = 64,
    budget: Budget | int | timedelta | None = None,
    **kwargs: Any,
) -> Posterior:
    """The posterior of `program(*args, **kwargs)`; a text distribution stands for drawing one text from it.

    `batch_size` bounds the prefixes in one model call and never changes a result.
    `budget` bounds model evaluations (a number) or time (`pgen.Budget(seconds=...)`): when it is
    spent, or on Ctrl-C, the method returns what it has, with a note.
    Raises `ZeroEvidence` if nothing has weight, and whatever the program raises.
    """
    if method != "auto" and not hasattr(method, "run"):
        raise InvalidArgument(
            f"method={method!r}: expected 'auto' or a method", hint="for instance pgen.SMC(particles=64)"
        )
    if batch_size < 1:
        raise InvalidArgument(f"batch_size={batch_size}: must be at least 1")
    chosen: Method = Automatic() if method == "auto" else method
    return run(_function(program), args, kwargs, chosen, Context(batch_size, as_budget(budget)), CounterRng(seed))


def run(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    method: Method,
    context: Context,
    rng: Rng,
) -> Posterior:
    """`infer` with every part given: the context may be shared by several runs, the source of randomness replaced."""
    machine = Machine(function, args, kwargs)
    try:
        with collecting.seldom():
            return method.run(machine, context, rng)
    finally:
        machine.close()


def _function(program: Program[..., Any] | Callable[..., Any] | StringDistribution) -> Callable[..., Any]:
    if isinstance(program, StringDistribution):
        return lambda: sample("text", program)
    if not callable(program):
        raise InvalidArgument(
            f"infer needs a program or a text distribution, got {type(program).__name__}",
            hint="decorate a function with @pgen.program",
        )
    return program
