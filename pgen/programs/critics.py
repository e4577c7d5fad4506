"""Python functions that judge texts: predicates (`.where`) and soft potentials (`.weighted`).

A critic is a function of a text. What counts is its value on the complete text; its
values on prefixes steer the drafts on the way there. With f the log weight (0 or -inf
for a predicate), a draft carries f of its prefix and trades it for that of the next
one, so the product telescopes to f of the complete text whatever happened before.
Prefixes are judged where a unit is complete (`at`): the text up to there is all that a
critic sees. A prefix that weighs nothing (false, or -inf) is dropped with all that
could follow it, so a critic must not change its mind there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from types import FunctionType
from typing import Any, Literal

from pgen.errors import CriticError, InvalidArgument

Boundary = Literal["token", "word", "sentence", "line", "field", "text"] | Callable[[str], int]
Proposal = Literal["auto", "mask", "awrs", "awrs-recursive", "awrs-geometric", "trie"]

MAX_REMEMBERED = 1 << 16
"""Texts per critic whose values are kept."""

_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*(?=\s)""")
_TRAILING_WORD = re.compile(r"\S*\Z")


@dataclass(frozen=True)
class Critic:
    """A function of texts; equal if it is the same code over the same values, wherever it was defined.

    `bound`: what the log weight of a complete text never exceeds, if known; it makes
    certified bounds possible. For a predicate it is 0.
    """

    function: Callable[[str], Any] = field(compare=False)
    soft: bool
    at: Boundary
    bound: float | None
    key: Hashable

    @classmethod
    def predicate(cls, function: Callable[[str], Any], at: Boundary) -> Critic:
        """0 where `function` holds, -inf elsewhere."""
        return cls(function, False, _checked(function, at), 0.0, _identity(function))

    @classmethod
    def potential(cls, function: Callable[[str], Any], at: Boundary, bound: float | None) -> Critic:
        """The log weight that `function` gives."""
        if bound is not None and math.isnan(bound):
            raise InvalidArgument("bound=nan: must be a number")
        return cls(function, True, _checked(function, at), bound, _identity(function))

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(getattr(self.function, "__qualname__", repr(self.function)))

    def log_weight(self, text: str) -> float:
        """The value on `text`, in nats; raises `CriticError` where the function fails."""
        try:
            value = self.function(text)
        except Exception as error:
            raise CriticError(f"the critic {self.name} raised {error!r} on {text!r}", text=text) from error
        return self._log_weight(value, text) if self.soft else self._log_truth(value, text)

    def _log_truth(self, value: Any, text: str) -> float:
        if type(value).__name__ not in ("bool", "bool_"):
            raise CriticError(
                f"the predicate {self.name} returned {value!r} on {text!r}, expected True or False",
                text=text,
                hint="compare explicitly; for log weights use .weighted(...)",
            )
        return 0.0 if value else -math.inf

    def _log_weight(self, value: Any, text: str) -> float:
        shape = tuple(getattr(value, "shape", ()))
        number = float(value) if shape == () and hasattr(value, "__float__") else math.nan
        if math.isnan(number) or number == math.inf:
            raise CriticError(
                f"the potential {self.name} returned {value!r} on {text!r}, expected a number or -inf",
                text=text,
                hint="return one log weight, in nats",
            )
        if self.bound is not None and number > self.bound:
            raise CriticError(
                f"the potential {self.name} returned {number} on {text!r}, above its bound {self.bound}", text=text
            )
        return number

    def ready(self, text: str) -> int:
        """How many characters of an unfinished text may be judged."""
        if callable(self.at):
            return _checked_position(self.at(text), text, self.name)
        return _BOUNDARIES[self.at](text)


class Panel:
    """Several critics over one text, their values remembered."""

    def __init__(self, critics: tuple[Critic, ...]) -> None:
        self._judges = [(critic.ready, lru_cache(MAX_REMEMBERED)(critic.log_weight)) for critic in critics]
        bounds = [critic.bound for critic in critics]
        self.selective = any(not critic.soft for critic in critics)
        """Whether there are predicates, which a proposal can test."""
        self.log_bound = math.inf if None in bounds else math.fsum(b for b in bounds if b is not None)

    def __bool__(self) -> bool:
        return bool(self._judges)

    def of_prefix(self, text: str) -> float:
        """log weight of an unfinished text; nothing complete weighs 0."""
        total = 0.0
        for ready, log_weight in self._judges:
            length = ready(text)
            total += log_weight(text[:length]) if length else 0.0
            if total == -math.inf:
                break
        return total

    def of_text(self, text: str) -> float:
        """log weight of a complete text."""
        total = 0.0
        for _, log_weight in self._judges:
            total += log_weight(text)
            if total == -math.inf:
                break
        return total


def field_end(text: str) -> int:
    """The end of the last complete member or item of a JSON text: at a comma or bracket outside strings."""
    end, quoted, escaped = 0, False, False
    for place, character in enumerate(text):
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in ",}]":
            end = place + 1
    return end


def _sentence_end(text: str) -> int:
    return max((found.end() for found in _SENTENCE_END.finditer(text)), default=0)


def _word_end(text: str) -> int:
    found = _TRAILING_WORD.search(text)
    return found.start() if found else len(text)


_BOUNDARIES: dict[str, Callable[[str], int]] = {
    "token": len,
    "word": _word_end,
    "sentence": _sentence_end,
    "line": lambda text: text.rfind("\n") + 1,
    "field": field_end,
    "text": lambda text: 0,
}


def _checked(function: Callable[[str], Any], at: Boundary) -> Boundary:
    if not callable(function):
        raise InvalidArgument(f"a critic is a function of a text, got {type(function).__name__}")
    if not callable(at) and at not in _BOUNDARIES:
        raise InvalidArgument(f"at={at!r}: expected one of {', '.join(_BOUNDARIES)}, or a function text -> length")
    return at


def _checked_position(position: Any, text: str, name: str) -> int:
    if not isinstance(position, int) or not 0 <= position <= len(text):
        raise CriticError(
            f"the boundary of the critic {name} is {position!r} in {text!r}, expected a length up to {len(text)}",
            text=text,
        )
    return position


def _identity(function: Callable[[str], Any]) -> Hashable:
    """Equal for functions of equal code, defaults and enclosed values: a lambda in a program is made anew every run."""
    if not isinstance(function, FunctionType):
        return _hashable(function)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return function.__module__, function.__code__, tuple(map(_hashable, [*cells, *defaults]))


def _hashable(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value
