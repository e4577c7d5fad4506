"""Handlers: programs that change what the statements of other programs mean.

`handlers.substitute(program, data={"x": 1})` (the class `Substitute`) is a program again; inside a running
program `with handlers.substitute(data={"x": 1}):` does the same to a block of code.
Names and meaning follow NumPyro's handlers; where a language model asks for more than a
density the docstrings say what holds. Handlers compose, the inner one acts first: a name
inside `scope` is the short one, outside it the long one.

No handler runs the model. What is fixed or observed is scored by the engine, so every
inference method works on a handled program, and its weights stay exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pgen.errors import InvalidArgument, InvalidProgram
from pgen.programs.direct import DirectScope
from pgen.programs.distributions import Distribution
from pgen.programs.effects import Deterministic, Effect, Factor, Observe, Prefix, Sample
from pgen.programs.scopes import Handle, Installed, Send, current_scope, enclosing_scope, open_direct
from pgen.programs.strings import StringDistribution, Tokenization
from pgen.programs.trace import Kind, Trace
from pgen.sampling.rng import CounterRng, Rng

_ABSENT = object()


class Handler:
    """A program around `fn`, or, without it, a context manager for use inside of a running program."""

    def __init__(self, fn: Callable[..., Any] | None = None) -> None:
        self.fn = fn
        if fn is not None:
            functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `fn` with this handler in force."""
        if self.fn is None:
            raise InvalidArgument(
                f"handlers.{type(self).__name__.lower()} has no program: give one, or use it by `with`"
            )
        with self:
            return self.fn(*args, **kwargs)

    def __enter__(self) -> Any:
        scope = enclosing_scope()
        if scope is None:
            scope = DirectScope()
            open_direct(scope)
        handle, given = self.begin()
        scope.install(Installed(self, handle, self.prefix))
        return given

    def __exit__(self, *raised: object) -> None:
        scope = current_scope()
        scope.remove(self)
        if isinstance(scope, DirectScope) and not scope.handlers:
            open_direct(None)

    @property
    def prefix(self) -> str:
        """What it puts before addresses."""
        return ""

    def begin(self) -> tuple[Handle, Any]:
        """What handles the messages from now on, and what `with ... as` gives."""
        return self.handle, self

    def handle(self, effect: Effect, outer: Send) -> Any:
        """Answer a message; `outer` passes one on."""
        return outer(effect)


class Site(NamedTuple):
    """What `trace` records of a statement; `log_weight` is a factor's own, 0 otherwise."""

    kind: Kind
    distribution: StringDistribution | Distribution | None
    value: Any
    log_weight: float = 0.0


class Recording(Handler):
    """Record the statements inside: `with trace() as sites`, or `trace(program).get_trace(*args)`."""

    def begin(self) -> tuple[Handle, dict[str, Site]]:
        sites: dict[str, Site] = {}
        return functools.partial(_record, sites), sites

    def get_trace(self, *args: Any, **kwargs: Any) -> dict[str, Site]:
        """Address -> site of one run, in order of execution."""
        if self.fn is None:
            raise InvalidArgument("handlers.trace has no program to run: handlers.trace(program).get_trace(...)")
        with self as sites:
            self.fn(*args, **kwargs)
        found: dict[str, Site] = sites
        return found


def _record(sites: dict[str, Site], effect: Effect, outer: Send) -> Any:
    value = outer(effect)
    recorded = effect.value if isinstance(effect, (Observe, Deterministic)) else value
    log_weight = effect.log_weight if isinstance(effect, Factor) else 0.0
    sites[effect.address] = Site(effect.kind, getattr(effect, "distribution", None), recorded, log_weight)
    return value


class _Fixing(Handler):
    """A handler with values by address, from a mapping or from a function of the message."""

    def __init__(
        self,
        fn: Callable[..., Any] | None,
        data: Mapping[str, Any] | None,
        function: Callable[[Effect], Any] | None = None,
    ) -> None:
        super().__init__(fn)
        if (data is None) == (function is None):
            raise InvalidArgument(
                f"handlers.{type(self).__name__.lower()} needs either values by address or a function"
            )
        self._data = data
        self._function = function

    def value(self, effect: Effect) -> Any:
        """The value for a latent choice, `_ABSENT` if there is none."""
        if not _is_choice(effect):
            return _ABSENT
        if self._data is not None:
            return self._data.get(effect.address, _ABSENT)
        assert self._function is not None
        found = self._function(effect)
        return _ABSENT if found is None else found


