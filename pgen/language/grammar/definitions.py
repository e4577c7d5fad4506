"""What the names of a grammar stand for, across its files.

An `Entry` has one name in the whole grammar. Each file is a `Scope`: names as they
are written there, and the entries that they mean. What is imported is called
`file.name`, unless the importing file gave it a name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from pgen.language.grammar.syntax import Expression, is_terminal
from pgen.language.grammar.tokens import Source


@dataclass(slots=True)
class Entry:
    """A rule or a terminal; its members are those of any part. `declared`: without text, perhaps `special`."""

    name: str
    parameters: tuple[str, ...]
    parts: list[tuple[Expression, Scope]]
    scope: Scope
    position: int
    declared: bool = False
    special: str | None = None

    @property
    def is_terminal(self) -> bool:
        return is_terminal(self.name.rpartition(".")[2])

    @property
    def kind(self) -> str:
        return "terminal" if self.is_terminal else "rule"

    @property
    def said(self) -> str:
        """The entry in words."""
        return f"{self.kind} {self.name}"


@dataclass(slots=True)
class Scope:
    """The names of one file."""

    source: Source
    entries: dict[str, Entry] = field(default_factory=dict)

    def entry(self, name: str, position: int) -> Entry:
        """What `name` means, as written at `position`. Raises `InvalidLanguage` if it is not defined."""
        if name in self.entries:
            return self.entries[name]
        kind = "terminal" if is_terminal(name) else "rule"
        raise self.source.invalid(f"{kind} {name} is not defined", position, did_you_mean(name, self.entries))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint with the known names that look like `name`."""
    by_case = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_case, n=3, cutoff=0.6)
    return "did you mean " + " or ".join(by_case[other] for other in close) + "?" if close else None
