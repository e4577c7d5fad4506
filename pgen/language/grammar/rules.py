"""Rules: from expressions to nodes with references, templates expanded.

Every terminal in a rule is followed by any number of ignored ones. A template with
arguments is a rule of its own, made once for each list of arguments; a parameter
stands for what its argument means where it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgen.language import ir
from pgen.language.grammar import syntax
from pgen.language.grammar.definitions import Entry, Scope
from pgen.language.grammar.specials import special_node
from pgen.language.grammar.syntax import Expression
from pgen.language.grammar.terminals import Terminals

MAX_INSTANCES = 10_000
MAX_NAME = 2000


class Argument(NamedTuple):
    """What a parameter stands for: how it is written in names, its node, and the rule if it is one."""

    said: str
    node: ir.Node
    entry: Entry | None


Arguments = Mapping[str, Argument]


class Rules:
    """The rules that a start needs, each compiled once."""

    def __init__(self, terminals: Terminals, between: ir.Node) -> None:
        self.bodies: dict[str, ir.Node] = {}
        self.used = set[str]()
        self._terminals = terminals
        self._between = between
        self._references: dict[str, ir.Node] = {}
        self._waiting: dict[str, tuple[Entry, Arguments]] = {}

    def compile(self, start: Entry) -> dict[str, ir.Node]:
        """The bodies of all rules that `start` leads to, itself first."""
        self._rule(start, {}, start.name)
        while self._waiting:
            name, (entry, arguments) = self._waiting.popitem()
            options = [self._node(body, scope, arguments) for body, scope in entry.parts]
            self.bodies[name] = ir.union(*options)
        return {start.name: self.bodies[start.name], **self.bodies}

    def _rule(self, entry: Entry, arguments: Arguments, name: str) -> ir.Node:
        self.used.add(entry.name)
        if name not in self.bodies and name not in self._waiting:
            self._waiting[name] = (entry, arguments)
        return self._references.setdefault(name, ir.Ref(name))

    def _node(self, expression: Expression, scope: Scope, arguments: Arguments) -> ir.Node:
        match expression:
            case syntax.Name(name, position):
                found = self._argument(expression, scope, arguments)
                if found.entry is not None and found.entry.parameters:
                    hint = f"write {name}{{{', '.join(found.entry.parameters)}}}"
                    raise scope.source.invalid(f"template {name} without its arguments", position, hint)
                return found.node
            case syntax.Call():
                return self._instance(expression, scope, arguments).node
            case syntax.Sequence(items):
                return ir.concat(*[self._node(item, scope, arguments) for item in items])
            case syntax.Choice(options):
                return ir.union(*[self._node(option, scope, arguments) for option in options])
            case syntax.Repeated(item, low, high):
                return ir.repeat(self._node(item, scope, arguments), low, high)
            case syntax.Special(name, position):
                return self._token(special_node(name, scope, position))
            case syntax.Both(position=position) | syntax.Not(position=position):
                hint = "define a terminal (in upper case) with it"
                raise scope.source.unsupported("& and ~ outside of terminals", position, hint)
        return self._token(self._terminals.anonymous(expression, scope, expression.position))

    def _terminal(self, entry: Entry, scope: Scope, position: int) -> ir.Node:
        if entry.special is not None:
            return special_node(entry.special, scope, position)
        return self._terminals.named(entry, scope, position)

    def _token(self, node: ir.Node) -> ir.Node:
        return ir.concat(node, self._between)

    def _argument(self, expression: Expression, scope: Scope, arguments: Arguments) -> Argument:
        """What a single symbol means."""
        if isinstance(expression, syntax.Call):
            return self._instance(expression, scope, arguments)
        if not isinstance(expression, syntax.Name):
            return Argument(_said(expression), self._node(expression, scope, arguments), None)
        if expression.name in arguments:
            return arguments[expression.name]
        entry = scope.entry(expression.name, expression.position)
        if entry.is_terminal:
            self.used.add(entry.name)
            return Argument(entry.name, self._token(self._terminal(entry, scope, expression.position)), entry)
        if entry.declared:
            raise scope.source.unsupported(f"{entry.said} is only declared, so it has no text", expression.position)
        if entry.parameters:
            return Argument(entry.name, ir.EMPTY, entry)
        return Argument(entry.name, self._rule(entry, {}, entry.name), entry)

    def _instance(self, call: syntax.Call, scope: Scope, arguments: Arguments) -> Argument:
        """The rule that a template with arguments is."""
        bound = arguments.get(call.name)
        entry = scope.entry(call.name, call.position) if bound is None else bound.entry
        given = [self._argument(argument, scope, arguments) for argument in call.arguments]
        if entry is None or len(entry.parameters) != len(given):
            n_wanted = len(entry.parameters) if entry else 0
            message = f"{call.name} has {n_wanted} parameters, and here {len(given)} arguments"
            raise scope.source.invalid(message, call.position)
        name = f"{entry.name}{{{', '.join(argument.said for argument in given)}}}"
        if len(name) > MAX_NAME or len(self.bodies) + len(self._waiting) > MAX_INSTANCES:
            hint = "a template that uses itself with ever larger arguments has no end"
            raise scope.source.too_much(f"too many instances of template {call.name}", call.position, hint)
        return Argument(name, self._rule(entry, dict(zip(entry.parameters, given, strict=True)), name), None)


class NamedRules(Rules):
    """Rules that mention each other by names for people, and terminals as if they were rules (`named`)."""

    def __init__(self, terminals: Terminals, between: ir.Node) -> None:
        super().__init__(terminals, between)
        self.named: dict[str, ir.Node] = {}

    def _rule(self, entry: Entry, arguments: Arguments, name: str) -> ir.Node:
        super()._rule(entry, arguments, name)
        return ir.Ref(f"@rule {name}")

    def _terminal(self, entry: Entry, scope: Scope, position: int) -> ir.Node:
        name = f"@{entry.name}"
        self.named[name] = super()._terminal(entry, scope, position)
        return ir.Ref(name)


def _said(expression: Expression) -> str:
    """A terminal in a name: the same for the same, different for different ones."""
    match expression:
        case syntax.Text(text, ignores_case):
            return repr(text) + "i" * ignores_case
        case syntax.Pattern(regex, flags):
            return f"/{regex}/{flags}"
        case syntax.Range(first, last):
            return f"{first!r}..{last!r}"
        case syntax.Schema(schema):
            return f"%json {schema!r}"
        case syntax.Special(name):
            return name
    return repr(expression)
