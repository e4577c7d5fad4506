"""Terminals: from expressions to nodes without references.

Fragments of regular expressions are joined as syntax trees where one of them looks
around, since its lookahead may concern the next fragment, and as nodes elsewhere.
Each terminal is compiled once; what stands for it elsewhere may be written out, so
the total size is bounded (`MAX_SIZE`), as is the depth of references (`MAX_DEPTH`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pgen.errors import PgenError
from pgen.language import ir
from pgen.language.grammar import syntax
from pgen.language.grammar.definitions import Entry, Scope
from pgen.language.grammar.facts import is_nullable
from pgen.language.grammar.specials import special_error
from pgen.language.grammar.syntax import Expression
from pgen.language.regex import syntax as regexes
from pgen.language.regex.compiler import compile_tree
from pgen.language.regex.parser import parse

MAX_DEPTH = 150
MAX_SIZE = 500_000


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a terminal: a node unless it looks around, a tree unless it holds more than regular expressions."""

    node: ir.Node | None
    tree: regexes.Tree | None
    size: int
    depth: int = 1


class Terminals:
    """The nodes of terminals, made when first asked for."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._nodes: dict[str, ir.Node] = {}
        self._size = 0

    def named(self, entry: Entry, scope: Scope, position: int) -> ir.Node:
        """The texts of a terminal used at `position`. Raises `InvalidLanguage` if the empty one is among them."""
        if entry.name not in self._nodes:
            part = self._entry(entry, scope, position)
            self._nodes[entry.name] = self._checked(part, entry.scope, entry.position, entry.said)
        return self._nodes[entry.name]

    def anonymous(self, expression: Expression, scope: Scope, position: int) -> ir.Node:
        """The texts of a terminal that is written where it is used."""
        return self._checked(self._part(expression, scope), scope, position, "this terminal")

    def knows(self, entry: Entry) -> bool:
        """Whether a terminal was asked for, by itself or inside another."""
        return entry.name in self._parts

    def tree(self, entry: Entry | None) -> regexes.Tree | None:
        """The regular expression of a terminal that was asked for, unless it holds more than regular expressions."""
        part = None if entry is None else self._parts.get(entry.name)
        return None if part is None else part.tree

    def _checked(self, part: Part, scope: Scope, position: int, said: str) -> ir.Node:
        node = _closed(part, scope, position)
        if is_nullable(node):
            hint = "let it match at least one character, and write ? where it may be left out"
            raise scope.source.invalid(f"{said} matches the empty string", position, hint)
        return node

    def _entry(self, entry: Entry, scope: Scope, position: int) -> Part:
        _check_defined(entry, scope, position)
        for needed in [] if entry.name in self._parts else self._needed(entry):
            options = [self._part(body, home) for body, home in needed.parts]
            part = _joined(options, ir.union, regexes.Alternation, needed.scope, needed.position)
            self._parts[needed.name] = part
            hash(part.node)
        return self._grown(self._parts[entry.name], scope, position)

    def _needed(self, entry: Entry) -> list[Entry]:
        """The terminals that are not compiled yet and that `entry` is made of, itself last, each after its own."""
        done, entered, waiting = dict[str, Entry](), {entry.name}, [(entry, _references(entry))]
        while waiting:
            current, references = waiting[-1]
            for name, scope, position in references:
                inner = scope.entry(name, position)
                if inner.name in done or inner.name in self._parts:
                    continue
                _check_defined(inner, scope, position)
                if inner.name in entered:
                    hint = "only rules can be recursive"
                    raise scope.source.invalid(f"{inner.said} contains itself", position, hint)
                entered.add(inner.name)
                waiting.append((inner, _references(inner)))
                break
            else:
                done[current.name] = current
                waiting.pop()
        return [found for name, found in done.items() if name not in self._parts]

    def _grown(self, part: Part, scope: Scope, position: int) -> Part:
        """Count a part against the limits."""
        self._size += part.size
        if self._size > MAX_SIZE:
            hint = "make rules of terminals that are used many times inside other terminals"
            raise scope.source.too_much(f"the terminals have more than {MAX_SIZE} parts", position, hint)
        if part.depth > MAX_DEPTH:
            raise scope.source.too_much(f"terminals inside each other, more than {MAX_DEPTH} deep", position)
        return part

    def _part(self, expression: Expression, scope: Scope) -> Part:
        match expression:
            case syntax.Name(name, position):
                return self._referred(name, scope, position)
            case syntax.Sequence(items):
                return _joined(self._parts_of(items, scope), ir.concat, regexes.Sequence, scope, place(expression))
            case syntax.Choice(options):
                return _joined(self._parts_of(options, scope), ir.union, regexes.Alternation, scope, place(expression))
            case syntax.Repeated(item, low, high):
                return self._grown(_repeated(self._part(item, scope), low, high), scope, place(item))
            case syntax.Both(items, position):
                parts = self._parts_of(items, scope)
                nodes = [_closed(part, scope, position) for part in parts]
                return Part(ir.intersect(*nodes), None, *_measures(parts))
            case syntax.Not(item, position):
                part = self._part(item, scope)
                return Part(ir.complement(_closed(part, scope, position)), None, *_measures([part]))
            case syntax.Shortest(item, position):
                part = self._part(item, scope)
                return Part(_shortest(_closed(part, scope, position)), None, *_measures([part, part]))
            case syntax.Schema(schema, position):
                return Part(_schema_node(schema, scope, position), None, 1)
            case syntax.Special(name, position):
                raise special_error(name, scope, position)
            case syntax.Call(name=name, position=position):
                raise scope.source.invalid(f"template {name} inside a terminal", position, "only rules can use it")
            case syntax.Text() | syntax.Pattern() | syntax.Range():
                return self._grown(_leaf(expression, scope), scope, expression.position)
        raise AssertionError(expression)

    def _parts_of(self, items: Sequence[Expression], scope: Scope) -> list[Part]:
        return [self._part(item, scope) for item in items]

    def _referred(self, name: str, scope: Scope, position: int) -> Part:
        if not syntax.is_terminal(name):
            hint = "write the terminal in lower case to make it a rule"
            raise scope.source.invalid(f"rule {name} inside a terminal", position, hint)
        return self._entry(scope.entry(name, position), scope, position)


def _references(entry: Entry) -> Iterator[tuple[str, Scope, int]]:
    """The terminals that are named in a definition, with where."""
    for body, scope in entry.parts:
        for found in syntax.descendants(body):
            if isinstance(found, syntax.Name) and syntax.is_terminal(found.name):
                yield found.name, scope, found.position


def _check_defined(entry: Entry, scope: Scope, position: int) -> None:
    if entry.special is not None:
        raise special_error(entry.special, scope, position)
    if entry.declared:
        hint = "define the terminal, or give the special token that it stands for: declared={name: token}"
        raise scope.source.unsupported(f"{entry.said} is only declared, so it has no text", position, hint)


def check_pattern(pattern: syntax.Pattern, scope: Scope) -> regexes.Tree:
    """The syntax tree of a regular expression. Raises `InvalidLanguage` with its position in the grammar."""
    return _tree(f"(?{flags})" if (flags := pattern.flags) else "", pattern.regex, scope, pattern.position + 1)


def _leaf(leaf: syntax.Text | syntax.Pattern | syntax.Range, scope: Scope) -> Part:
    match leaf:
        case syntax.Range(first, last):
            ranges = ((ord(first), ord(last)),)
            return Part(ir.chars(ranges), regexes.Charset(ranges), 1)
        case syntax.Text(text, False):
            return Part(ir.literal(text), regexes.Text(text), 1 + len(text) // 8)
        case syntax.Text(text, _, position):
            tree = _tree("(?i)", re.escape(text), scope, position)
        case syntax.Pattern(regex, flags, position):
            tree = check_pattern(leaf, scope)
            _check_regular(tree, len(flags) + 3 if flags else 0, scope, position + 1)
            text = regex
    node = None if any(map(_looks, regexes.descendants(tree))) else compile_tree(tree, text)
    return Part(node, tree, 1 + len(text))


def _tree(prefix: str, regex: str, scope: Scope, position: int) -> regexes.Tree:
    try:
        return parse(prefix + regex)
    except PgenError as error:
        at = getattr(error, "position", None) or 0
        raise scope.source.inside(error, "in this regular expression", position + max(0, at - len(prefix))) from None


def _check_regular(tree: regexes.Tree, n_prefix: int, scope: Scope, position: int) -> None:
    for part in regexes.descendants(tree):
        if isinstance(part, regexes.NotRegular):
            hint = "write the regular expression without it: a set of texts, not a way to search"
            raise scope.source.unsupported(f"{part.what} cannot be compiled", position + part.position - n_prefix, hint)


def _looks(tree: regexes.Tree) -> bool:
    return isinstance(tree, (regexes.Ahead, regexes.Behind, regexes.Boundary, regexes.Start, regexes.End))


def _joined(
    parts: list[Part],
    join_nodes: Callable[..., ir.Node],
    join_trees: Callable[[tuple[regexes.Tree, ...]], regexes.Tree],
    scope: Scope,
    position: int,
) -> Part:
    if len(parts) == 1:
        return parts[0]
    nodes = [part.node for part in parts if part.node is not None]
    trees = [part.tree for part in parts if part.tree is not None]
    looks = len(nodes) < len(parts)
    if looks and len(trees) < len(parts):
        hint = "put brackets around the lookahead and what it looks at, with & and a second expression"
        raise scope.source.unsupported("a lookahead or anchor beside &, ~ or %json in one terminal", position, hint)
    tree = join_trees(tuple(trees)) if len(trees) == len(parts) else None
    return Part(None if looks else join_nodes(*nodes), tree, *_measures(parts))


def _repeated(part: Part, low: int, high: int | None) -> Part:
    tree = None if part.tree is None else regexes.Repeated(part.tree, low, high, 0)
    if part.node is not None:
        return Part(ir.repeat(part.node, low, high), tree, *_measures([part]))
    # What looks around is written out as often as it may come.
    return Part(None, tree, part.size * (high or 1) + 1, part.depth + 1)


def _measures(parts: Sequence[Part]) -> tuple[int, int]:
    """Size and depth of something made of parts."""
    return 1 + sum(part.size for part in parts), 1 + max((part.depth for part in parts), default=0)


def _closed(part: Part, scope: Scope, position: int) -> ir.Node:
    """The texts of a part with nothing around it."""
    if part.node is None:
        assert part.tree is not None
        try:
            part = Part(compile_tree(part.tree, ""), None, part.size, part.depth)
        except PgenError as error:
            raise scope.source.inside(error, "in this terminal", position) from None
    assert part.node is not None
    hash(part.node)
    return part.node


def _shortest(node: ir.Node) -> ir.Node:
    """The members that do not begin with another one."""
    return ir.intersect(node, ir.complement(ir.concat(node, ir.ANY_CHAR, ir.ANY_TEXT)))


def _schema_node(schema: Any, scope: Scope, position: int) -> ir.Node:
    from pgen.language.json_schema import JSONSchema
    from pgen.language.json_schema.values import has_distinct_names

    try:
        language = JSONSchema(schema)
    except PgenError as error:
        raise scope.source.inside(error, "in this schema", position) from None
    matters = language.distinct_names_matter
    residual = [fact.description for fact in language.residual if matters or fact.holds is not has_distinct_names]
    if residual:
        what = "; ".join(residual)
        hint = "a grammar is held by masks alone: leave such keywords out, or use pgen.JSONSchema by itself"
        raise scope.source.unsupported(f"this schema leaves a residual: {what}", position, hint)
    return language.node


def place(expression: Expression, default: int = 0) -> int:
    """Where an expression begins, or `default` if it is empty."""
    return next((found.position for found in syntax.descendants(expression) if hasattr(found, "position")), default)
