"""From shapes to nodes: the JSON texts of the values of a shape, in one layout.

Objects list declared properties in order, then extra ones. Options of a shape
become a union; equal shapes share one node. Cost: linear in the shape, but for objects
with optional properties and a bounded number of undeclared ones, where it is quadratic.

Arrays and objects without a schema nest at most `FREE_DEPTH` deep.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from pgen.errors import UnsupportedFeature
from pgen.language import ir
from pgen.language.json_schema import strings
from pgen.language.json_schema.layout import Layout
from pgen.language.json_schema.meet import meet_all
from pgen.language.json_schema.numbers import number
from pgen.language.json_schema.shapes import (
    ANYTHING,
    NOTHING,
    ArrayShape,
    Constant,
    NumberShape,
    ObjectShape,
    Option,
    Restriction,
    Shape,
    StringShape,
    Value,
)
from pgen.language.json_schema.spelling import body, dumped, quoted, spelled

FREE_DEPTH = 5
"""How deep values without a schema may nest."""

MAX_PATTERNS = 6
"""How many patterns of property names may apply to one object."""

_OPEN, _CLOSE = ir.literal("{"), ir.literal("}")


@dataclass
class Emitter:
    """Builds nodes in one layout.

    `open_counts` collects the places whose numbers of properties the node
    leaves open; `repeats_names` whether extra names might come twice.
    """

    layout: Layout
    open_counts: set[str] = field(default_factory=set)
    repeats_names: bool = False
    _nodes: dict[tuple[Shape, int, int], ir.Node] = field(default_factory=dict)

    def text(self, shape: Shape) -> ir.Node:
        """Whole JSON texts of the values of `shape`."""
        return ir.concat(self.layout.margin, self._node(shape, 0, FREE_DEPTH), self.layout.margin)

    def _node(self, shape: Shape, depth: int, free: int) -> ir.Node:
        key = (shape, depth if self.layout.by_depth else 0, free if shape == ANYTHING else 0)
        if key not in self._nodes:
            if shape == ANYTHING:
                free -= 1
            options = [o for o in shape.expanded() if free >= 0 or not isinstance(o, (ArrayShape, ObjectShape))]
            self._nodes[key] = ir.union(*(self._option(option, depth, free) for option in options))
        return self._nodes[key]

    def _option(self, option: Option, depth: int, free: int) -> ir.Node:
        if isinstance(option, Constant):
            return self._constant(option.value, depth)
        if isinstance(option, StringShape):
            return quoted(_string_body(option))
        if isinstance(option, NumberShape):
            return number(option)
        if isinstance(option, ArrayShape):
            return self._array(option, depth, free)
        return self._object(option, depth, free)

    def _constant(self, value: Value, depth: int) -> ir.Node:
        if isinstance(value, str):
            return dumped(value)
        if isinstance(value, list):
            items = [self._constant(item, depth + 1) for item in value]
            return self._enclosed("[", self._separated(items, depth), "]", depth)
        if isinstance(value, dict):
            members = [self._member(name, self._constant(item, depth + 1)) for name, item in value.items()]
            return self._enclosed("{", self._separated(members, depth), "}", depth)
        return ir.literal(json.dumps(value)) if value is None or isinstance(value, bool) else _number_constant(value)

    def _separated(self, items: list[ir.Node], depth: int) -> ir.Node:
        parts = [part for item in items for part in (self.layout.comma(depth), item)]
        return ir.concat(*parts[1:])

    def _enclosed(self, opening: str, inner: ir.Node, closing: str, depth: int) -> ir.Node:
        """A container of `inner`, or an empty one where `inner` is the empty text."""
        if inner == ir.EPSILON:
            return ir.concat(ir.literal(opening), self.layout.empty, ir.literal(closing))
        first, last = self.layout.first(depth), self.layout.last(depth)
        return ir.concat(ir.literal(opening), first, inner, last, ir.literal(closing))

    def _array(self, array: ArrayShape, depth: int, free: int) -> ir.Node:
        items = [self._node(item, depth + 1, free) for item in array.prefix]
        rest = self._node(array.rest, depth + 1, free)
        comma = self.layout.comma(depth)
        low, high = array.low, array.high
        if not items and low <= 1 and high is None:
            listed = (
                self._enclosed("[", ir.separated(comma, [(rest, "+")]), "]", depth) if rest != ir.EMPTY else ir.EMPTY
            )
            return ir.union(self._enclosed("[", ir.EPSILON, "]", depth), listed) if low == 0 else listed
        more = None if high is None else high - len(items)
        tail = ir.repeat(ir.concat(comma, rest), max(0, low - len(items)), more)
        for position in range(len(items) - 1, 0, -1):
            tail = ir.concat(comma, items[position], tail)
            tail = tail if position < low else ir.optional(tail)
        forms = [self._enclosed("[", ir.EPSILON, "]", depth)] if low == 0 else []
        if items:
            forms.append(self._enclosed("[", ir.concat(items[0], tail), "]", depth))
        elif high != 0 and rest != ir.EMPTY:
            tail = ir.repeat(ir.concat(comma, rest), max(0, low - 1), None if high is None else high - 1)
            forms.append(self._enclosed("[", ir.concat(rest, tail), "]", depth))
        return ir.union(*forms)

    def _object(self, shape: ObjectShape, depth: int, free: int) -> ir.Node:
        declared = [(name, item) for name, item in shape.properties if item != NOTHING]
        members = [
            (self._member(name, self._node(item, depth + 1, free)), name in shape.required) for name, item in declared
        ]
        extra = self._extra(shape, depth, free)
        low, high = self._extra_counts(shape, len(declared), extra)
        forms = list(self._sequences(members, extra, low, high, depth))
        if shape.low == 0 and not shape.required:
            return ir.union(self._enclosed("{", ir.EPSILON, "}", depth), *(self._braced(f, depth) for f in forms))
        return ir.union(*(self._braced(form, depth) for form in forms))

    def _braced(self, inner: ir.Node, depth: int) -> ir.Node:
        return ir.concat(_OPEN, self.layout.first(depth), inner, self.layout.last(depth), _CLOSE)

    def _member(self, name: str, value: ir.Node) -> ir.Node:
        return ir.concat(dumped(name), self.layout.colon, value)

    def _extra_counts(self, shape: ObjectShape, declared: int, extra: ir.Node) -> tuple[int, int | None]:
        """How many extra properties there may be; notes the counts that a node cannot hold."""
        if extra != ir.EMPTY and (shape.high is None or shape.high > 1):
            self.repeats_names = True
        if declared == len(shape.required):
            return max(0, shape.low - declared), None if shape.high is None else shape.high - declared
        low_held = shape.low <= max(1, len(shape.required))
        high_held = shape.high is None or (extra == ir.EMPTY and shape.high >= declared)
        if not (low_held and high_held):
            self.open_counts.add(shape.pointer)
        return 0, shape.high

    def _sequences(
        self, members: list[tuple[ir.Node, bool]], extra: ir.Node, low: int, high: int | None, depth: int
    ) -> Iterator[ir.Node]:
        """The non-empty sequences of members, by which one comes first."""
        comma = self.layout.comma(depth)
        if low == 0 and (high is None or extra == ir.EMPTY):
            kinds = [(member, "1" if required else "?") for member, required in members]
            yield ir.separated(comma, [*kinds, (extra, "*")])
            return
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

    def _extra(self, shape: ObjectShape, depth: int, free: int) -> ir.Node:
        """One property that is not declared: names are parted by the patterns that they match."""
        patterns = list(dict.fromkeys(pattern for rule in shape.extras for pattern, _ in rule.patterns))
        if len(patterns) > MAX_PATTERNS:
            raise UnsupportedFeature(
                f"{len(patterns)} patterns of property names apply to one object (at most {MAX_PATTERNS} can)",
                pointer=shape.pointer,
            )
        known = _known_names(shape)
        forms = []
        for matched in product((False, True), repeat=len(patterns)):
            value = _extra_value(shape, {p for p, hit in zip(patterns, matched, strict=True) if hit})
            if value != NOTHING:
                name = ir.intersect(*known, *(_side(p, hit) for p, hit in zip(patterns, matched, strict=True)))
                forms.append(ir.concat(quoted(spelled(name)), self.layout.colon, self._node(value, depth + 1, free)))
        return ir.union(*forms)


def _extra_value(shape: ObjectShape, matched: set[Restriction]) -> Shape:
    parts = []
    for rule in shape.extras:
        hits = [item for pattern, item in rule.patterns if pattern in matched]
        parts.extend(hits or [rule.otherwise])
    return meet_all(parts)


def _side(pattern: Restriction, hit: bool) -> ir.Node:
    return strings.node(pattern) if hit else ir.complement(strings.outer_node(pattern))


def _known_names(shape: ObjectShape) -> list[ir.Node]:
    """The names that extra properties may have, as nodes to be intersected."""
    known = [ir.complement(ir.union(*(_text(name) for name, _ in shape.properties)))]
    if shape.names is not None:
        known.append(ir.union(*(_name_node(option) for option in shape.names.expanded())))
    return known


def _name_node(option: Option) -> ir.Node:
    if isinstance(option, StringShape):
        return _value_node(option)
    return _text(option.value) if isinstance(option, Constant) else ir.EMPTY


def _text(value: Value) -> ir.Node:
    """The one text `value`; nothing where it is not a text."""
    if not isinstance(value, str) or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        return ir.EMPTY
    return ir.literal(value)


def _value_node(shape: StringShape) -> ir.Node:
    bounded = ir.repeat(ir.ANY_CHAR, shape.low, shape.high)
    return ir.intersect(*map(strings.node, shape.restrictions), bounded)


def _string_body(shape: StringShape) -> ir.Node:
    return spelled(_value_node(shape)) if shape.restrictions else body(shape.low, shape.high)


def _number_constant(value: int | float) -> ir.Node:
    """A number as `json.dumps` writes it, as an integer and as a float where these are equal."""
    forms = {json.dumps(value), "-0.0"} if value == 0 else {json.dumps(value)}
    if abs(value) <= sys.float_info.max and float(value) == value:
        forms.add(json.dumps(float(value)))
    return ir.word_set(form.encode() for form in forms)