class Substitute(_Fixing):
    """Fix latent choices: they keep their names and weigh by the mass of the value, as `sample` statements.

    `data` maps addresses to values, or `substitute_fn(message)` gives one (`None`: none).
    Texts are scored by the tokenizer's own spelling unless `tokenization="all"`.
    Addresses that a run does not reach have no effect.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        substitute_fn: Callable[[Effect], Any] | None = None,
        *,
        tokenization: Tokenization = "canonical",
    ) -> None:
        super().__init__(fn, data, substitute_fn)
        self.tokenization = tokenization

    def handle(self, effect: Effect, outer: Send) -> Any:
        """A latent choice with a value becomes a scored one that keeps its role; others pass."""
        value = self.value(effect)
        if value is _ABSENT or not isinstance(effect, Sample):
            return outer(effect)
        return outer(_fixed(effect, value, self.tokenization, role="sample"))


class Condition(Substitute):
    """Turn latent choices into observations of the given values (`data`, or `condition_fn(message)`)."""

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        condition_fn: Callable[[Effect], Any] | None = None,
        *,
        tokenization: Tokenization = "canonical",
    ) -> None:
        super().__init__(fn, data, condition_fn, tokenization=tokenization)

    def handle(self, effect: Effect, outer: Send) -> Any:
        """A latent choice with a value becomes an observation; others pass."""
        value = self.value(effect)
        if value is _ABSENT or not isinstance(effect, Sample):
            return outer(effect)
        return outer(_fixed(effect, value, self.tokenization, role="observe"))


class Replay(Substitute):
    """Take the latent choices that `trace` has (a `Trace`, recorded sites, or values) from there; draw the others."""

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        trace: Trace | Mapping[str, Any] | None = None,
        *,
        tokenization: Tokenization = "canonical",
    ) -> None:
        if trace is None:
            raise InvalidArgument("handlers.replay needs a trace: handlers.replay(program, trace=...)")
        super().__init__(fn, chosen_values(trace), tokenization=tokenization)


class Do(_Fixing):
    """Intervene: what follows sees the given values, whatever the choices would have been.

    As in NumPyro the choice itself is still drawn under its own name, untouched by the
    intervention, so that counterfactuals can condition on it; its value goes nowhere.
    """

    def __init__(self, fn: Callable[..., Any] | None = None, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(fn, data)

    def handle(self, effect: Effect, outer: Send) -> Any:
        """The choice happens, and the program sees the given value in its place."""
        value, drawn = self.value(effect), outer(effect)
        return drawn if value is _ABSENT else value


class Block(Handler):
    """Hide statements from the handlers outside and from the names of the posterior.

    By default everything inside; else those in `hide`, those not in `expose`, or those
    for which `hide_fn(message)` is true. Hidden statements still happen: they are
    drawn and they weigh (`mask` switches weight off). Hidden names may repeat.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        hide_fn: Callable[[Effect], bool] | None = None,
        hide: Collection[str] | None = None,
        expose: Collection[str] | None = None,
    ) -> None:
        super().__init__(fn)
        if sum(rule is not None for rule in (hide_fn, hide, expose)) > 1:
            raise InvalidArgument("handlers.block: give at most one of hide_fn, hide and expose")
        self._hide_fn, self._hide, self._expose = hide_fn, hide, expose

    def handle(self, effect: Effect, outer: Send) -> Any:
        """What is hidden passes under no public name."""
        return outer(replace(effect, hidden=True) if self._hides(effect) else effect)

    def _hides(self, effect: Effect) -> bool:
        if self._hide_fn is not None:
            return bool(self._hide_fn(effect))
        if self._hide is not None:
            return effect.address in self._hide
        return self._expose is None or effect.address not in self._expose


