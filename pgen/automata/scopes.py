"""Nested `Recursive` nodes as one flat system of rules with unique names.

A nested system that is used in several places is read once for each meaning of
the outer rules that it mentions, so usually once. On the way `X (c X)*` becomes
the list it is, which keeps levels of operator precedence linear in size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from pgen.automata.recursion import added_to, listed, sequence
from pgen.automata.rule_syntax import Fold, Syntax, rebuilt
from pgen.errors import InvalidLanguage
from pgen.language import ir

Scope = dict[str, str]


def flattened(syntax: Syntax, root: ir.Node) -> tuple[ir.Node, dict[str, ir.Node]]:
    """The node without `Recursive`, and the rules that it mentions, directly or not.

    Raises:
        InvalidLanguage: a rule is mentioned that is not defined.
    """
    return _Flattening(syntax).run(root)


class _Flattening:
    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._free: Fold[frozenset[str]] = Fold(self._free_names, syntax.parts)
        self._entered: dict[tuple[ir.Recursive, tuple[tuple[str, str | None], ...]], str] = {}
        self._waiting: list[tuple[ir.Recursive, Scope]] = []
        self._used: set[str] = set()

    def run(self, root: ir.Node) -> tuple[ir.Node, dict[str, ir.Node]]:
        start, bodies = self._resolver({})(root), dict[str, ir.Node]()
        while self._waiting:
            system, scope = self._waiting.pop()
            resolved = self._resolver(scope)
            for name, body in zip(system.names, system.bodies, strict=True):
                bodies[scope[name]] = resolved(body)
        return start, bodies

    def _free_names(self, node: ir.Node) -> frozenset[str]:
        if isinstance(node, ir.Ref):
            return frozenset([node.name])
        names = frozenset[str]().union(*map(self._free, self._syntax.parts(node)))
        return names.difference(node.names) if isinstance(node, ir.Recursive) else names

    def _resolver(self, scope: Scope) -> Fold[ir.Node]:
        mentions = ir.refers

        def combine(node: ir.Node) -> ir.Node:
            if isinstance(node, ir.Ref):
                return ir.Ref(_defined(node.name, scope))
            if isinstance(node, ir.Recursive):
                return ir.Ref(self._enter(node, scope))
            if not mentions(node):
                return node
            parts = [resolved(part) if mentions(part) else part for part in ir.children(node)]
            changed = rebuilt(node, parts)
            return ir.concat(*_with_lists(changed.parts)) if isinstance(changed, ir.Concat) else changed

        resolved = Fold(combine, lambda node: () if isinstance(node, ir.Recursive) else self._syntax.parts(node))
        return resolved

    def _enter(self, system: ir.Recursive, scope: Scope) -> str:
        """The name of the start rule of a nested system."""
        outer = {name: _defined(name, scope) for name in sorted(self._free(system))}
        key = system, tuple(outer.items())
        if key not in self._entered:
            inner = {name: self._fresh(name) for name in system.names}
            self._entered[key] = _defined(system.start, inner)
            self._waiting.append((system, outer | inner))
        return self._entered[key]

    def _fresh(self, name: str) -> str:
        # "~>" marks the names that `pgen.automata.recursion` makes up.
        plain = name.replace("~>", ">")
        names = (plain if i == 1 else f"{plain} {i}" for i in count(1))
        fresh = next(name for name in names if name not in self._used)
        self._used.add(fresh)
        return fresh


def _defined(name: str, scope: Scope) -> str:
    if name not in scope:
        raise InvalidLanguage(f"rule {name!r} is not defined", hint=f"known rules: {', '.join(scope) or 'none'}")
    return scope[name]


def _with_lists(parts: Sequence[ir.Node]) -> list[ir.Node]:
    """The parts of a sequence, with each `X (c X)*` as one list."""
    done: list[ir.Node] = []
    for part in parts:
        again = part.item if isinstance(part, ir.Repeat) and (part.low, part.high) == (0, None) else ir.EPSILON
        option = again.parts[0] if isinstance(again, ir.Union) else again
        n_same = _common_end(done, sequence(option))
        item = ir.concat(*done[len(done) - n_same :])
        separator = added_to(item, again, "right") if n_same else None
        if separator is None:
            done.append(part)
        else:
            done[-n_same:] = [listed(separator, item)]
    return done


def _common_end(left: Sequence[ir.Node], right: Sequence[ir.Node]) -> int:
    """How many parts two sequences share at their ends."""
    pairs = zip(reversed(left), reversed(right), strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
