"""Run programs as suspended coroutines: `resume(trace)` gives the next statement that needs an engine.

The interface is purely functional: the continuation of a program is determined by
its trace. Behind it, the greenlet that produced a trace is kept suspended and is
resumed when that trace is extended for the first time; a second extension (a copied
particle) replays the trace in a fresh greenlet, which costs no model call because
every recorded value, observations included, is answered from the trace. A run answers
what it can itself, recorded statements and factors, and switches to the machine for the rest.

Independent parts of a program (`pgen.map`) wait side by side. They are answered and recorded one
after the other; a suspension tells which others wait (`siblings`), so that an engine may draw for all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, ParamSpec, TypeGuard, TypeVar
from weakref import ref

from greenlet import GreenletExit, getcurrent, greenlet

from pgen.errors import InvalidProgram
from pgen.programs.branches import ask
from pgen.programs.effects import Deterministic, Effect, Factor, Observe, Sample
from pgen.programs.scopes import Scope
from pgen.programs.trace import Entry, Kind, Trace
from pgen.programs.values import immutable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

SHOWN = 200
"""Most characters of a value that an error quotes."""


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


@immutable()
class Suspension:
    """Where a run stands: at `effect` (a choice that needs an engine), dead, or finished with `value`.

    `siblings` are the choices that come next whatever this one comes to, in order.
    """

    trace: Trace
    effect: Sample | Observe | None = None
    value: Any = None
    dead: bool = False
    siblings: tuple[Sample | Observe, ...] = ()

    @property
    def finished(self) -> bool:
        return self.effect is None and not self.dead


class Run(Scope, greenlet):
    """One execution under an engine: it switches to the machine with its messages and waits for the answers.

    `recorded` are the entries that it has to repeat, the next one last; `passed` the
    factors and deterministic values since its last switch.
    """

    concurrent = True

    def __init__(self, function: Callable[[], Any], recorded: list[Entry]) -> None:
        Scope.__init__(self)
        greenlet.__init__(self, function)
        self.recorded = recorded
        self.passed: list[Factor | Deterministic] = []

    def recall(self, kind: Kind, address: str, log_weight: float | None = None) -> Entry | None:
        if not self.recorded or self.handlers:
            return None
        entry = self.recorded[-1]
        if (
            entry.address != address
            or entry.kind != kind
            or (log_weight is not None and entry.log_weight != log_weight)
        ):
            return None
        self.used.add(address)
        return self.recorded.pop()

    def answer(self, effect: Effect) -> Any:
        # Parts that run side by side are answered in the order of their bundles, which the machine knows.
        if getcurrent() is self:
            if not self.recorded:
                if _passes(effect):
                    self.passed.append(effect)
                    return effect.value if isinstance(effect, Deterministic) else None
            elif not (isinstance(effect, Sample) and effect.scale != 1.0):
                entry = self.recorded.pop()
                _check(effect, entry)
                return entry.value
        (answer,) = ask((effect,))
        return answer

    def after(self, trace: Trace) -> Trace:
        """The trace with what has passed since it was made."""
        for effect in self.passed:
            trace = trace.extend(_passing(effect))
        self.passed.clear()
        return trace


class _Wait(NamedTuple):
    """A run with the messages it still waits with, and answers to those before them; without any it is over."""

    run: Run
    messages: tuple[Effect, ...]
    answers: tuple[Any, ...] = ()
    value: Any = None


class Machine:
    """Executes one program for any number of particles."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call = lambda: function(*args, **kwargs)
        self._suspended: dict[ref[Trace], _Wait] = {}
        self._orphans: list[ref[Trace]] = []
        """Runs whose trace nobody holds any more, so that they cannot be resumed."""

    def start(self) -> Suspension:
        """Run up to the first choice."""
        return self._until_choice(_advance(Run(self._call, []), Trace()), Trace())

    def resume(self, trace: Trace) -> Suspension:
        """Continue after the last entry of `trace`, which an engine has just added.

        The trace of the result holds that entry as the statement wants it recorded
        (its power, its kind), so its log weight may differ from the engine's.
        """
        assert trace.parent is not None
        assert trace.entry is not None
        wait = self._suspended.pop(ref(trace.parent), None) or self._replayed(trace.parent)
        effect = wait.messages[0]
        assert isinstance(effect, (Sample, Observe))
        entry = _recorded(effect, trace.entry)
        if entry is not trace.entry:
            trace = trace.parent.extend(entry)
        return self._until_choice(_answered(wait, entry, trace), trace)

    def release(self, trace: Trace) -> None:
        """End the run that waits at the end of `trace`, if there is one; the trace can still be resumed by replay."""
        self._end(ref(trace))

    def close(self) -> None:
        """End every suspended run (their `finally` blocks run)."""
        for suspended in list(self._suspended):
            self._end(suspended)

    def _end(self, suspended: ref[Trace]) -> None:
        wait = self._suspended.pop(suspended, None)
        if wait is not None:
            wait.run.throw(GreenletExit)

    def _suspend(self, trace: Trace, wait: _Wait) -> None:
        """Keep a run for as long as its trace is held; those that were left are ended here, outside of any run."""
        self._suspended[ref(trace, self._orphans.append)] = wait
        while self._orphans:
            self._end(self._orphans.pop())

    def _replayed(self, trace: Trace) -> _Wait:
        run = Run(self._call, trace.entries()[::-1])
        wait = _advance(run, trace)
        while run.recorded:
            entry = run.recorded.pop()
            _check(wait.messages[0] if wait.messages else None, entry)
            wait = _answered(wait, entry, trace)
        if run.passed or not wait.messages:
            raise InvalidProgram(_diverged(None, run.passed[0] if run.passed else None), hint=REPEATABLE)
        return wait

    def _until_choice(self, wait: _Wait, trace: Trace) -> Suspension:
        """Answer factors and deterministic values on the spot, up to the next choice, the end or death."""
        trace = wait.run.after(trace)
        while wait.messages:
            message = wait.messages[0]
            if isinstance(message, (Sample, Observe)):
                self._suspend(trace, wait)
                return Suspension(trace, message, siblings=_choices(wait.messages[1:]))
            entry = _passing(message)
            trace = trace.extend(entry)
            if entry.log_weight == -math.inf:
                wait.run.throw(GreenletExit)
                return Suspension(trace, dead=True)
            wait = _answered(wait, entry, trace)
            trace = wait.run.after(trace)
        return Suspension(trace, value=wait.value)


