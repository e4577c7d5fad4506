"""Run programs as suspended coroutines: `resume(trace)` gives the next statement that needs an engine.

The interface is purely functional: the continuation of a program is determined by
its trace. Behind it, the greenlet that produced a trace is kept suspended and is
resumed when that trace is extended for the first time; a second extension (a copied
particle) replays the trace in a fresh greenlet, which costs no model call because
every recorded value, observations included, is answered from the trace.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from greenlet import GreenletExit, greenlet

from pgen.errors import InvalidProgram
from pgen.programs.effects import Deterministic, Effect, Factor, Observe, Sample
from pgen.programs.trace import Entry, Trace

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Program(Generic[Parameters, Result]):
    """A function that uses pgen's primitives. Calling it inside another program inlines it."""

    def __init__(self, function: Callable[Parameters, Result]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self.function(*args, **kwargs)


def program(function: Callable[Parameters, Result]) -> Program[Parameters, Result]:
    """Mark a plain function as a program; run it with `pgen.infer`."""
    return Program(function)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Where a run stands: at `effect` (a choice that needs an engine), dead, or finished with `value`."""

    trace: Trace
    effect: Sample | Observe | None = None
    value: Any = None
    dead: bool = False

    @property
    def finished(self) -> bool:
        return self.effect is None and not self.dead


class _Run(greenlet):
    """One execution; it names the sites that its primitives ask about (`effects.Scope`)."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(function)
        self._labels: list[str] = []
        self._used: set[str] = set()
        self._sites: Counter[str] = Counter()

    def address(self, name: str | None, site: str) -> str:
        if name is None:
            self._sites[site] += 1
            name = f"{site}#{self._sites[site]}"
        address = "/".join([*self._labels, name])
        if address in self._used:
            raise InvalidProgram(
                f"the address {address!r} is used twice in one run",
                hint="give each statement its own name; in a loop use pgen.plate or put the index into the name",
            )
        self._used.add(address)
        return address

    def enter(self, label: str) -> None:
        self._labels.append(label)

    def leave(self) -> None:
        self._labels.pop()


class Machine:
    """Executes one program for any number of particles."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call = lambda: function(*args, **kwargs)
        self._suspended: dict[Trace, tuple[_Run, Effect]] = {}

    def start(self) -> Suspension:
        """Run up to the first choice."""
        run = _Run(self._call)
        return self._until_choice(run, Trace(), run.switch())

    def resume(self, trace: Trace) -> Suspension:
        """Continue after the last entry of `trace`, which an engine has just added."""
        assert trace.parent is not None
        assert trace.entry is not None
        run, effect = self._suspended.pop(trace.parent, (None, None))
        if run is None or effect is None:
            run, effect = self._replayed(trace.parent)
        return self._until_choice(run, trace, run.switch(_check(effect, trace.entry)))

    def close(self) -> None:
        """End every suspended run (their `finally` blocks run)."""
        for run, _ in self._suspended.values():
            run.throw(GreenletExit)
        self._suspended.clear()

    def _replayed(self, trace: Trace) -> tuple[_Run, Effect]:
        run = _Run(self._call)
        effect = run.switch()
        for entry in trace.entries():
            effect = run.switch(_check(effect if not run.dead else None, entry))
        if run.dead:
            raise InvalidProgram(_diverged(None, None))
        return run, effect

    def _until_choice(self, run: _Run, trace: Trace, message: Any) -> Suspension:
        """Answer factors and deterministic values on the spot, up to the next choice, the end or death."""
        while not run.dead:
            if isinstance(message, (Sample, Observe)):
                self._suspended[trace] = (run, message)
                return Suspension(trace, message)
            if isinstance(message, Factor):
                trace = trace.extend(Entry(message.address, "factor", None, message.log_weight))
                if message.log_weight == -math.inf:
                    run.throw(GreenletExit)
                    return Suspension(trace, dead=True)
                message = run.switch(None)
            else:
                trace = trace.extend(Entry(message.address, "deterministic", message.value))
                message = run.switch(message.value)
        return Suspension(trace, value=message)


_KINDS = {Sample: "sample", Observe: "observe", Factor: "factor", Deterministic: "deterministic"}


def _check(effect: Effect | None, entry: Entry) -> Any:
    """The value that answers `effect`, if the trace's entry belongs to it."""
    if effect is None or effect.address != entry.address or _KINDS[type(effect)] != entry.kind:
        raise InvalidProgram(
            _diverged(entry, effect),
            hint="a program must do the same whenever its choices are the same: no clocks, global counters, "
            "random numbers of its own, or changes to its arguments",
        )
    return entry.value


def _diverged(entry: Entry | None, effect: Effect | None) -> str:
    recorded = f"{entry.kind} {entry.address!r}" if entry else "more statements"
    found = f"{_KINDS[type(effect)]} {effect.address!r}" if effect else "the end of the program"
    return f"the program did not repeat itself on replay: the trace has {recorded}, the run reached {found}"
