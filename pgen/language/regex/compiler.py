"""From syntax trees to `ir` nodes, with lookaheads and anchors compiled by continuation.

A part that looks at its surroundings cannot be compiled alone: `(?=A)B` is the
intersection of A·anything and B, where B is all that follows, across the ends of
groups. So `_with(tree, rest)` gives the language of `tree` followed by `rest`, and
parts that look nowhere are compiled once and concatenated. `start` tells whether
nothing stands before (for `^`). Linear, but for bounded repeats of parts that look
around, which are unrolled up to `MAX_UNROLLED` times.
"""

from __future__ import annotations

import re
from itertools import accumulate

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.regex.syntax import (
    EMPTY,
    Ahead,
    Alternation,
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
)

MAX_UNROLLED = 100

_SURROGATE = re.compile("[\ud800-\udfff]")

_NEWLINE = ir.literal("\n")
_LINE_END = ir.optional(_NEWLINE)
_NEXT_LINE = ir.optional(ir.concat(_NEWLINE, ir.ANY_TEXT))
_SOMETHING = ir.concat(ir.ANY_CHAR, ir.ANY_TEXT)


def compile_tree(tree: Tree, pattern: str) -> ir.Node:
    """The texts that `tree` matches completely. Raises `UnsupportedFeature` with a position in `pattern`."""
    return _Compiler(pattern).followed(tree, ir.EPSILON, start=True)


class _Compiler:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

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
            case Start(lines, position):
                if lines and not start:
                    raise self._unsupported("^ with MULTILINE after the start", position)
                return rest if start else ir.EMPTY
            case End(kind):
                return _ended(kind, rest)
            case NotRegular(what, position):
                raise self._unsupported(what, position)
        raise AssertionError(f"{tree} looks nowhere")

    def _sequence(self, items: tuple[Tree, ...], rest: ir.Node, start: bool) -> ir.Node:
        """Right to left; `starts[i]` tells whether nothing but empty items stands before item i."""
        starts = list(accumulate(items, lambda before, item: before and _width(item)[1] == 0, initial=start))
        for at, item in enumerate(items):
            if starts[at] and not starts[at + 1] and _width(item)[0] == 0 and _starts(items[at + 1 :]):
                rest = self._split(item, Sequence(items[at + 1 :]), rest)
                items = items[:at]
                break
        for item, at_start in zip(reversed(items), reversed(starts[: len(items)]), strict=True):
            rest = self.followed(item, rest, start=at_start)
        return rest

    def _split(self, item: Tree, tail: Tree, rest: ir.Node) -> ir.Node:
        """`item` may be empty, and `tail` asks whether it is."""
        if _looks(item):
            raise self._unsupported("^ after an optional part that looks around", _position(tail))
        text = ir.intersect(_plain(item), _SOMETHING)
        return ir.union(self.followed(tail, rest, start=True), ir.concat(text, self.followed(tail, rest, start=False)))

    def _unrolled(self, tree: Repeated, rest: ir.Node, start: bool) -> ir.Node:
        if tree.high is None:
            raise self._unsupported("an anchor or lookahead inside an unbounded repeat", tree.position)
        if tree.high > 1 and _starts((tree.item,)):
            raise self._unsupported("^ inside a repeat", tree.position)
        if tree.high > MAX_UNROLLED:
            raise LimitExceeded(
                f"{tree.high} repeats of a part with an anchor or lookahead; the limit is {MAX_UNROLLED}",
                hint="use a smaller bound, or move the lookahead out of the repeat",
            )
        node = rest
        for _ in range(tree.high - tree.low):
            node = ir.union(rest, self.followed(tree.item, node, start=start))
        for _ in range(tree.low):
            node = self.followed(tree.item, node, start=start)
        return node

    def _unsupported(self, what: str, position: int) -> InvalidLanguage:
        return UnsupportedFeature(
            f"{what} cannot be compiled to a regular language",
            source=self.pattern,
            position=position,
            hint="rewrite the pattern, or test the complete text with pgen.condition",
        )


def _plain(tree: Tree) -> ir.Node:
    match tree:
        case Text(text):
            return _words((text,))
        case Words(texts):
            return _words(texts)
        case Charset(ranges):
            return ir.chars(ranges)
        case Sequence(items):
            return ir.concat(*map(_plain, items))
        case Alternation(branches):
            return ir.union(*map(_plain, branches))
        case Repeated(item, low, high):
            return ir.repeat(_plain(item), low, high)
    raise AssertionError(f"{tree} looks around")


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
    return isinstance(tree, (Ahead, Start, End, NotRegular)) or any(map(_looks, children(tree)))


def _starts(trees: tuple[Tree, ...]) -> bool:
    """Whether a part asks if nothing stands before it."""
    return any(
        isinstance(tree, Start) or _starts((tree.item,) if isinstance(tree, Ahead) else children(tree))
        for tree in trees
    )


def _position(tree: Tree) -> int:
    """Where the first `^` of a tree stands."""
    if isinstance(tree, Start):
        return tree.position
    parts = (tree.item,) if isinstance(tree, Ahead) else children(tree)
    return _position(next(part for part in parts if _starts((part,))))


def _width(tree: Tree) -> tuple[int, int | None]:
    """Fewest and most characters of a part, `None` for no bound."""
    match tree:
        case Text(text):
            return len(text), len(text)
        case Words(texts):
            return min(map(len, texts)), max(map(len, texts))
        case Charset():
            return 1, 1
        case Repeated(item, low, high):
            least, most = _width(item)
            return low * least, 0 if most == 0 or high == 0 else None if most is None or high is None else high * most
        case Alternation(branches):
            widths = [_width(branch) for branch in branches]
            return min(low for low, _ in widths), _total([high for _, high in widths], max)
        case Sequence(items) if items != EMPTY.items:
            widths = [_width(item) for item in items]
            return sum(low for low, _ in widths), _total([high for _, high in widths], sum)
        case _:
            return 0, 0


def _total(bounds: list[int | None], combine: object) -> int | None:
    known = [bound for bound in bounds if bound is not None]
    return None if len(known) < len(bounds) else int(combine(known))  # type: ignore[operator]