class Scoped(Handler):
    """Put `prefix` and `divider` before every address inside."""

    def __init__(self, fn: Callable[..., Any] | None = None, prefix: str = "", divider: str = "/") -> None:
        super().__init__(fn)
        if not prefix:
            raise InvalidArgument("handlers.scope needs a prefix")
        self._text = prefix + divider

    @property
    def prefix(self) -> str:
        return self._text

    def begin(self) -> tuple[Handle, Any]:
        return Prefix(self._text), self


class Seed(Handler):
    """Run a program directly, outside of inference: draw every latent choice forwards from its own distribution.

    Texts come from their posterior under their language (`text.sample`), never from
    local masking. Observations and factors do not weigh; a condition that fails raises
    `ZeroEvidence`. The draws depend on `rng_seed` and their order only.
    """

    def __init__(self, fn: Callable[..., Any] | None = None, rng_seed: int | None = None) -> None:
        super().__init__(fn)
        if rng_seed is None:
            raise InvalidArgument("handlers.seed needs a seed: handlers.seed(program, 0)")
        self._rng = CounterRng(rng_seed)

    def begin(self) -> tuple[Handle, Any]:
        if not isinstance(current_scope(), DirectScope):
            raise InvalidProgram(
                "handlers.seed draws in direct runs; inside inference the engine draws",
                hint="remove it, and give the seed to pgen.infer(..., seed=...)",
            )
        return _Seeding(self._rng), self


class _Seeding:
    """Gives the n-th latent choice the n-th stream of a seed."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._n_drawn = 0

    def __call__(self, effect: Effect, outer: Send) -> Any:
        if isinstance(effect, Sample) and effect.rng is None:
            effect = replace(effect, rng=self._rng.at(self._n_drawn))
            self._n_drawn += 1
        return outer(effect)


class Mask(Handler):
    """Where `mask` is false, observations, factors and conditions inside do not weigh.

    Observed values are still recorded (as deterministic ones). Latent choices are drawn as ever.
    """

    def __init__(self, fn: Callable[..., Any] | None = None, mask: bool = True) -> None:
        super().__init__(fn)
        self._counts = bool(mask)

    def handle(self, effect: Effect, outer: Send) -> Any:
        """Evidence passes without weight."""
        if self._counts:
            return outer(effect)
        if isinstance(effect, Factor):
            return outer(replace(effect, log_weight=0.0))
        if isinstance(effect, Observe) and effect.role == "observe":
            return outer(Deterministic(effect.address, effect.value, effect.hidden))
        return outer(effect)


class Scale(Handler):
    """Multiply log weights by `scale`: observations and factors, and latent choices too.

    The measure of a latent choice is raised to that power, p(x) ** scale, summed over no
    value: the draw is weighed by p(x) ** (scale - 1), for texts over all spellings.
    """

    def __init__(self, fn: Callable[..., Any] | None = None, scale: float = 1.0) -> None:
        super().__init__(fn)
        if not 0 < scale < float("inf"):
            raise InvalidArgument(f"handlers.scale: scale={scale} must be positive and finite", hint="0 is a mask")
        self._scale = float(scale)

    def handle(self, effect: Effect, outer: Send) -> Any:
        """Log weights pass multiplied; latent choices and observations carry the power with them."""
        if isinstance(effect, Factor):
            return outer(replace(effect, log_weight=effect.log_weight * self._scale))
        if isinstance(effect, (Sample, Observe)):
            return outer(replace(effect, scale=effect.scale * self._scale))
        return outer(effect)


def chosen_values(recorded: Trace | Mapping[str, Any]) -> dict[str, Any]:
    """Address -> value of the latent choices in a trace, in recorded sites, or in a plain mapping."""
    if isinstance(recorded, Trace):
        return recorded.choices()
    sites = {address: site for address, site in recorded.items() if isinstance(site, Site)}
    plain = {address: value for address, value in recorded.items() if address not in sites}
    return plain | {address: site.value for address, site in sites.items() if site.kind == "sample"}


def _is_choice(effect: Effect) -> bool:
    return isinstance(effect, Sample) or (isinstance(effect, Observe) and effect.role == "sample")


def _fixed(effect: Sample, value: Any, tokenization: Tokenization, *, role: Any) -> Observe:
    return Observe(effect.address, effect.distribution, value, tokenization, effect.scale, role, effect.hidden)