def _choices(messages: tuple[Effect, ...]) -> tuple[Sample | Observe, ...]:
    return tuple(message for message in messages if isinstance(message, (Sample, Observe))) if messages else ()


def _passes(effect: Effect) -> TypeGuard[Factor | Deterministic]:
    """Whether the run goes on whatever the engine thinks of it."""
    return isinstance(effect, Deterministic) or (isinstance(effect, Factor) and effect.log_weight > -math.inf)


def _passing(effect: Factor | Deterministic) -> Entry:
    """The entry of a statement that leaves no choice."""
    if isinstance(effect, Factor):
        return Entry(effect.address, effect.kind, None, effect.log_weight, effect.hidden)
    return Entry(effect.address, effect.kind, effect.value, 0.0, effect.hidden)


def _answered(wait: _Wait, entry: Entry, trace: Trace) -> _Wait:
    """The run once its first message came out as `entry`; a power of a draw is a message of its own."""
    effect, *rest = wait.messages
    if isinstance(effect, Sample) and effect.scale != 1.0:
        address, power = f"{effect.address}^{effect.scale:g}", effect.scale - 1.0
        scored = Observe(address, effect.distribution, entry.value, "all", power, "factor", effect.hidden)
        return wait._replace(messages=(scored, *rest))
    answers = (*wait.answers, entry.value)
    if rest:
        return wait._replace(messages=tuple(rest), answers=answers)
    return _advance(wait.run, trace, answers)


def _advance(run: Run, trace: Trace, *answers: tuple[Any, ...]) -> _Wait:
    """Let the program go on; what it raises says after which statement."""
    try:
        found = run.switch(*answers)
    except Exception as error:
        error.add_note(_whereabouts(run.after(trace)))
        raise
    return _Wait(run, (), value=found) if run.dead else _Wait(run, found)


def _whereabouts(trace: Trace) -> str:
    """What a run did last, and the last value that it drew."""
    drawn = [f"{entry.address!r} = {_short(entry.value)}" for entry in trace.entries() if entry.kind == "sample"]
    last = f"after {trace.entry.kind} {trace.entry.address!r}" if trace.entry else "before its first statement"
    return f"raised inside the program, in a run {last}" + (f"; it had drawn {', '.join(drawn[-3:])}" if drawn else "")


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}… ({len(shown)} characters)"


def _recorded(effect: Sample | Observe, entry: Entry) -> Entry:
    """The engine's `entry` as the statement wants it recorded."""
    _check(effect, entry)
    log_weight = entry.log_weight
    if not log_weight < math.inf:
        raise InvalidProgram(
            f"{entry.kind} {entry.address!r}: {effect.distribution!r} gave the log weight {log_weight} "
            f"for {_short(entry.value)}; it must be a number or -inf"
        )
    if isinstance(effect, Observe):
        log_weight = effect.scale * log_weight
    elif not effect.hidden:
        return entry
    return Entry(entry.address, effect.kind, entry.value, log_weight, effect.hidden)


def _check(effect: Effect | None, entry: Entry) -> None:
    """Raise `InvalidProgram` unless `entry` is an outcome of `effect`."""
    if effect is None or effect.address != entry.address or not (effect.kind == entry.kind or _is_given(effect, entry)):
        raise InvalidProgram(_diverged(entry, effect), hint=REPEATABLE)
    if isinstance(effect, Factor) and effect.log_weight != entry.log_weight:
        raise InvalidProgram(
            f"the program did not repeat itself on replay: factor {entry.address!r} was {entry.log_weight:.6g}, "
            f"then {effect.log_weight:.6g}",
            hint=REPEATABLE,
        )


REPEATABLE = (
    "a program must do the same whenever its choices are the same: no clocks, global counters, "
    "random numbers of its own, or changes to its arguments"
)


def _is_given(effect: Effect, entry: Entry) -> bool:
    return isinstance(effect, Observe) and entry.kind == "observe"


def _diverged(entry: Entry | None, effect: Effect | None) -> str:
    recorded = f"{entry.kind} {entry.address!r}" if entry else "more statements"
    found = f"{effect.kind} {effect.address!r}" if effect else "the end of the program"
    return f"the program did not repeat itself on replay: the trace has {recorded}, the run reached {found}"
