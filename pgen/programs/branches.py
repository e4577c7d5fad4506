"""Independent parts of one run, side by side, so that an engine can batch their model calls.

Each part is a greenlet and a scope of its own inside the scope around it. A part runs until it
needs an answer; `side_by_side` lets every part come that far and then passes all their messages
outwards as one bundle: statements that leave no choice first, until every part that is still
running waits at a choice. The order is fixed by the program alone, so a run can be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

from pgen.programs.scopes import Installed, Scope

if TYPE_CHECKING:
    from pgen.programs.effects import Effect, Prefix

Part = tuple["Prefix", Callable[[], Any]]
"""What stands before the names of a part, and what it does."""


class Branch(Scope, greenlet):
    """One part; what its own handlers pass on goes through those of the scope around it."""

    concurrent = True

    def __init__(self, outer: Scope, part: Part) -> None:
        prefixed, function = part
        Scope.__init__(self)
        greenlet.__init__(self, function)
        self._outer = outer
        self.install(Installed(self, prefixed, prefixed.text))

    def answer(self, effect: Effect) -> Any:
        return self._outer.perform(effect)


def ask(messages: tuple[Effect, ...]) -> tuple[Any, ...]:
    """Pass messages to whoever runs this greenlet and wait for an answer to each."""
    parent = getcurrent().parent
    assert parent is not None
    answers: tuple[Any, ...] = parent.switch(messages)
    return answers


def side_by_side(scope: Scope, parts: Sequence[Part]) -> list[Any]:
    """What each part returns. An error in one ends the others."""
    branches = [Branch(scope, part) for part in parts]
    try:
        return _Interleaving(branches).run()
    finally:
        for branch in branches:
            if not branch.dead:
                branch.throw(GreenletExit)


class _Interleaving:
    def __init__(self, branches: Sequence[Branch]) -> None:
        self._branches = branches
        self._results: list[Any] = [None] * len(branches)
        self._waiting: dict[int, tuple[Effect, ...]] = {}

    def run(self) -> list[Any]:
        for index in range(len(self._branches)):
            self._go(index)
        while self._waiting:
            active = sorted(self._waiting)
            passing = [index for index in active if self._waiting[index][0].kind in ("factor", "deterministic")]
            chosen = passing or active
            answers = ask(tuple(message for index in chosen for message in self._waiting[index]))
            for index in chosen:
                count = len(self._waiting[index])
                self._go(index, answers[:count])
                answers = answers[count:]
        return self._results

    def _go(self, index: int, *answers: tuple[Any, ...]) -> None:
        """Let a part go on to its next message, or to its end."""
        found = self._branches[index].switch(*answers)
        if self._branches[index].dead:
            self._results[index] = found
            self._waiting.pop(index, None)
        else:
            self._waiting[index] = found
