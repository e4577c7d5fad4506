"""The primitives a program is made of, as messages, and how a program sends them.

A program runs in a greenlet of its own (`pgen.programs.machine`); a primitive
builds one immutable message and switches to the parent, which answers it. So
programs stay in direct style while an engine batches the model calls of many.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, overload, runtime_checkable

from greenlet import getcurrent, greenlet

from pgen.errors import InvalidArgument, InvalidProgram
from pgen.programs.distributions import Distribution, as_distribution
from pgen.programs.text import TextDistribution, Tokenization

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sample:
    """A latent choice."""

    address: str
    distribution: TextDistribution | Distribution


@dataclass(frozen=True, slots=True)
class Observe:
    """A choice whose value is known: evidence."""

    address: str
    distribution: TextDistribution | Distribution
    value: Any
    tokenization: Tokenization = "canonical"


@dataclass(frozen=True, slots=True)
class Factor:
    """A log weight (nats) of the program's own; `-inf` for a condition that fails."""

    address: str
    log_weight: float


@dataclass(frozen=True, slots=True)
class Deterministic:
    """A value that is recorded under a name."""

    address: str
    value: Any


Effect = Sample | Observe | Factor | Deterministic


@runtime_checkable
class Scope(Protocol):
    """What a run offers to the primitives called inside it: names."""

    def address(self, name: str | None, site: str) -> str: ...
    def enter(self, label: str) -> None: ...
    def leave(self) -> None: ...


def sample(name: Any, distribution: Any = None) -> Any:
    """Draw a value: `sample("name", dist)`, or `sample(dist)` with a name from the call site.

    A text distribution gives a `Text` (a `str`); others give plain Python values.
    """
    if distribution is None:
        name, distribution = None, name
    return _send(Sample(_address(name), _checked(distribution)))


def observe(name: Any, distribution: Any, value: Any = None, *, tokenization: Tokenization = "canonical") -> None:
    """Weigh the run by the probability of `value` (log mass added to its weight).

    For texts the tokenizer's own spelling is scored; `tokenization="all"` sums
    over every spelling. A value outside the support gives weight zero.
    """
    if value is None and not isinstance(name, str):
        name, distribution, value = None, name, distribution
    _send(Observe(_address(name), _checked(distribution), value, tokenization))


@overload
def factor(name: str, log_weight: float) -> None: ...
@overload
def factor(name: float) -> None: ...
def factor(name: str | float, log_weight: float | None = None) -> None:
    """Multiply the weight of the run by exp(log_weight); NaN and +inf raise."""
    label, value = (name, log_weight) if isinstance(name, str) else (None, name)
    if value is None:
        raise InvalidArgument(f"factor({name!r}) needs a log weight: factor(name, log_weight)")
    number = float(value)
    address = _address(label)
    if math.isnan(number) or number == math.inf:
        raise InvalidArgument(f"factor {address!r}: the log weight is {number}, it must be a number or -inf")
    _send(Factor(address, number))


def condition(name: Any, holds: Any = None) -> None:
    """Keep only the runs where `holds` is true."""
    label, truth = (name, holds) if isinstance(name, str) else (None, name)
    if not isinstance(truth, bool) and type(truth).__name__ not in ("bool_", "bool"):
        raise InvalidArgument(
            f"condition({name!r}, ...) needs True or False, got {truth!r}",
            hint="compare explicitly, for instance condition('short', len(text) < 20)",
        )
    _send(Factor(_address(label), 0.0 if truth else -math.inf))


def deterministic(name: str, value: Value) -> Value:
    """Record a computed value under `name`, so that the posterior can report it; returns it."""
    return cast(Value, _send(Deterministic(_address(name), value)))


@overload
def plate(name: str, items: int) -> Iterator[int]: ...
@overload
def plate(name: str, items: Sequence[Value]) -> Iterator[Value]: ...
def plate(name: str, items: int | Sequence[Any]) -> Iterator[Any]:
    """Iterate over independent parts; names inside are prefixed with `name[i]/`."""
    scope = _scope()
    for index, item in enumerate(range(items) if isinstance(items, int) else items):
        scope.enter(f"{name}[{index}]")
        try:
            yield item
        finally:
            scope.leave()


def _send(effect: Effect) -> Any:
    parent = getcurrent().parent
    assert parent is not None
    return parent.switch(effect)


def _scope() -> Scope:
    current: greenlet = getcurrent()
    if not isinstance(current, Scope):
        raise InvalidProgram(
            "sample, observe, factor, condition, deterministic and plate work only inside a program that is being run",
            hint="decorate the function with @pgen.program and run it with pgen.infer(function, ...)",
        )
    return current


def _address(name: str | None) -> str:
    if name is not None and not isinstance(name, str):
        raise InvalidArgument(f"the name of a site must be a string, got {name!r}")
    frame = sys._getframe(2)
    return _scope().address(name, f"{frame.f_code.co_name}:{frame.f_lineno}")


def _checked(distribution: Any) -> TextDistribution | Distribution:
    if isinstance(distribution, TextDistribution):
        return distribution
    return as_distribution(distribution)
