"""Two facts about nodes, by structural induction from the leaves, in linear time."""

from __future__ import annotations

from collections.abc import Mapping

from pgen.language import ir


def is_nullable(node: ir.Node) -> bool:
    """Whether the empty string is a member; `node` has no references but inside JSON, which is never empty."""
    known: dict[ir.Node, bool] = {}
    for part in ir.descendants(node):
        known[part] = _nullable(part, known)
    return known[node]


def _nullable(node: ir.Node, known: Mapping[ir.Node, bool]) -> bool:
    match node:
        case ir.Literal(data):
            return not data
        case ir.Words(words):
            return b"" in words
        case ir.Concat(parts) | ir.Intersect(parts):
            return all(known[part] for part in parts)
        case ir.Union(parts):
            return any(known[part] for part in parts)
        case ir.Repeat(item, low, _):
            return low == 0 or known[item]
        case ir.Complement(item):
            return not known[item]
        case ir.Separated(separator, items, kinds):
            needed = [known[item] for item, kind in zip(items, kinds, strict=True) if kind in "1+"]
            if not needed:
                return any(known[item] for item in items)
            return all(needed) and (len(needed) == 1 or known[separator])
        case ir.Network(_, starts, ends):
            return not set(ends).isdisjoint(starts)
    return isinstance(node, ir.Substrings)


def productive_rules(rules: Mapping[str, ir.Node]) -> set[str]:
    """The rules that derive something; nodes without references count as productive unless they are `EMPTY`."""
    users: dict[str, set[str]] = {}
    for name, body in rules.items():
        for node in ir.descendants(body):
            if isinstance(node, ir.Ref):
                users.setdefault(node.name, set()).add(name)
    found, waiting = set[str](), list(rules)
    while waiting:
        name = waiting.pop()
        if name not in found and _is_productive(rules[name], found):
            found.add(name)
            waiting += users.get(name, ())
    return found


def _is_productive(node: ir.Node, productive: set[str]) -> bool:
    known: dict[ir.Node, bool] = {}
    for part in ir.descendants(node):
        match part:
            case ir.Ref(name):
                known[part] = name in productive
            case ir.Concat(parts):
                known[part] = all(known[item] for item in parts)
            case ir.Union(parts):
                known[part] = any(known[item] for item in parts)
            case ir.Repeat(item, low, _):
                known[part] = low == 0 or known[item]
            case _:
                known[part] = part != ir.EMPTY
    return known[node]
