"""Membership by the definition of each ir node, over the spans of one text: slow, exact, obvious.

A node's relation holds the pairs (i, j) such that `data[i:j]` is a member; row i is
the set of its j, as bits of an int. Concatenation is composition of relations, and
recursive rules are the least fixpoint, from nothing upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_, or_

from pgen.language import ir

Relation = tuple[int, ...]


def derives(node: ir.Node, text: str | bytes) -> bool:
    """Whether `text` is a member of `node`."""
    data = text.encode() if isinstance(text, str) else text
    return bool(Spans(data).of(node, {})[0] >> len(data) & 1)


class Spans:
    """Relations over the spans of `data`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.places = range(len(data) + 1)
        self.known: dict[ir.Node, Relation] = {}
        self.nothing: Relation = (0,) * len(self.places)
        self.empty: Relation = tuple(1 << i for i in self.places)

    def of(self, node: ir.Node, rules: Mapping[str, Relation]) -> Relation:
        if node in self.known:
            return self.known[node]
        found = self._of(node, rules)
        if not any(isinstance(part, ir.Ref) for part in ir.descendants(node)):
            self.known[node] = found
        return found

    def _of(self, node: ir.Node, rules: Mapping[str, Relation]) -> Relation:
        match node:
            case ir.Ref(name):
                return rules[name]
            case ir.Recursive(start, names, bodies):
                return self.solved(dict(zip(names, bodies, strict=True)), rules)[start]
            case ir.Concat(parts):
                return reduce(self.then, (self.of(part, rules) for part in parts))
            case ir.Union(parts):
                return merged(or_, (self.of(part, rules) for part in parts))
            case ir.Intersect(parts):
                return merged(and_, (self.of(part, rules) for part in parts))
            case ir.Complement(item):
                inside = self.of(item, rules)
                return merged(lambda every, some: every & ~some, (self.valid_texts(), inside))
            case ir.Repeat(item, low, high):
                return self.repeated(self.of(item, rules), low, high)
            case ir.Separated(separator, items, kinds):
                return self.listed(self.of(separator, rules), [self.of(item, rules) for item in items], kinds)
            case ir.Packed():
                return self.network(ir.unpacked(node))
        return self.leaf(node)

    def network(self, node: ir.Network) -> Relation:
        """Ways from a start to an end."""
        reached = dict.fromkeys(node.starts, self.empty)
        before: dict[int, Relation] = {}
        while reached != before:
            before = dict(reached)
            for source, ranges, target in node.edges:
                if source in reached:
                    through = self.then(reached[source], self.of(ir.Chars(ranges), {}))
                    reached[target] = merged(or_, (reached.get(target, self.nothing), through))
        return merged(or_, (reached.get(state, self.nothing) for state in node.ends))

    def leaf(self, node: ir.Node) -> Relation:
        match node:
            case ir.Literal(data):
                return self.words([data])
            case ir.Words(words):
                return self.words(words)
            case ir.AnyByte():
                return tuple(1 << i + 1 if i < len(self.data) else 0 for i in self.places)
            case ir.Substrings(text):
                return self.where(lambda piece: piece in text)
            case ir.Chars(ranges):
                return self.where(lambda piece: len(piece) == 1 and any(a <= ord(piece) <= b for a, b in ranges))
        raise TypeError(node)

    def words(self, words: Iterable[bytes]) -> Relation:
        rows = [0] * len(self.places)
        for word in words:
            for i in self.places:
                if self.data.startswith(word, i):
                    rows[i] |= 1 << i + len(word)
        return tuple(rows)

    def where(self, holds: object) -> Relation:
        """The spans that are valid UTF-8 and for whose text the predicate holds."""
        rows = [0] * len(self.places)
        for i in self.places:
            for j in range(i, len(self.places)):
                text = decoded(self.data[i:j])
                if text is not None and holds(text):  # type: ignore[operator]
                    rows[i] |= 1 << j
        return tuple(rows)

    def valid_texts(self) -> Relation:
        return self.where(lambda piece: True)

    def then(self, first: Relation, second: Relation) -> Relation:
        return tuple(reduce(or_, (second[k] for k in self.places if row >> k & 1), 0) if row else 0 for row in first)

    def repeated(self, item: Relation, low: int, high: int | None) -> Relation:
        # More repeats than there are bytes only add empty ones.
        least = min(low, len(self.data) + 1)
        most = least + len(self.data) + 1 if high is None else min(high, low + len(self.data) + 1) - low + least
        power, found = self.empty, self.nothing
        for times in range(most + 1):
            if times >= least:
                found = merged(or_, (found, power))
            power = self.then(power, item)
        return found

    def listed(self, separator: Relation, items: list[Relation], kinds: str) -> Relation:
        nothing, some = True, self.nothing
        for item, kind in zip(items, kinds, strict=True):
            more = self.repeated(self.then(separator, item), 0, None if kind in "*+" else 0)
            block = self.then(item, more)
            after = self.then(self.then(some, separator), block)
            after = merged(or_, (after, block)) if nothing else after
            if kind in "?*":
                some = merged(or_, (some, after))
            else:
                nothing, some = False, after
        return some

    def solved(self, bodies: Mapping[str, ir.Node], outer: Mapping[str, Relation]) -> dict[str, Relation]:
        """The relation of each rule."""
        known = {**outer, **dict.fromkeys(bodies, self.nothing)}
        while True:
            new = {name: self.of(body, known) for name, body in bodies.items()}
            if all(known[name] == found for name, found in new.items()):
                return known
            known |= new


def merged(operation: object, relations: Iterable[Relation]) -> Relation:
    return tuple(reduce(operation, rows) for rows in zip(*relations, strict=True))  # type: ignore[call-overload]


def decoded(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
