"""`edit`: the member of a language nearest to a text, for repairing what is almost right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.language.base import Language, as_language, late

if TYPE_CHECKING:
    from pgen.programs.strings import StringDistribution


@dataclass(frozen=True, slots=True)
class Change:
    """At `position` (in characters) of the text that was edited, `old` became `new`."""

    position: int
    old: str
    new: str


class Edited(str):
    """A member of a language, and how it came from a text: at cost `distance`, by `changes` from left to right.

    `is_nearest`: whether no member costs less; not so where a model chose, or the search had to be cut short.
    """

    distance: int
    changes: tuple[Change, ...]
    is_nearest: bool

    def __new__(cls, text: str, distance: int = 0, changes: tuple[Change, ...] = (), is_nearest: bool = True) -> Edited:
        made = super().__new__(cls, text)
        made.distance = distance
        made.changes = changes
        made.is_nearest = is_nearest
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Edited, (str(self), self.distance, self.changes, self.is_nearest)


def edit(
    text: str,
    language: Language | str,
    *,
    insert: int = 1,
    delete: int = 1,
    replace: int = 2,
    max_cost: int | None = None,
    model: StringDistribution | None = None,
    slack: int = 2,
    rate: float = 1.0,
    seed: int | None = None,
) -> Edited:
    """The member of `language` that is cheapest to make from `text` by edits of single characters.

    With the default costs a replacement counts as a deletion and an insertion, so that what
    is there is rather kept; `replace=1` gives the Levenshtein distance. A member stays as
    it is. A residual of the language holds of the result. Among equally near members the
    choice is arbitrary but always the same. Where the search grows too large, a near member that need
    not be the nearest comes back, with `is_nearest` false.

    With a `model` (`lm.text(...)` of any kind), the members of up to `slack` edits more than the
    nearest are weighed by p(x) exp(-rate * cost(x)): without a `seed` the likeliest
    comes back, with one a draw (by `infer`'s automatic method).

    Raises `InvalidLanguage` if the language is empty, `LimitExceeded` if no member is found
    within `max_cost` or at all.
    """
    _check(text, insert, delete, replace, max_cost, slack, rate)
    goal = as_language(language)
    accept = goal.matches if goal.residual else None
    costs = late("pgen.automata.edits:Costs")(insert, delete, replace)
    found = late("pgen.automata.edits:nearest")(goal.node, text, costs, accept, max_cost)
    if found is None:
        raise LimitExceeded(
            f"no member of {goal!r} was found" + ("" if max_cost is None else f" at a cost of {max_cost}"),
            hint="its residual may be too strict for this text" if max_cost is None else "allow a larger max_cost",
        )
    nearest = _edited(text, found.steps, found.is_nearest)
    if model is None:
        return nearest
    choose = late("pgen.inference.nearest_sample:choose")
    chosen: str = choose(text, nearest, goal, model, costs, slack, rate, max_cost, seed)
    along = late("pgen.automata.edits:nearest")(as_language(chosen).node, text, costs, None, None)
    return _edited(text, along.steps, chosen == nearest and found.is_nearest)


def _check(text: str, insert: int, delete: int, replace: int, max_cost: int | None, slack: int, rate: float) -> None:
    if not isinstance(text, str):
        raise InvalidArgument(f"edit() needs a str, got {type(text).__name__}")
    if min(insert, delete, replace) < 1:
        raise InvalidArgument(f"costs must be at least 1, got insert={insert}, delete={delete}, replace={replace}")
    if max_cost is not None and max_cost < 0:
        raise InvalidArgument(f"max_cost={max_cost}: must not be negative")
    if slack < 0 or not rate >= 0:
        raise InvalidArgument(f"slack={slack}, rate={rate}: must not be negative")


def _edited(text: str, steps: list[Any], is_nearest: bool) -> Edited:
    made = b"".join(step.new for step in steps).decode()
    return Edited(made, sum(step.cost for step in steps), tuple(_changes(text, steps)), is_nearest)


def _changes(text: str, steps: list[Any]) -> list[Change]:
    """Runs of edits, each as one change."""
    changes: list[Change] = []
    at, position, old, new = 0, 0, "", b""
    for step in [*steps, None]:
        kept = step is None or (step.old == 1 and step.cost == 0)
        if kept and (old or new):
            changes.append(Change(position, old, new.decode()))
        if step is None or kept:
            at += 1
            position, old, new = at, "", b""
        else:
            old, new, at = old + text[at : at + step.old], new + step.new, at + step.old
    return changes
