"""Expressions that look around as graphs: what is looked at has states of its own, which jumps ask about.

Anchors and boundaries are written as lookaheads and lookbehinds of one character. Linear in the expression,
repeat counts written out.
"""

from __future__ import annotations

import sys

from pgen.errors import LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.regex.syntax import (
    EMPTY,
    Ahead,
    Alternation,
    Behind,
    Boundary,
    Charset,
    End,
    Repeated,
    Sequence,
    Start,
    Text,
    Tree,
    Words,
)

MAX_STATES = 20_000

_ANY = Charset(((0, ir.MAX_CODE_POINT),))
_NEWLINE = ((0x0A, 0x0A),)
_IN_LINE = Charset(ir.negated_ranges(_NEWLINE))

Sets = tuple[frozenset[int], ...]
"""The states of some automata, one set for each."""
Facts = tuple[bool, ...]
"""Which of several things are seen."""
Condition = tuple[bool, int, bool] | None
"""Whether it is about what is ahead, its number, and whether that must not be seen."""


def _basic(tree: Start | End | Boundary) -> Tree:
    """An anchor as what it looks at."""
    match tree:
        case Start(True, _):
            return Behind(_IN_LINE, True)
        case Start():
            return Behind(_ANY, True)
        case End("text"):
            return Ahead(_ANY, True)
        case End("lines"):
            return Ahead(_IN_LINE, True)
        case End():
            return Ahead(Sequence((Repeated(Charset(_NEWLINE), 0, 1, 0), Ahead(_ANY, True))), False)
    word, others = Charset(tree.word), Charset(ir.negated_ranges(tree.word))
    if not tree.negated:
        changes = (Sequence((Behind(word, a), Ahead(word, not a))) for a in (False, True))
        return Alternation(tuple(changes))
    inside = Sequence((Behind(word, False), Ahead(word, False)))
    if sys.version_info >= (3, 14):
        return Alternation((inside, Sequence((Behind(word, True), Ahead(word, True)))))
    # Up to Python 3.13 the empty text has no \B.
    outside = (
        Sequence((Behind(others, False), Ahead(word, True))),
        Sequence((Behind(word, True), Ahead(others, False))),
    )
    return Alternation((inside, *outside))


class Graph:
    """One graph of states for the expression and for all that it looks at, innermost first.

    `steps[s]` are (ranges, target), `jumps[s]` are (condition, target); `aheads` and `behinds` are the first and
    last states of what is looked at.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.steps: list[list[tuple[ir.Ranges, int]]] = []
        self.jumps: list[list[tuple[Condition, int]]] = []
        self.aheads: list[tuple[int, int]] = []
        self.behinds: list[tuple[int, int]] = []
        self._known: dict[tuple[bool, Tree], int] = {}

    def new(self) -> int:
        """A new state."""
        if len(self.steps) >= MAX_STATES:
            raise too_large()
        self.steps.append([])
        self.jumps.append([])
        return len(self.steps) - 1

    def lay(self, tree: Tree, start: int, end: int, *, ahead: bool, behind: bool) -> None:
        """Put an expression between two states; `ahead` and `behind`: it is what something looks at."""
        match tree:
            case Text(text):
                self._chain([((ord(c), ord(c)),) for c in text], start, end)
            case Words(texts):
                for text in texts:
                    self._chain([((ord(c), ord(c)),) for c in text], start, end)
            case Charset(ranges):
                self._chain([ranges], start, end)
            case Sequence(items):
                points = [start, *(self.new() for _ in items[1:]), end]
                if tree == EMPTY:
                    self.jumps[start].append((None, end))
                for item, a, b in zip(items, points, points[1:], strict=False):
                    self.lay(item, a, b, ahead=ahead, behind=behind)
            case Alternation(branches):
                for branch in branches:
                    self.lay(branch, start, end, ahead=ahead, behind=behind)
            case Repeated():
                self._repeat(tree, start, end, ahead, behind)
            case Ahead(item, negated) | Behind(item, negated):
                self._look(item, negated, isinstance(tree, Ahead), (start, end), (ahead, behind))
            case Start() | End() | Boundary():
                self.lay(_basic(tree), start, end, ahead=ahead, behind=behind)
            case _:
                raise AssertionError(f"{tree} was refused before")

    def _chain(self, characters: list[ir.Ranges], start: int, end: int) -> None:
        points = [start, *(self.new() for _ in characters[1:]), end]
        if not characters:
            self.jumps[start].append((None, end))
        for ranges, a, b in zip(characters, points, points[1:], strict=False):
            self.steps[a].append((ranges, b))

    def _repeat(self, tree: Repeated, start: int, end: int, ahead: bool, behind: bool) -> None:
        here = start
        for _ in range(tree.low):
            after = self.new()
            self.lay(tree.item, here, after, ahead=ahead, behind=behind)
            here = after
        if tree.high is None:
            inside, after = self.new(), self.new()
            self.lay(tree.item, inside, after, ahead=ahead, behind=behind)
            self.jumps[here] += [(None, inside), (None, end)]
            self.jumps[after].append((None, inside))
            self.jumps[after].append((None, end))
            return
        for _ in range(tree.high - tree.low):
            after = self.new()
            self.lay(tree.item, here, after, ahead=ahead, behind=behind)
            self.jumps[here].append((None, end))
            here = after
        self.jumps[here].append((None, end))

    def _look(self, item: Tree, negated: bool, is_ahead: bool, way: tuple[int, int], inside: tuple[bool, bool]) -> None:
        if is_ahead and inside[1]:
            raise UnsupportedFeature(
                "what looks ahead, inside a lookbehind, cannot be compiled",
                source=self.pattern,
                position=0,
                hint="move the lookahead or anchor out of the lookbehind",
            )
        found = self.aheads if is_ahead else self.behinds
        if (is_ahead, item) not in self._known:
            first, last = self.new(), self.new()
            self.lay(item, first, last, ahead=inside[0] or is_ahead, behind=inside[1] or not is_ahead)
            self._known[is_ahead, item] = len(found)
            found.append((first, last))
        self.jumps[way[0]].append(((is_ahead, self._known[is_ahead, item], negated), way[1]))


def too_large() -> LimitExceeded:
    """What is raised past `MAX_STATES`."""
    return LimitExceeded(
        f"what this expression looks around at takes more than {MAX_STATES:,} states",
        hint="use smaller repeat counts inside and around lookaheads and lookbehinds",
    )
