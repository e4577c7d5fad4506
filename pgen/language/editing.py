"""`edit`: the member of a language nearest to a text, for repairing what is almost right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.language.base import Language, as_language, late


@dataclass(frozen=True, slots=True)
class Change:
    """At `position` (in characters) of the text that was edited, `old` became `new`."""

    position: int
    old: str
    new: str


class Edited(str):
    """A member of a language, and how it came from a text: at cost `distance`, by `changes` from left to right."""

    distance: int
    changes: tuple[Change, ...]

    def __new__(cls, text: str, distance: int = 0, changes: tuple[Change, ...] = ()) -> Edited:
        made = super().__new__(cls, text)
        made.distance = distance
        made.changes = changes
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Edited, (str(self), self.distance, self.changes)


def edit(
    text: str,
    language: Language | str,
    *,
    insert: int = 1,
    delete: int = 1,
    replace: int = 2,
    max_cost: int | None = None,
) -> Edited:
    """The member of `language` that is cheapest to make from `text` by edits of single characters.

    With the default costs a replacement counts as a deletion and an insertion, so that what
    is there is rather kept; `replace=1` gives the Levenshtein distance. A member stays as
    it is. A residual of the language holds of the result. No model is asked: among equally
    near members the choice is arbitrary but always the same; to let a model choose, draw
    from `lm.text(...).given(language & pgen.near(text, edits))`. Raises `InvalidLanguage` if
    the language is empty, `LimitExceeded` if no member is found within `max_cost`, or the
    search grows too large.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f"edit() needs a str, got {type(text).__name__}")
    if min(insert, delete, replace) < 1:
        raise InvalidArgument(f"costs must be at least 1, got insert={insert}, delete={delete}, replace={replace}")
    if max_cost is not None and max_cost < 0:
        raise InvalidArgument(f"max_cost={max_cost}: must not be negative")
    goal = as_language(language)
    accept = goal.matches if goal.residual else None
    costs = late("pgen.automata.edits:Costs")(insert, delete, replace)
    steps = late("pgen.automata.edits:nearest")(goal.node, text, costs, accept, max_cost)
    if steps is None:
        raise LimitExceeded(
            f"no member of {goal!r} was found" + ("" if max_cost is None else f" at a cost of {max_cost}"),
            hint="its residual may be too strict for this text" if max_cost is None else "allow a larger max_cost",
        )
    result = b"".join(step.new for step in steps).decode()
    return Edited(result, sum(step.cost for step in steps), tuple(_changes(text, steps)))


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
