"""The syntax tree of a pattern, flags resolved: what the parser builds and the compiler reads.

Groups leave no trace. `position` is a code point offset in the pattern, kept where
an error may have to point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pgen.language.ir import Ranges


@dataclass(frozen=True, slots=True)
class Text:
    """These characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """Any one of these texts: an alternation of plain words."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Charset:
    """One character out of `ranges`."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """The items in order."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Alternation:
    """Any one of the branches."""

    branches: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """`item` from `low` to `high` times (`None`: without end); `lazy`: as few as it can, where that matters."""

    item: Tree
    low: int
    high: int | None
    position: int
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows begins with `item`, or, `negated`, does not."""

    item: Tree
    negated: bool


@dataclass(frozen=True, slots=True)
class Start:
    r"""`^` and `\A`; with `lines`, after any newline as well."""

    lines: bool
    position: int


@dataclass(frozen=True, slots=True)
class End:
    r"""`\Z`: at the very end; `$`: also before a last newline; `lines` (`$` with MULTILINE): before any."""

    kind: Literal["text", "newline", "lines"]


@dataclass(frozen=True, slots=True)
class NotRegular:
    """A construct that pgen does not compile."""

    what: str
    position: int


Tree: TypeAlias = Text | Words | Charset | Sequence | Alternation | Repeated | Ahead | Start | End | NotRegular

EMPTY = Sequence(())


def children(tree: Tree) -> tuple[Tree, ...]:
    """The direct parts of a tree that stand for text (what a lookahead holds does not)."""
    match tree:
        case Sequence(items):
            return items
        case Alternation(branches):
            return branches
        case Repeated(item=item):
            return (item,)
        case _:
            return ()
