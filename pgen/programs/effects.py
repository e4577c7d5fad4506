"""The primitives a program is made of, as messages.

A primitive builds one immutable message and hands it to the scope it runs in
(`pgen.programs.scopes`), which passes it through the handlers in force. Under
inference a program is a greenlet (`pgen.programs.machine`), so programs stay in
direct style while an engine batches the model calls of many.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar, cast, overload

from pgen.errors import InvalidArgument
from pgen.programs.branches import side_by_side
from pgen.programs.distributions import Distribution, Finite, as_distribution
from pgen.programs.scopes import Installed, Send, current_scope
from pgen.programs.strings import StringDistribution, Tokenization
from pgen.programs.trace import Kind
from pgen.programs.values import immutable
from pgen.sampling.rng import Rng

Value = TypeVar("Value")
Item = TypeVar("Item")


@immutable()
class Sample:
    """A latent choice; its measure counts to the power `scale`. `rng` is set in direct runs only."""

    address: str
    distribution: StringDistribution | Distribution
    scale: float = 1.0
    rng: Rng | None = None
    hidden: bool = False

    @property
    def kind(self) -> Kind:
        """How the trace records it."""
        return "sample"


@immutable()
class Observe:
    """A choice whose value is known. `role`: evidence, a latent choice that a handler fixed, or the power of one."""

    address: str
    distribution: StringDistribution | Distribution
    value: Any
    tokenization: Tokenization = "canonical"
    scale: float = 1.0
    role: Literal["observe", "sample", "factor"] = "observe"
    hidden: bool = False

    @property
    def kind(self) -> Kind:
        """How the trace records it."""
        return self.role


@immutable()
class Factor:
    """A log weight (nats) of the program's own; `-inf` for a condition that fails."""

    address: str
    log_weight: float
    hidden: bool = False

    @property
    def kind(self) -> Kind:
        """How the trace records it."""
        return "factor"


@immutable()
class Deterministic:
    """A value that is recorded under a name."""

    address: str
    value: Any
    hidden: bool = False

    @property
    def kind(self) -> Kind:
        """How the trace records it."""
        return "deterministic"


Effect = Sample | Observe | Factor | Deterministic


def sample(name: Any, distribution: Any = None) -> Any:
    """Draw a value: `sample("name", dist)`, or `sample(dist)` with a name from the call site.

    A text distribution gives a `Text` (a `str`); others give plain Python values.
    """
    if distribution is None:
        name, distribution = None, name
    scope, address = current_scope(), name if type(name) is str else _address(name)
    recorded = scope.recall("sample", address)
    return scope.perform(Sample(address, _checked(distribution))) if recorded is None else recorded.value


def observe(name: Any, distribution: Any, value: Any = None, *, tokenization: Tokenization = "canonical") -> None:
    """Weigh the run by the probability of `value` (log mass added to its weight).

    For texts the tokenizer's own spelling is scored; `tokenization="all"` sums
    over every spelling. A value outside the support gives weight zero.
    """
    if value is None and not isinstance(name, str):
        name, distribution, value = None, name, distribution
    if tokenization not in ("canonical", "all"):
        raise InvalidArgument(f"tokenization={tokenization!r}: expected 'canonical' or 'all'")
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
    if not number < math.inf:
        raise InvalidArgument(f"factor {address!r}: the log weight is {number}, it must be a number or -inf")
    _weigh(address, number)


def condition(name: Any, holds: Any = None) -> None:
    """Keep only the runs where `holds` is true."""
    label, truth = (name, holds) if isinstance(name, str) else (None, name)
    if not isinstance(truth, bool) and type(truth).__name__ not in ("bool_", "bool"):
        raise InvalidArgument(
            f"condition({name!r}, ...) needs True or False, got {truth!r}",
            hint="compare explicitly, for instance condition('short', len(text) < 20)",
        )
    _weigh(_address(label), 0.0 if truth else -math.inf)


def deterministic(name: str, value: Value) -> Value:
    """Record a computed value under `name`, so that the posterior can report it; returns it."""
    return cast(Value, _send(Deterministic(_address(name), value)))


@overload
def plate(name: str, items: int) -> Iterator[int]: ...
@overload
def plate(name: str, items: Sequence[Value]) -> Iterator[Value]: ...
def plate(name: str, items: int | Sequence[Any]) -> Iterator[Any]:
    """Iterate over independent parts; names inside are prefixed with `name[i]/`."""
    scope = current_scope()
    for index, item in enumerate(range(items) if isinstance(items, int) else items):
        prefixed, owner = Prefix(f"{name}[{index}]/"), object()
        scope.install(Installed(owner, prefixed, prefixed.text))
        try:
            yield item
        finally:
            scope.remove(owner)


def map(function: Callable[[Item], Value], items: Sequence[Item], name: str = "map") -> list[Value]:  # noqa: A001
    """`function(item)` for independent items, as a list; names inside are prefixed with `name[i]/`.

    Under inference the items advance side by side, so that their model calls are batched; in
    a `plate` one comes after the other. The measure is the same.
    """
    scope = current_scope()
    if not scope.concurrent:
        return [function(item) for item in plate(name, items)]
    return side_by_side(scope, [(Prefix(f"{name}[{i}]/"), partial(function, item)) for i, item in enumerate(items)])


@dataclass(frozen=True, slots=True)
class Prefix:
    """A handler that puts `text` before every address."""

    text: str

    def __call__(self, effect: Effect, outer: Send) -> Any:
        """Pass the message on under its longer address."""
        return outer(replace(effect, address=self.text + effect.address))


def _weigh(address: str, log_weight: float) -> None:
    scope = current_scope()
    if scope.recall("factor", address, log_weight) is None:
        scope.perform(Factor(address, log_weight))


def _send(effect: Effect) -> Any:
    return current_scope().perform(effect)


def _address(name: str | None) -> str:
    if isinstance(name, str):
        return name
    if name is not None:
        raise InvalidArgument(f"the name of a site must be a string, got {name!r}")
    frame = sys._getframe(2)
    return current_scope().derived_name(f"{frame.f_code.co_name}:{frame.f_lineno}")


def _checked(distribution: Any) -> StringDistribution | Distribution:
    if isinstance(distribution, (Finite, StringDistribution)):
        return distribution
    return as_distribution(distribution)
