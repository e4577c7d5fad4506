"""Where primitives are performed: runs, the handlers in force there, and who answers last.

A primitive (`pgen.programs.effects`) sends its message to the innermost handler of the
current scope; each handler may change it, answer it, or pass it outwards, and what the
outermost passes on reaches the scope itself. Under inference that is a run of the
`Machine`; outside, with `pgen.handlers.seed`, a direct run that draws on the spot.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from greenlet import getcurrent

from pgen.errors import InvalidProgram

if TYPE_CHECKING:
    from pgen.programs.effects import Effect
    from pgen.programs.trace import Entry, Kind

Send = Callable[["Effect"], Any]
Handle = Callable[["Effect", Send], Any]


@dataclass(frozen=True, slots=True)
class Installed:
    """A handler in force: who installed it, what it does, and what it puts before the names of sites."""

    owner: object
    handle: Handle
    prefix: str = ""


class Scope:
    """One execution of a program: its handlers, innermost last, and the names that it has used."""

    concurrent: ClassVar[bool] = False
    """Whether independent parts may wait for answers side by side (`pgen.programs.branches`)."""

    def __init__(self) -> None:
        self.handlers: list[Installed] = []
        self.used: set[str] = set()
        self._sites: Counter[str] = Counter()

    def recall(self, kind: Kind, address: str, log_weight: float | None = None) -> Entry | None:
        """What is on record for the next statement of a run that repeats itself; `None` if it has to be performed."""
        return None

    def answer(self, effect: Effect) -> Any:
        """What a message comes to that no handler has answered."""
        raise NotImplementedError

    def install(self, handler: Installed) -> None:
        """Make a handler the innermost one."""
        self.handlers.append(handler)

    def remove(self, owner: object) -> None:
        """Take the innermost handler that `owner` installed out of force."""
        position = max(i for i, handler in enumerate(self.handlers) if handler.owner is owner)
        del self.handlers[position]

    def derived_name(self, site: str) -> str:
        """A name for a site without one: its place in the code, and how often it was reached under these prefixes."""
        within = "".join(handler.prefix for handler in self.handlers)
        self._sites[within + site] += 1
        return f"{site}#{self._sites[within + site]}"

    def perform(self, effect: Effect, depth: int | None = None) -> Any:
        """Pass a message through the `depth` outermost handlers (default: all), then answer it."""
        if self.handlers and depth != 0 and not effect.hidden:
            depth = len(self.handlers) if depth is None else depth
            return self.handlers[depth - 1].handle(effect, functools.partial(self.perform, depth=depth - 1))
        if effect.address in self.used:
            effect = self._renamed(effect)
        self.used.add(effect.address)
        return self.answer(effect)

    def _renamed(self, effect: Effect) -> Effect:
        """A hidden message whose address is in use, with a count; for others that is an error."""
        address = effect.address
        if not effect.hidden:
            raise InvalidProgram(
                f"the address {address!r} is used twice in one run",
                hint="give each statement its own name; in a loop use pgen.plate or put the index into the name, "
                "around a program that is called twice use pgen.handlers.scope",
            )
        self._sites[address] += 1
        return replace(effect, address=f"{address}#{self._sites[address] + 1}")


_DIRECT: ContextVar[Scope | None] = ContextVar("direct", default=None)


def current_scope() -> Scope:
    """The run that the caller is part of; raises `InvalidProgram` outside of one."""
    current: object = getcurrent()
    scope = current if isinstance(current, Scope) else _DIRECT.get()
    if scope is None:
        raise InvalidProgram(
            "sample, observe, factor, condition, deterministic and plate work only inside a program that is being run",
            hint="decorate the function with @pgen.program and run it with pgen.infer(function, ...), "
            "or draw from it once with pgen.handlers.seed(function, 0)(...)",
        )
    return scope


def enclosing_scope() -> Scope | None:
    """The run that the caller is part of, if any."""
    current: object = getcurrent()
    return current if isinstance(current, Scope) else _DIRECT.get()


def open_direct(scope: Scope | None) -> None:
    """Make `scope` the one of code outside of inference runs (`None`: none)."""
    _DIRECT.set(scope)
