"""The syntax tree of a pattern, flags resolved: what the parser builds and the compiler reads.

Groups leave no trace. `position` is a code point offset in the pattern, kept where
an error may have to point.
"""

from __future__ import annotations

from collections.abc import Iterator
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
class Behind:
    """What stands before ends with `item`, or, `negated`, does not."""

    item: Tree
    negated: bool


@dataclass(frozen=True, slots=True)
class Boundary:
    r"""`\b`: just one of the characters before and behind is in `word`; `negated`: `\B`."""

    word: Ranges
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


Tree: TypeAlias = (
    Text | Words | Charset | Sequence | Alternation | Repeated | Ahead | Behind | Boundary | Start | End | NotRegular
)

EMPTY = Sequence(())


def children(tree: Tree) -> tuple[Tree, ...]:
    """The direct parts of a tree that stand for text (what is looked at does not)."""
    match tree:
        case Sequence(items):
            return items
        case Alternation(branches):
            return branches
        case Repeated(item=item):
            return (item,)
        case _:
            return ()


def descendants(tree: Tree) -> Iterator[Tree]:
    """A tree and its parts, what is looked at included."""
    waiting = [tree]
    while waiting:
        yield (found := waiting.pop())
        waiting += [found.item] if isinstance(found, (Ahead, Behind)) else children(found)


def width(tree: Tree) -> tuple[int, int | None]:
    """Fewest and most characters of a part, `None` for no bound."""
    match tree:
        case Text(text):
            return len(text), len(text)
        case Words(texts):
            return min(map(len, texts)), max(map(len, texts))
        case Charset():
            return 1, 1
        case Repeated(item, low, high):
            least, most = width(item)
            return low * least, 0 if most == 0 or high == 0 else None if most is None or high is None else high * most
        case Alternation(branches):
            widths = [width(branch) for branch in branches]
            return min(low for low, _ in widths), _total([high for _, high in widths], max)
        case Sequence(items) if items != EMPTY.items:
            widths = [width(item) for item in items]
            return sum(low for low, _ in widths), _total([high for _, high in widths], sum)
        case _:
            return 0, 0


def _total(bounds: list[int | None], combine: object) -> int | None:
    known = [bound for bound in bounds if bound is not None]
    return None if len(known) < len(bounds) else int(combine(known))  # type: ignore[operator]
