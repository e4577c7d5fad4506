"""Ordinary distributions inside programs: thin adapters over `torch.distributions`.

Any `torch.distributions.Distribution` may be passed to `pgen.sample` and
`pgen.observe` as it is; the functions here are the common ones with plain Python
values and float64 parameters. torch is imported at first use.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Distribution(Protocol):
    """What `sample` and `observe` need beside texts."""

    def sample(self, rng: Rng) -> Any:
        """One exact draw."""
        ...

    def log_prob(self, value: Any) -> float:
        """log probability or density of `value`, -inf outside the support."""
        ...

    def support(self) -> Sequence[Any] | None:
        """Every value with positive probability, if they are finitely many."""
        ...


class Finite:
    """Finitely many labelled values with given probabilities."""

    def __init__(self, probabilities: Mapping[Hashable, float]) -> None:
        total = math.fsum(probabilities.values())
        bad = {k: p for k, p in probabilities.items() if not (p >= 0 and math.isfinite(p))}
        if bad or total <= 0:
            raise InvalidArgument(f"categorical needs non-negative finite weights with a positive sum, got {bad or 0}")
        self._probabilities = {value: p / total for value, p in probabilities.items() if p > 0}

    def __repr__(self) -> str:
        return f"categorical({self._probabilities})"

    def sample(self, rng: Rng) -> Any:
        """One value, by inverse CDF in float64."""
        return self.quantile(rng.uniform(self.breakpoints))

    def breakpoints(self) -> NDArray[np.float64]:
        """`(n,)` the running sums of the probabilities: where one value ends and the next begins."""
        return np.array(self._cumulative[1])

    def quantile(self, uniform: float) -> Any:
        """The value at a number in [0, 1)."""
        values, running = self._cumulative
        return values[bisect_right(running, uniform)]

    def log_prob(self, value: Any) -> float:
        """log probability, -inf for what is no value."""
        p = self._probabilities.get(value, 0.0)
        return math.log(p) if p > 0 else -math.inf

    def support(self) -> Sequence[Any]:
        """The values with positive probability."""
        return list(self._probabilities)

    @cached_property
    def _cumulative(self) -> tuple[list[Any], list[float]]:
        running = list(accumulate(self._probabilities.values()))
        return list(self._probabilities), [mass / running[-1] for mass in running]


class FromTorch:
    """A `torch.distributions` object; scalars become Python numbers, arrays nested tuples."""

    def __init__(self, distribution: torch.distributions.Distribution) -> None:
        self._distribution = distribution

    def __repr__(self) -> str:
        return repr(self._distribution)

    def sample(self, rng: Rng) -> Any:
        """One draw; finite supports by inverse CDF, others by torch's own generator."""
        values = self.support()
        if values is not None:
            return _as_finite(self, values).sample(rng)
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.seed())
            return self._plain(self._distribution.sample())

    def log_prob(self, value: Any) -> float:
        """log probability or density, summed over the elements of an array; -inf outside the support."""
        import torch

        tensor = torch.as_tensor(value, dtype=torch.float64)
        if not bool(self._distribution.support.check(tensor).all()):  # type: ignore[union-attr]
            return -math.inf
        return float(self._distribution.log_prob(tensor).sum())

    def support(self) -> Sequence[Any] | None:
        """The values, where torch can list them."""
        if not self._distribution.has_enumerate_support:
            return None
        return [self._plain(value) for value in self._distribution.enumerate_support()]

    def _plain(self, tensor: torch.Tensor) -> Any:
        support = self._distribution.support
        value = tensor.tolist()
        return _tupled(value, bool(support is not None and support.is_discrete))


def _tupled(value: Any, discrete: bool) -> Any:
    if isinstance(value, list):
        return tuple(_tupled(item, discrete) for item in value)
    return int(value) if discrete else float(value)


def _as_finite(distribution: FromTorch, values: Sequence[Any]) -> Finite:
    return Finite({value: math.exp(distribution.log_prob(value)) for value in values})


def as_distribution(value: Any) -> Distribution:
    """`value` as something that can be sampled and scored; raises `InvalidArgument` if it cannot."""
    if isinstance(value, (Finite, FromTorch)):
        return value
    if isinstance(value, Distribution) and not hasattr(value, "has_enumerate_support"):
        return value
    if hasattr(value, "log_prob") and hasattr(value, "has_enumerate_support"):
        return FromTorch(value)
    raise InvalidArgument(
        f"expected a distribution, got {type(value).__name__}",
        hint="use lm.text(...), pgen.categorical({...}), pgen.normal(...) or a torch.distributions object",
    )


def categorical(probabilities: Mapping[Hashable, float] | Sequence[float]) -> Distribution:
    """Values with weights (normalised here); a bare sequence is over 0 .. n-1."""
    if isinstance(probabilities, Mapping):
        return Finite(probabilities)
    return Finite(dict(enumerate(probabilities)))


def bernoulli(p: float) -> Distribution:
    """`True` with probability `p`."""
    if not 0 <= p <= 1:
        raise InvalidArgument(f"bernoulli({p}): p must lie in [0, 1]")
    return _bernoulli(float(p))


@lru_cache(maxsize=1024)
def _bernoulli(p: float) -> Finite:
    """Programs make the same coin in every run."""
    return Finite({True: p, False: 1 - p})


def poisson(rate: float) -> Distribution:
    """Counts with mean `rate`."""
    return _torch("Poisson", rate=rate)


def normal(loc: float, scale: float) -> Distribution:
    """The normal density with mean `loc` and standard deviation `scale`."""
    return _torch("Normal", loc=loc, scale=scale)


def uniform(low: float, high: float) -> Distribution:
    """The uniform density on [low, high)."""
    return _torch("Uniform", low=low, high=high)


def _torch(name: str, **parameters: float) -> Distribution:
    import torch

    tensors = {key: torch.tensor(float(value), dtype=torch.float64) for key, value in parameters.items()}
    try:
        return FromTorch(getattr(torch.distributions, name)(**tensors, validate_args=True))
    except ValueError as error:
        raise InvalidArgument(f"{name.lower()}({parameters}): {str(error).splitlines()[0]}") from error
