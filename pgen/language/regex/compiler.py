"""From syntax trees to `ir` nodes, with lookaheads and anchors compiled by continuation.

A part that looks at its surroundings cannot be compiled alone: `(?=A)B` is the
intersection of A·anything and B, where B is all that follows, across the ends of
groups. So `_with(tree, rest)` gives the language of `tree` followed by `rest`, and
parts that look nowhere are compiled once and concatenated. `start` tells whether
nothing stands before (for `^`). Linear, but for bounded repeats of parts that look
around, which are unrolled up to `MAX_UNROLLED` times. What looks back, and what looks
around in other repeats, is for `looking.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate

from pgen.errors import UnsupportedFeature
from pgen.language import ir
from pgen.language.regex.looking import looking_around
from pgen.language.regex.syntax import (
    Ahead,
    Alternation,
    Behind,
    Boundary,
    Charset,
    End,
    NotRegular,
    Repeated,
    Sequence,
    Start,
    Text,
    Tree,
    Words,
    children,
    descendants,
    width,
)

MAX_UNROLLED = 100

_SURROGATE = re.compile("[\ud800-\udfff]")

_NEWLINE = ir.literal("\n")
_LINE_END = ir.optional(_NEWLINE)
_NEXT_LINE = ir.optional(ir.concat(_NEWLINE, ir.ANY_TEXT))
_SOMETHING = ir.concat(ir.ANY_CHAR, ir.ANY_TEXT)


def compile_tree(tree: Tree, pattern: str) -> ir.Node:
    """The texts that `tree` matches completely. Raises `UnsupportedFeature` with a position in `pattern`."""
    irregular = [part for part in descendants(tree) if isinstance(part, NotRegular)]
    if irregular:
        first = min(irregular, key=lambda part: part.position)
        raise UnsupportedFeature(
            f"{first.what} cannot be compiled to a regular language",
            source=pattern,
            position=first.position,
            hint="rewrite the pattern, or test the complete text with pgen.condition",
        )
    try:
        return _Compiler().followed(tree, ir.EPSILON, start=True)
    except _LooksFurther:
        return looking_around(tree, pattern)


class _LooksFurther(Exception):
    """A part whose surroundings are not just what follows it."""


class _Compiler:
    def followed(self, tree: Tree, rest: ir.Node, *, start: bool) -> ir.Node:
        """The language of `tree` and then `rest`."""
        if not _looks(tree):
            return ir.concat(_plain(tree), rest)
        match tree:
            case Sequence(items):
                return self._sequence(items, rest, start)
            case Alternation(branches):
                plain = [_plain(branch) for branch in branches if not _looks(branch)]
                looking = (self.followed(branch, rest, start=start) for branch in branches if _looks(branch))
                return ir.union(ir.concat(ir.union(*plain), rest), *looking)
            case Repeated():
                return self._unrolled(tree, rest, start)
            case Ahead(item, negated):
                ahead = self.followed(item, ir.ANY_TEXT, start=start)
                return ir.intersect(ir.complement(ahead) if negated else ahead, rest)
            case Start(lines):
                if lines and not start:
                    raise _LooksFurther
                return rest if start else ir.EMPTY
            case End(kind):
                return _ended(kind, rest)
            case Behind() | Boundary():
                raise _LooksFurther
        raise AssertionError(f"{tree} looks nowhere")

    def _sequence(self, items: tuple[Tree, ...], rest: ir.Node, start: bool) -> ir.Node:
        """Right to left; `starts[i]` tells whether nothing but empty items stands before item i."""
        starts = list(accumulate(items, lambda before, item: before and width(item)[1] == 0, initial=start))
        for at, item in enumerate(items):
            if starts[at] and not starts[at + 1] and width(item)[0] == 0 and _starts(items[at + 1 :]):
                rest = self._split(item, Sequence(items[at + 1 :]), rest)
                items = items[:at]
                break
        for item, at_start in zip(reversed(items), reversed(starts[: len(items)]), strict=True):
            rest = self.followed(item, rest, start=at_start)
        return rest

    def _split(self, item: Tree, tail: Tree, rest: ir.Node) -> ir.Node:
        """`item` may be empty, and `tail` asks whether it is."""
        if _looks(item):
            raise _LooksFurther
        text = ir.intersect(_plain(item), _SOMETHING)
        return ir.union(self.followed(tail, rest, start=True), ir.concat(text, self.followed(tail, rest, start=False)))

    def _unrolled(self, tree: Repeated, rest: ir.Node, start: bool) -> ir.Node:
        if tree.high is None or tree.high > MAX_UNROLLED or (tree.high > 1 and _starts((tree.item,))):
            raise _LooksFurther
        node = rest
        for _ in range(tree.high - tree.low):
            node = ir.union(rest, self.followed(tree.item, node, start=start))
        for _ in range(tree.low):
            node = self.followed(tree.item, node, start=start)
        return node


def _plain(tree: Tree) -> ir.Node:
    match tree:
        case Text(text):
            return _words((text,))
        case Words(texts):
            return _words(texts)
        case Charset(ranges):
            return _class(ranges)
        case Sequence(items):
            return ir.concat(*map(_plain, items))
        case Alternation(branches):
            return ir.union(*map(_plain, branches))
        case Repeated(item, low, high):
            return ir.repeat(_plain(item), low, high)
    raise AssertionError(f"{tree} looks around")


@lru_cache(maxsize=1024)
def _class(ranges: ir.Ranges) -> ir.Node:
    """One object for the classes that a pattern repeats, so that what is noted of it is found once."""
    return ir.chars(ranges)


def _words(texts: tuple[str, ...]) -> ir.Node:
    try:
        return ir.word_set([text.encode() for text in texts])
    except UnicodeEncodeError:
        # No UTF-8 text holds a lone surrogate.
        return ir.word_set([text.encode() for text in texts if not _SURROGATE.search(text)])


def _ended(kind: str, rest: ir.Node) -> ir.Node:
    """`rest`, where it is what may follow an end anchor."""
    if rest == ir.EPSILON:
        return rest
    return ir.intersect({"text": ir.EPSILON, "newline": _LINE_END, "lines": _NEXT_LINE}[kind], rest)


def _looks(tree: Tree) -> bool:
    """Whether a part depends on what stands around it."""
    return isinstance(tree, (Ahead, Behind, Boundary, Start, End)) or any(map(_looks, children(tree)))


def _starts(trees: tuple[Tree, ...]) -> bool:
    """Whether a part asks if nothing stands before it."""
    return any(
        isinstance(tree, Start) or _starts((tree.item,) if isinstance(tree, Ahead) else children(tree))
        for tree in trees
    )
