"""Objects as nodes: their properties in declared order, or in any.

In declared order undeclared properties come last. In any order, objects of up to
`MAX_TRACKED` properties are exact (`orders.py`), from the top down as long as those of a schema
take no more than `MAX_STEPS` together. Beyond that a node takes properties as they come, as often as
they come; that each required one is there, and none twice, is left to complete values.
Cost: linear in the number of properties, but quadratic where some are optional and the
number of undeclared ones is bounded, and exponential where they are exact in any order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from pgen.language import ir
from pgen.language.json_schema import strings
from pgen.language.json_schema.counting import ways
from pgen.language.json_schema.meet import meet_all
from pgen.language.json_schema.orders import Orders
from pgen.language.json_schema.shapes import (
    NOTHING,
    ArrayShape,
    Constant,
    ObjectShape,
    Option,
    Restriction,
    Shape,
    StringShape,
    Value,
    join,
)
from pgen.language.json_schema.spelling import QUOTE, behind_quote, is_plain, other_than, others, spelled

if TYPE_CHECKING:
    from pgen.language.json_schema.emit import Emitter

MAX_PATTERNS = 6
"""How many patterns of property names may part the undeclared properties of one object."""

MAX_TRACKED = 5
"""How many properties an object may have to be exact in any order."""

MAX_STEPS = 1000
"""How many steps, `n 2^(n-1)` for an object of n properties, the exact objects of one schema may take together."""

FREE_STEPS = 12
"""Steps of an object of 3 properties, which is always exact."""


@dataclass(frozen=True, slots=True)
class Members:
    """Builds the node of one object."""

    emitter: Emitter
    shape: ObjectShape
    depth: int
    free: int

    def node(self) -> ir.Node:
        """The texts of the object."""
        node, depth, free = self.emitter.node, self.depth + 1, self.free
        declared = [(name, node(item, depth, free)) for name, item in self.shape.properties if not item.is_nothing]
        extra = self._extra() if self.shape.high is None or self.shape.high > len(self.shape.required) else ir.EMPTY
        if not ir.is_empty(extra) and (self.shape.high is None or self.shape.high > 1):
            self.emitter.repeats_names = True
            # One name that is not declared is there at least; more may be one and the same.
            self.emitter.counts_repeats |= self.shape.low > len(self.shape.required) + 1
        if self.emitter.any_order and len(declared) + (not ir.is_empty(extra)) > 1:
            forms = self._in_any_order(declared, extra)
        else:
            forms = self._in_declared_order(declared, extra)
        may_be_empty = self.shape.low == 0 and not self.shape.required
        return self.emitter.container("{}", [form for form in forms if not ir.is_empty(form)], self.depth, may_be_empty)

    def _members(self, declared: list[tuple[str, ir.Node]]) -> list[tuple[ir.Node, bool]]:
        """The declared properties, and whether they are required."""
        required = set(self.shape.required)
        return [(self.emitter.member(name, value), name in required) for name, value in declared]

    def _in_declared_order(self, declared: list[tuple[str, ir.Node]], extra: ir.Node) -> list[ir.Node]:
        low, high = self._extra_counts(len(declared), extra)
        if low == 0 and (high is None or ir.is_empty(extra)):
            return self._listed(declared, extra, [*self._kinds(declared), "*"], in_order=True)
        return list(self._sequences(self._members(declared), extra, low, high))

    def _in_any_order(self, declared: list[tuple[str, ir.Node]], extra: ir.Node) -> list[ir.Node]:
        low, high, count = self.shape.low, self.shape.high, len(declared)
        counted = low > max(1, len(self.shape.required)) or (high is not None and high < count)
        if counted or (high is not None and not ir.is_empty(extra)):
            if ir.is_empty(extra) and is_exact(self.shape, self.emitter.exact_orders):
                comma = self.emitter.layout.comma(self.depth)
                return [Orders(self._members(declared), extra, comma, low, high).node()]
            self._leave_open("number of properties")
        if is_exact(self.shape, self.emitter.exact_orders):
            return self._listed(declared, extra, [*self._kinds(declared), "*"], in_order=False)
        self.emitter.repeats_names = True
        if self.shape.required:
            self._leave_open("required")
        return self._listed(declared, extra, "*" * (count + 1), in_order=False)

    def _kinds(self, declared: list[tuple[str, ir.Node]]) -> list[str]:
        required = set(self.shape.required)
        return ["1" if name in required else "?" for name, _ in declared]

    def _listed(
        self, declared: list[tuple[str, ir.Node]], extra: ir.Node, kinds: Sequence[str], in_order: bool
    ) -> list[ir.Node]:
        """Properties with commas between them, the extra ones last.

        They share their first quotes: what comes before is one state, not one each.
        """
        comma, lazily = self.emitter.layout.comma(self.depth), self.emitter.lengths is not None
        separator, colon = self.emitter.between if lazily else ir.concat(comma, QUOTE), self.emitter.layout.colon
        if not lazily or any(map(ir.is_empty, [value for _, value in declared])):
            behind = [behind_quote(self.emitter.member(name, value)) for name, value in declared]
            items = list(zip([*behind, behind_quote(extra)], kinds, strict=True))
            return [ir.concat(QUOTE, _in_plain_nodes(separator, items, in_order))]
        fields = []
        all_plain = is_plain("".join([name for name, _ in declared]))
        for (name, value), kind in zip(declared, kinds, strict=False):
            if all_plain or is_plain(name):
                fields.append((f'{name}"'.encode(), value, kind))
            else:
                fields.append((b"", behind_quote(self.emitter.member(name, value)), kind))
        if not ir.is_empty(extra):
            fields.append((b"", _behind_quote(extra), kinds[-1]))
        return [ir.concat(QUOTE, ir.fields(separator, colon, fields, in_order))] if fields else []

    def _extra_counts(self, declared: int, extra: ir.Node) -> tuple[int, int | None]:
        """How many extra properties there may be; notes the counts that a node cannot hold."""
        shape = self.shape
        if declared == len(shape.required):
            return max(0, shape.low - declared), None if shape.high is None else shape.high - declared
        low_held = shape.low <= max(1, len(shape.required))
        high_held = shape.high is None or (ir.is_empty(extra) and shape.high >= declared)
        if not (low_held and high_held):
            self._leave_open("number of properties")
        return 0, shape.high

    def _leave_open(self, keyword: str) -> None:
        self.emitter.open_places[keyword, self.shape.pointer] = None

    def _sequences(
        self, members: list[tuple[ir.Node, bool]], extra: ir.Node, low: int, high: int | None
    ) -> Iterator[ir.Node]:
        """The non-empty sequences of members, by which one comes first."""
        comma = self.emitter.layout.comma(self.depth)
        after = ir.repeat(ir.concat(comma, extra), low, high)
        tails = [after]
        for member, required in reversed(members):
            step = ir.concat(comma, member)
            after = ir.concat(step if required else ir.optional(step), after)
            tails.append(after)
        tails.reverse()
        for (member, required), tail in zip(members, tails[1:], strict=True):
            yield ir.concat(member, tail)
            if required:
                return
        if high != 0:
            more = None if high is None else high - 1
            yield ir.concat(extra, ir.repeat(ir.concat(comma, extra), max(0, low - 1), more))

    def _extra(self) -> ir.Node:
        """One property that is not declared: names are parted by the patterns that they match."""
        shape = self.shape
        if shape.names is None and not any(rule.patterns for rule in shape.extras) and self.emitter.lengths is not None:
            # Without patterns no automaton is needed to tell the names.
            value = _extra_value(shape, set())
            return ir.EMPTY if value == NOTHING else self._undeclared(others([n for n, _ in shape.properties]), value)
        patterns = tuple(dict.fromkeys(pattern for rule in shape.extras for pattern, _ in rule.patterns))
        others_than = others if self.emitter.lengths else other_than
        if (
            shape.names is None
            and (apart := parted(patterns, [n for n, _ in shape.properties], others_than)) is not None
        ):
            return ir.union(*(self._undeclared(name, _extra_value(shape, set(matched))) for name, matched in apart))
        if len(patterns) > MAX_PATTERNS:
            return self._unparted_extra()
        sides = [dict(zip(patterns, hits, strict=True)) for hits in product((False, True), repeat=len(patterns))]
        ways = [(side, _extra_value(shape, {p for p, hit in side.items() if hit})) for side in sides]
        ways = [(side, value) for side, value in ways if value != NOTHING]
        missed = tuple(pattern for pattern in patterns if not all(side[pattern] for side, _ in ways))
        if missed and not strings.can_part(missed):
            return self._unparted_extra()
        known = self._known_names()
        names = [ir.intersect(*known, *(_side(p, hit) for p, hit in side.items())) for side, _ in ways]
        forms = zip(names, ways, strict=True)
        return ir.union(*(self._undeclared(self.emitter.spelled(name), value) for name, (_, value) in forms))

    def _known_names(self) -> list[ir.Node]:
        """The names that extra properties may have, as nodes to be intersected."""
        known = [ir.complement(ir.union(*(_text(name) for name, _ in self.shape.properties)))]
        if self.shape.names is None:
            return known
        options = self.shape.names.resolved().expanded()
        if any(strings.left_open(option) for option in options if isinstance(option, StringShape)):
            self._leave_open("propertyNames")
        return [*known, ir.union(*map(_name_node, options))]

    def _unparted_extra(self) -> ir.Node:
        """One undeclared property with any of the values that some pattern allows."""
        self._leave_open("patternProperties")
        values = join(item for rule in self.shape.extras for item in (*(v for _, v in rule.patterns), rule.otherwise))
        return self._undeclared(self.emitter.spelled(ir.intersect(*self._known_names())), values)

    def _undeclared(self, name: ir.Node, value: Shape) -> ir.Node:
        """An undeclared property whose name is spelled as in `name`."""
        if value == NOTHING:
            return ir.EMPTY
        node = self.emitter.node(value, self.depth + 1, self.free)
        return ir.concat(QUOTE, name, QUOTE, self.emitter.layout.colon, node)


def _behind_quote(extra: ir.Node) -> ir.Node:
    """The same as `behind_quote`, sooner where the quote stands apart."""
    if isinstance(extra, ir.Concat) and extra.parts[0] is QUOTE and len(extra.parts) > 2:
        return ir.Concat(extra.parts[1:])
    return behind_quote(extra)


def exact_in_any_order(shape: Shape) -> frozenset[ObjectShape]:
    """The objects below `shape` that are exact in any order: the first from the top, within `MAX_STEPS`."""
    waiting, met, exact, left = [shape], {shape}, set[ObjectShape](), MAX_STEPS
    for here in waiting:
        for option in here.resolved().expanded():
            parts = _items(option) if isinstance(option, ArrayShape) else []
            if isinstance(option, ObjectShape):
                values = [value for rule in option.extras for _, value in rule.patterns]
                parts = [*(item for _, item in option.properties), *values, *(r.otherwise for r in option.extras)]
                if option not in exact and _steps(len(option.properties)) <= left:
                    left -= _steps(len(option.properties))
                    exact.add(option)
            waiting += [part for part in dict.fromkeys(parts) if part not in met]
            met.update(parts)
    return frozenset(exact)


def _items(array: ArrayShape) -> list[Shape]:
    """The shapes that items of an array are written in."""
    counting = ways(array) if array.counted else None
    if counting is None:
        return [*array.prefix, array.rest]
    return [shape for item in counting for shape in item.values() if shape != NOTHING]


def is_exact(shape: ObjectShape, exact_orders: frozenset[ObjectShape] | None) -> bool:
    """Whether an object is exact: in declared order (`None`) all are, in any order small ones and those given."""
    if exact_orders is None:
        return True
    n_members = sum(not item.is_nothing for _, item in shape.properties)
    return _steps(n_members) <= FREE_STEPS or (n_members <= MAX_TRACKED and shape in exact_orders)


Parted = list[tuple[ir.Node, frozenset[Restriction]]]
"""Sets of names as they are spelled, and the patterns that they match."""
OthersThan = Callable[[Collection[str], Collection[str]], ir.Node]


def parted(patterns: Collection[Restriction], declared: Collection[str], others_than: OthersThan) -> Parted | None:
    """The names that are not declared, by the patterns they match, where no automaton is needed to tell them apart.

    That is where each pattern matches a few words, and what begins with a few others. Names that a pattern
    matches in one reading only are left out: they have no value that is valid by both.
    """
    told = {pattern: found for pattern in patterns if (found := strings.listed(pattern)) is not None}
    if len(told) < len(set(patterns)) or not _are_encodable(declared):
        return None
    listed = {pattern: found for pattern, (found, _) in told.items()}
    taken = set(declared).union(*(perhaps for _, perhaps in told.values()))
    prefixes = sorted({prefix for known in listed.values() for prefix in known.prefixes})
    if any(after.startswith(before) for before, after in pairwise(prefixes)):
        return None
    words = {word for known in listed.values() for word in known.words} - taken
    ways: dict[frozenset[Restriction], list[str]] = {}
    for word in words:
        matched = {p for p, known in listed.items() if word in known.words or word.startswith(tuple(known.prefixes))}
        ways.setdefault(frozenset(matched), []).append(word)
    forms = [
        (spelled(ir.word_set(word.encode() for word in group), lean=True), matched) for matched, group in ways.items()
    ]
    for prefix in prefixes:
        inner = [word[len(prefix) :] for word in taken | words if word.startswith(prefix)]
        matched = {pattern for pattern, known in listed.items() if prefix in known.prefixes}
        start = spelled(ir.literal(prefix), lean=True)
        forms.append((ir.concat(start, others_than(inner, ())), frozenset(matched)))
    outside = [word for word in taken | words if not word.startswith(tuple(prefixes))]
    return [*forms, (others_than(outside, prefixes), frozenset())]


def _are_encodable(names: Collection[str]) -> bool:
    return all(name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name) for name in names)


def plain_extra(shape: ObjectShape) -> Shape | None:
    """What every undeclared property may be; `None` where that depends on its name."""
    if shape.names == NOTHING or (shape.high is not None and shape.high <= len(shape.required)):
        return NOTHING
    depends = shape.names is not None or any(rule.patterns for rule in shape.extras)
    return None if depends else _extra_value(shape, set())


def all_of_constant(value: dict[str, Value]) -> ObjectShape:
    """The object that has exactly the properties of `value`."""
    shapes = tuple((name, Shape((Constant(json.dumps(item)),))) for name, item in value.items())
    return ObjectShape(shapes, tuple(value), names=NOTHING, pointer="")


def _steps(n_members: int) -> int:
    """What an object of so many properties takes in any order."""
    return n_members << max(n_members - 1, 0) if n_members <= MAX_TRACKED else MAX_STEPS + 1


def _in_plain_nodes(separator: ir.Node, items: list[tuple[ir.Node, str]], in_order: bool) -> ir.Node:
    """`ir.fields` without words."""
    if in_order:
        return ir.separated(separator, items)
    once = [(item, kind == "1") for item, kind in items if kind in "1?"]
    return Orders(once, ir.union(*(item for item, kind in items if kind == "*")), separator, 0, None).node()


def _extra_value(shape: ObjectShape, matched: set[Restriction]) -> Shape:
    """What an undeclared property may be whose name matches these patterns."""
    parts = []
    for rule in shape.extras:
        hits = [item for pattern, item in rule.patterns if pattern in matched]
        parts.extend(hits or [rule.otherwise])
    return meet_all(parts)


def _side(pattern: Restriction, hit: bool) -> ir.Node:
    return strings.node(pattern) if hit else ir.complement(strings.outer_node(pattern))


def _name_node(option: Option) -> ir.Node:
    if isinstance(option, StringShape):
        return strings.values(option)
    return _text(option.value) if isinstance(option, Constant) else ir.EMPTY


def _text(value: Value) -> ir.Node:
    """The one text `value`; nothing where it is not a text."""
    if not isinstance(value, str) or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        return ir.EMPTY
    return ir.literal(value)
