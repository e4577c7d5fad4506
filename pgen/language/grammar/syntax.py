"""The syntax tree of a grammar text: what the reader builds, names unresolved.

`position` is a code point offset in the text that an expression comes from, kept
where an error may have to point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """A rule, a terminal or a parameter of a template."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    text: str
    ignores_case: bool
    position: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression between slashes, with the letters after the second one."""

    regex: str
    flags: str
    position: int


@dataclass(frozen=True, slots=True)
class Range:
    """One character from `first` to `last`."""

    first: str
    last: str
    position: int


@dataclass(frozen=True, slots=True)
class Schema:
    """`%json {...}`: a JSON text that is valid by a schema."""

    schema: Any = field(hash=False)
    position: int = 0


@dataclass(frozen=True, slots=True)
class Special:
    """`<name>`, `<|name|>` or `<[ids]>`: special tokens of the vocabulary."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A template with its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """The items in order."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the options."""

    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """`item` from `low` to `high` times (`None`: without end)."""

    item: Expression
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Both:
    """What all items match (`&`)."""

    items: tuple[Expression, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """Every text that `item` does not match (`~`)."""

    item: Expression
    position: int


@dataclass(frozen=True, slots=True)
class Shortest:
    """What `item` matches, where nothing shorter at its beginning does (`name[lazy]`)."""

    item: Expression
    position: int


Expression: TypeAlias = (
    Name | Text | Pattern | Range | Schema | Special | Call | Sequence | Choice | Repeated | Both | Not | Shortest
)


@dataclass(frozen=True, slots=True)
class Definition:
    """`name{parameters}: body`; `mode` is `"define"`, `"override"` or `"extend"`."""

    name: str
    parameters: tuple[str, ...]
    body: Expression
    mode: str
    position: int


@dataclass(frozen=True, slots=True)
class Import:
    """`%import` of `names` (name there, name here, position) from the file `path`, next to this one if `relative`."""

    path: tuple[str, ...]
    relative: bool
    names: tuple[tuple[str, str, int], ...]
    position: int


@dataclass(frozen=True, slots=True)
class Document:
    """The statements of one text."""

    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]
    ignored: tuple[tuple[Expression, int], ...]
    declared: tuple[tuple[str, int], ...]


def is_terminal(name: str) -> bool:
    """Whether a name is written as terminals are."""
    return name.lstrip("_")[:1].isupper()


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression."""
    match expression:
        case Sequence(items) | Both(items):
            return items
        case Choice(options):
            return options
        case Call(arguments=arguments):
            return arguments
        case Repeated(item=item) | Not(item=item) | Shortest(item=item):
            return (item,)
    return ()


def descendants(expression: Expression) -> Iterator[Expression]:
    """The expression and all its parts, in the order of the text."""
    waiting = [expression]
    while waiting:
        yield (found := waiting.pop())
        waiting += reversed(children(found))
