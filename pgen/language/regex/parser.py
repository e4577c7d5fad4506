"""A recursive-descent parser of Python's regular expression syntax.

It accepts what `re.compile` accepts and reports the position of what it does not.
Constructs that are well formed but not regular become `NotRegular` nodes, so that a
malformed pattern is always reported as such. Runs of plain characters are taken in
one match, which keeps a 1,000-word alternation at a few milliseconds. Linear time;
groups nest at most `MAX_DEPTH` deep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.language.regex import escapes
from pgen.language.regex.characters import category, ignoring_case
from pgen.language.regex.groups import Groups, Head, combined, global_flags
from pgen.language.regex.properties import class_text, property_escape
from pgen.language.regex.source import Source
from pgen.language.regex.syntax import (
    EMPTY,
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
    descendants,
    width,
)

MAX_DEPTH = 100
MAX_REPEAT = 2**32 - 1

_PLAIN = re.compile(r"[^\\\[\](){}*+?.^$|#\s]+")
_WORDS = re.compile(r"[^\\\[\](){}*+?.^$|]*\|[^\\\[\](){}*+?.^$]*(?=\)|\Z)")
_WORDS_X = re.compile(r"[^\\\[\](){}*+?.^$|#\s]*\|[^\\\[\](){}*+?.^$#\s]*(?=\)|\Z)")
"""A whole alternation of plain words, without and with the VERBOSE flag."""
_CLASS = re.compile(r"\[\^?(?:\\.|[^\]\\])+\]")
"""A class, which patterns tend to repeat."""

_QUANTIFIERS = ("*", "+", "?", "{")
_BLANK = " \t\n\r\v\f"


def parse(pattern: str) -> Tree:
    """The syntax tree. Raises `InvalidLanguage` where `re.compile` fails, `LimitExceeded` for deep nesting."""
    source = Source(pattern)
    parser = _Parser(source)
    tree = parser.alternation("", 0)
    if source.at < len(pattern):
        raise source.error("unbalanced parenthesis", source.at, hint=r"write \) for the character")
    parser.groups.check_awaited(source)
    return tree


@dataclass(slots=True)
class _Item:
    """One parsed item: whether a quantifier may follow, and why not."""

    tree: Tree
    kind: str  # "atom", "anchor" or "repeat"


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.groups = Groups()
        self._classes: dict[tuple[str, bool], Charset] = {}

    def alternation(self, flags: str, depth: int) -> Tree:
        """Branches up to a closing parenthesis or the end."""
        if depth > MAX_DEPTH:
            raise LimitExceeded(
                f"groups are nested more than {MAX_DEPTH} deep (at position {self.source.at})",
                hint="flatten the pattern, or build it from languages with + and |",
            )
        if "i" not in flags and (
            words := (_WORDS_X if "x" in flags else _WORDS).match(self.source.pattern, self.source.at)
        ):
            self.source.at = words.end()
            return Words(tuple(words[0].split("|")))
        branch, flags = self.sequence(flags, depth, opening=depth == 0)
        branches = [branch]
        while self.source.skip("|"):
            branches.append(self.sequence(flags, depth, opening=False)[0])
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def sequence(self, flags: str, depth: int, *, opening: bool) -> tuple[Tree, str]:
        """Items up to `|`, `)` or the end, and the flags in force (global ones may be set in the `opening` branch)."""
        source, items = self.source, list[_Item]()
        while (char := source.peek()) and char not in "|)":
            start = source.at
            if "x" in flags and self._skipped_blank():
                continue
            if char in _QUANTIFIERS and self._quantified(items, start):
                continue
            if char == "(" and source.pattern.startswith("(?#", start):
                self._comment(start)
            elif char == "(" and (added := global_flags(source, at_start=opening and not items)) is not None:
                flags = combined(flags, added)
            elif (text := _PLAIN.match(source.pattern, start)) and "i" not in flags:
                self._plain(items, text[0])
            else:
                items.append(self._item(flags, depth))
        trees = tuple(item.tree for item in items)
        return trees[0] if len(trees) == 1 else Sequence(trees), flags

    def _plain(self, items: list[_Item], text: str) -> None:
        """A run of characters; the last one stands alone if a quantifier may follow."""
        self.source.at += len(text)
        if len(text) > 1:
            items.append(_Item(Text(text[:-1]), "atom"))
        items.append(_Item(Text(text[-1]), "atom"))

    def _skipped_blank(self) -> bool:
        if self.source.take_while(_BLANK):
            return True
        if not self.source.skip("#"):
            return False
        line_end = self.source.pattern.find("\n", self.source.at)
        self.source.at = len(self.source.pattern) if line_end < 0 else line_end + 1
        return True

    def _comment(self, start: int) -> None:
        end = self.source.pattern.find(")", start)
        if end < 0:
            raise self.source.error("missing ), unterminated comment", start)
        self.source.at = end + 1

    def _quantified(self, items: list[_Item], start: int) -> bool:
        """Apply the quantifier at the cursor to the last item; False if a `{` is a plain character."""
        bounds = self._bounds(start)
        if bounds is None:
            return False
        source = self.source
        operator = source.pattern[start : source.at]
        if not items or items[-1].kind == "anchor":
            raise source.error(f"nothing to repeat before {operator}", start, hint=f"write \\{operator} for the text")
        if items[-1].kind == "repeat":
            raise source.error(f"multiple repeat {operator}", start, hint="put the inner repeat into a group (?:...)")
        tree: Tree = Repeated(items[-1].tree, *bounds, start, lazy := source.skip("?"))
        if not lazy and source.skip("+"):
            tree = NotRegular(f"the possessive quantifier {operator}+", start)
        items[-1] = _Item(tree, "repeat")
        return True

    def _bounds(self, start: int) -> tuple[int, int | None] | None:
        source = self.source
        char = source.take()
        if char != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        if source.peek() != "}":
            low = high = source.take_while("0123456789")
            if source.skip(","):
                high = source.take_while("0123456789")
            if source.skip("}"):
                return self._checked_bounds(low, high, start)
        source.at = start
        return None

    def _checked_bounds(self, low: str, high: str, start: int) -> tuple[int, int | None]:
        for count in (low, high):
            if len(count) > 10 or (count and int(count) >= MAX_REPEAT):
                raise self.source.error("the repetition number is too large", start)
        least, most = int(low or 0), int(high) if high else None
        if most is not None and most < least:
            raise self.source.error(f"min repeat {least} greater than max repeat {most}", start)
        return least, most

    def _item(self, flags: str, depth: int) -> _Item:
        """One item other than a plain run: an escape, class, group, anchor, or a single character."""
        source = self.source
        start, char = source.at, source.take()
        match char:
            case "(":
                return _Item(self._group(flags, depth, start), "atom")
            case "[":
                tree = self._class(start, flags)
                written = source.pattern[start : source.at]
                # Python's `re`, which is asked about case, knows no properties.
                written = f"[{class_text(tree.ranges)}]" if "\\p" in written.lower() else written
                return _Item(self._cased(tree, flags, written), "atom")
            case ".":
                newline = () if "s" in flags else ((0x0A, 0x0A),)
                return _Item(Charset(ir.negated_ranges(newline)), "atom")
            case "^":
                return _Item(Start("m" in flags, start), "anchor")
            case "$":
                return _Item(End("lines" if "m" in flags else "newline"), "anchor")
            case "\\":
                return self._escape(flags, start)
        return _Item(self._cased(Text(char), flags, re.escape(char)), "atom")

    def _class(self, start: int, flags: str) -> Charset:
        """The class whose bracket is behind the cursor; one that is written the same again is the same object."""
        source, ascii_only = self.source, "a" in flags
        written = _CLASS.match(source.pattern, start)
        if written and (known := self._classes.get((written[0], ascii_only))):
            source.at = written.end()
            return known
        tree = Charset(escapes.bracketed(source, start, ascii_only=ascii_only))
        if written and source.at == written.end():
            self._classes[written[0], ascii_only] = tree
        return tree

    def _escape(self, flags: str, start: int) -> _Item:
        source = self.source
        following = source.peek()
        if following and following in escapes.ANCHORS:
            return _Item(_anchor(source.take(), flags, start), "anchor")
        if following and following in escapes.CLASSES:
            tree: Charset | Text = Charset(category(source.take(), ascii_only="a" in flags))
        elif following in ("p", "P"):
            tree = Charset(property_escape(source, start))
            return _Item(self._cased(tree, flags, f"[{class_text(tree.ranges)}]"), "atom")
        elif following == "0":
            tree = Text(escapes.octal(source, start, source.take()))
        elif following and following in "123456789":
            number = escapes.numbered(source, start)
            if isinstance(number, int):
                self.groups.check_number(source, number, start)
                return _Item(NotRegular(f"the back-reference \\{number}", start), "atom")
            tree = Text(number)
        else:
            tree = Text(escapes.character(source, start))
        return _Item(self._cased(tree, flags, source.pattern[start : source.at]), "atom")

    def _cased(self, tree: Charset | Text, flags: str, written: str) -> Tree:
        """One character, with its other cases if the flags ask for them."""
        if "i" not in flags:
            return tree
        ranges = tree.ranges if isinstance(tree, Charset) else ((ord(tree.text), ord(tree.text)),)
        return Charset(ignoring_case(ranges, written, ascii_only="a" in flags))

    def _group(self, flags: str, depth: int, start: int) -> Tree:
        """A group of any kind; the cursor is after its opening parenthesis at `start`."""
        head = self.groups.head(self.source, flags, start)
        body = self._conditional(head.flags, depth + 1) if head.kind == "conditional" else self._body(head, depth + 1)
        if not self.source.skip(")"):
            raise self.source.error("missing ), unterminated subpattern", start)
        self.groups.close(head)
        match head.kind:
            case "ahead" | "not ahead":
                return Ahead(body, head.kind == "not ahead")
            case "behind" | "not behind":
                return self._behind(body, head.kind == "not behind", start)
            case "plain":
                return body
        return NotRegular(head.kind, start)

    def _behind(self, body: Tree, negated: bool, start: int) -> Tree:
        if any(isinstance(part, NotRegular) for part in descendants(body)):
            return NotRegular("a lookbehind with what is not regular", start)
        least, most = width(body)
        if least != most:
            raise self.source.error("look-behind requires fixed-width pattern", start)
        return Behind(body, negated)

    def _body(self, head: Head, depth: int) -> Tree:
        return EMPTY if "back-reference" in head.kind else self.alternation(head.flags, depth)

    def _conditional(self, flags: str, depth: int) -> Tree:
        for _ in range(2):
            self.sequence(flags, depth, opening=False)
            if not self.source.skip("|"):
                return EMPTY
        raise self.source.error("conditional back-reference with more than two branches", self.source.at)


def _anchor(letter: str, flags: str, start: int) -> Tree:
    if letter == "A":
        return Start(False, start)
    if letter in "Zz":
        return End("text")
    return Boundary(category("w", ascii_only="a" in flags), letter == "B")
