"""How much work and memory the automata of languages may take.

Languages are small or large by what they say, and a few lines can ask for machines of
any size. Every construction counts what it makes, and raises `LimitExceeded`, which names
what grew, where a limit is passed; nothing is cut off in silence.

    with pgen.Limits(states=10_000_000):
        automaton = language.compile(vocabulary)

An automaton keeps the limits under which it was made for as long as it lives: masks
and transitions made later count as well, so `states` and `members` bound their work.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, fields

from pgen.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one automaton; as a context manager, those of all that are made inside (in this thread or task).

    - `edges`: of the automaton that a language is written out as, repeat counts included;
    - `states`: that walks make of it, masks included;
    - `cells`: of the table of transitions, four bytes each;
    - `members`: of all states together, which is what ambiguity costs: time to make, and eight bytes each;
    - `nesting`: levels in which two readings of one text may differ;
    - `products`: states that `&` and `~` may make of regular languages;
    - `triples`: (state, entry, exit) that `&` of a grammar and a regular language may need.

    `states`, `cells` and `members` are looked at when tables grow, which doubles them: what raises is a
    table that would have to pass its limit. Raises `InvalidArgument` for limits below 1.
    """

    edges: int = 4_000_000
    states: int = 1_000_000
    cells: int = 200_000_000
    members: int = 50_000_000
    nesting: int = 1_500
    products: int = 500_000
    triples: int = 50_000_000

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidArgument(f"Limits({limit.name}={value!r}): a limit is an integer of 1 or more")

    def __enter__(self) -> Limits:
        _ENTERED.set((*_ENTERED.get(), self))
        return self

    def __exit__(self, *error: object) -> None:
        _ENTERED.set(_ENTERED.get()[:-1])


_ENTERED: ContextVar[tuple[Limits, ...]] = ContextVar("limits", default=(Limits(),))


def current() -> Limits:
    """The limits that hold here."""
    return _ENTERED.get()[-1]
