"""The normal form of context-free languages that a pushdown machine can run.

No rule derives the empty string or begins with itself, directly or through others;
tail recursion is iteration; rules that need not be rules are written out where they
are used. So grammars that look recursive but are regular become regular, and the
others keep few rules with large bodies. The language stays the same; parse trees do
not. In turn: unique names, epsilon-free bodies (Bar-Hillel, Perles and Shamir 1961),
direct recursion as iteration and substitution until nothing changes, mutual left
recursion by matrices (`pgen.automata.recursion`). Near linear in the size of the
grammar, but for what substitution may add (`MAX_GROWTH`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from pgen.automata.recursion import without_direct_recursion, without_mutual_left_recursion
from pgen.automata.rule_syntax import Fold, Syntax, nullability, post_order, productivity, rebuilt
from pgen.automata.scopes import flattened
from pgen.errors import UnsupportedFeature
from pgen.language import ir

MAX_GROWTH = 300
"""How much writing out one rule may add to the size of the whole; a larger one stays a rule."""
MAX_REGULAR_GROWTH = 2000
"""The same for a rule that mentions no other: it joins the regular parts around it."""

Bodies = dict[str, ir.Node]
Name = TypeVar("Name", bound=Hashable)


class Rules(NamedTuple):
    """A language whose nodes mention rules only through `Ref`; regular if there are none.

    `order` has all rules, each before those with which its members can begin.
    """

    start: ir.Node
    bodies: Mapping[str, ir.Node]
    order: tuple[str, ...]


def normal_form(node: ir.Node) -> Rules:
    """The same set of byte strings in normal form: see the module.

    Raises:
        InvalidLanguage: a rule is mentioned that is not defined.
        UnsupportedFeature: an intersection or a complement of a language that is not seen to be regular.
        LimitExceeded: mutual left recursion among too many rules.
    """
    syntax = Syntax()
    if not ir.refers(node):
        return Rules(node, {}, ())
    start, bodies = flattened(syntax, node)
    start, bodies = without_boolean_operations(syntax, start, bodies)
    return _reduced(syntax, start, bodies)


def _reduced(syntax: Syntax, start: ir.Node, bodies: Mapping[str, ir.Node]) -> Rules:
    system = _System(syntax, start, dict(bodies))
    system.remove_empty_strings()
    system.remove_useless()
    system.remove_direct_recursion(system.bodies)
    system.write_out()
    if system.remove_mutual_left_recursion():
        system.remove_useless()
        system.remove_direct_recursion(system.bodies)
        system.write_out()
    begins = {name: syntax.edge_calls(body, "left") for name, body in system.bodies.items()}
    order = [name for group in components(begins) for name in group]
    return Rules(system.start, system.bodies, tuple(reversed(order)))


class _System:
    """A start node and the rules that it mentions, directly or not."""

    def __init__(self, syntax: Syntax, start: ir.Node, bodies: Bodies) -> None:
        self.syntax, self.start, self.bodies = syntax, start, bodies
        self._keep_reachable()

    def _keep_reachable(self) -> None:
        self.bodies = {name: self.bodies[name] for name in self._callees_first()}

    def _callees_first(self) -> list[str]:
        """The rules that the start leads to, each after those it mentions, but for recursion."""
        waiting = [iter(self.syntax.calls(self.start))]
        entered, path, done = set[str](), list[str](), list[str]()
        while waiting:
            name = next((name for name in waiting[-1] if name not in entered), None)
            if name is not None:
                entered.add(name)
                path.append(name)
                waiting.append(iter(self.syntax.calls(self.bodies[name])))
            else:
                waiting.pop()
                done += [path.pop()] if path else []
        return done

    def _replace(self, rules: Mapping[str, ir.Node]) -> set[str]:
        """Put nodes in place of mentions; the names of the rules that change."""
        self.start = self.syntax.replaced(self.start, rules)
        changed = {name for name, body in self.bodies.items() if rules.keys() & self.syntax.calls(body).keys()}
        for name in changed:
            self.bodies[name] = self.syntax.replaced(self.bodies[name], rules)
        return changed

    def remove_empty_strings(self) -> None:
        nullable = least_solution(self.bodies, nullability)
        self._replace({name: ir.optional(ir.Ref(name)) for name in nullable})
        self.bodies = {name: self.syntax.nonempty(body) for name, body in self.bodies.items()}

    def remove_useless(self) -> None:
        productive = least_solution(self.bodies, productivity)
        self._replace({name: ir.EMPTY for name in self.bodies if name not in productive})
        self._keep_reachable()

    def remove_direct_recursion(self, names: Iterable[str]) -> None:
        for name in [name for name in names if name in self.syntax.calls(self.bodies[name])]:
            self.bodies[name] = without_direct_recursion(self.syntax, name, self.bodies[name])

    def write_out(self) -> None:
        """Substitute rules that do not mention themselves, as long as there are small ones."""
        while written := self._to_write_out():
            changed = self._replace(written)
            self._keep_reachable()
            self.remove_direct_recursion(changed & self.bodies.keys())

    def _to_write_out(self) -> Bodies:
        """Rules to substitute, none of them in terms of itself nor of one before it."""
        uses = dict(self.syntax.calls(self.start))
        for body in self.bodies.values():
            _add(uses, self.syntax.calls(body), 1)
        calls: dict[str, dict[str, int]] = {}
        written: Bodies = {}
        for name, body in self.bodies.items():
            calls[name] = {}
            for callee, times in self.syntax.calls(body).items():
                _add(calls[name], calls[callee] if callee in written else {callee: 1}, times)
            body = self.syntax.replaced(body, written)
            growth = ir.size(body) * (uses[name] - 1)
            if name not in calls[name] and growth <= (MAX_GROWTH if calls[name] else MAX_REGULAR_GROWTH):
                written[name] = body
        return written

    def remove_mutual_left_recursion(self) -> bool:
        """Whether there was any."""
        begins = {name: self.syntax.edge_calls(body, "left") for name, body in self.bodies.items()}
        groups = [group for group in components(begins) if len(group) > 1]
        for group in groups:
            self.bodies |= without_mutual_left_recursion(self.syntax, group, self.bodies)
        return bool(groups)


def _add(total: dict[str, int], calls: Mapping[str, int], times: int) -> None:
    for name, count in calls.items():
        total[name] = total.get(name, 0) + times * count


def least_solution(bodies: Mapping[str, ir.Node], test: Callable[[Collection[str]], Fold[bool]]) -> set[str]:
    """The rules whose bodies pass a test that depends, monotonically, on which rules pass it."""
    passed = set[str]()
    while True:
        holds, before = test(passed), len(passed)
        for name, body in bodies.items():
            if name not in passed and holds(body):
                passed.add(name)
        if len(passed) == before:
            return passed


def components(graph: Mapping[Name, Iterable[Name]]) -> list[list[Name]]:
    """Strongly connected components, each after those that it leads to (Tarjan 1972)."""
    index: dict[Name, int] = {}
    low: dict[Name, int] = {}
    pending: dict[Name, None] = {}
    found: list[list[Name]] = []
    for root in graph:
        path = [] if root in index else [(root, iter(graph[root]))]
        while path:
            name, others = path[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                pending[name] = None
            other = next(others, None)
            if other is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == index[name]:
                    members = list(pending)[list(pending).index(name) :]
                    found.append(members)
                    for member in members:
                        del pending[member]
            elif other not in index:
                path.append((other, iter(graph[other])))
            elif other in pending:
                low[name] = min(low[name], index[other])
    return found


def without_boolean_operations(syntax: Syntax, start: ir.Node, bodies: Bodies) -> tuple[ir.Node, Bodies]:
    """Intersections and complements with their rules written out, which must be regular."""
    if not any(_has_boolean_operation(syntax, body) for body in (start, *bodies.values())):
        return start, bodies
    done: Bodies = {}
    for group in components({name: syntax.calls(body) for name, body in bodies.items()}):
        done |= {name: _with_regular_operands(syntax, bodies[name], done) for name in group}
    return _with_regular_operands(syntax, start, done), done


def _has_boolean_operation(syntax: Syntax, body: ir.Node) -> bool:
    return any(isinstance(node, (ir.Intersect, ir.Complement)) for node in post_order(body, syntax.parts))


def _with_regular_operands(syntax: Syntax, body: ir.Node, known: Bodies) -> ir.Node:
    def combine(node: ir.Node) -> ir.Node:
        parts = [value(part) if ir.refers(part) else part for part in ir.children(node)]
        if isinstance(node, (ir.Intersect, ir.Complement)):
            parts = [_regular(syntax, part, known, node) if ir.refers(part) else part for part in parts]
        return rebuilt(node, parts)

    value: Fold[ir.Node] = Fold(combine, syntax.parts)
    return value(body)


def _regular(syntax: Syntax, node: ir.Node, known: Bodies, operation: ir.Node) -> ir.Node:
    """A node without rules for one that is an operand of an operation."""
    sign, operator = ("~", "complement") if isinstance(operation, ir.Complement) else ("&", "intersection")
    missing = [name for name in syntax.calls(node) if name not in known]
    if missing:
        raise UnsupportedFeature(
            f"rule {missing[0]!r} is defined through the {operator} ({sign}) of itself",
            hint=f"use {sign} on rules that do not lead back to themselves",
        )
    rules = _reduced(syntax, node, known)
    if rules.bodies:
        raise UnsupportedFeature(
            f"{sign} of a context-free language: the {operator} needs the recursive rule {next(iter(rules.bodies))!r}",
            hint=f"use {sign} on regular languages: terminals, and rules without nesting",
        )
    return rules.start
