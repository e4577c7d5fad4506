"""From shapes to nodes: the JSON texts of the values of a shape, in one layout.

Options of a shape become a union; equal shapes share one node. Recursive shapes become rules
(`ir.Recursive`), and so do values that no schema describes: one rule for all of them,
the same in every schema of a layout. An indent depends on how deep a value is, which no
context-free rule knows: there, such values nest at most `FREE_DEPTH` deep below what is
described, and recursive ones `INDENTED_DEPTH`. Cost: linear in the shape; with `lengths`, values
become nodes that are written when a walk gets there (`ir.Later`), and the cost is that of one level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import count

from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.language.json_schema import strings
from pgen.language.json_schema.counting import Counting, Distinct, are_many, ways
from pgen.language.json_schema.layout import Layout
from pgen.language.json_schema.meet import is_plain
from pgen.language.json_schema.members import Members, all_of_constant, exact_in_any_order
from pgen.language.json_schema.numbers import any_number, constant, number
from pgen.language.json_schema.shapes import (
    ANYTHING,
    ArrayShape,
    Constant,
    Lazy,
    NumberShape,
    ObjectShape,
    Option,
    Shape,
    StringShape,
    Value,
)
from pgen.language.json_schema.shortest import NEVER, Lengths, Shortest, shortest_bytes
from pgen.language.json_schema.spelling import QUOTE, body, dumped, laid_out, quoted, spelled

FREE_DEPTH = 5
"""How deep values without a schema may nest in indented texts."""

INDENTED_DEPTH = 12
"""How deep values of recursive schemas may nest in indented texts."""

MAX_RULES = 5000

MAX_BYTES = 2**24
"""Values whose shortest text is longer are written at once, which runs into the limits there are."""


@dataclass
class Emitter:
    """Builds nodes in one layout.

    `open_places` collects what nodes leave open, by keyword and pointer; `repeats_names` says
    whether a name might come twice in an object, `counts_repeats` whether that could pass for the
    number of properties that an object needs; `exact_orders` are the objects that are exact in
    any order, found by `text` where they are not given. With `lengths` values are written later,
    and what nodes leave open is not collected; `common` are those of other languages, too (`stock`).
    """

    layout: Layout
    any_order: bool = False
    lengths: Shortest | Lengths | None = None
    open_places: dict[tuple[str, str], None] = field(default_factory=dict)
    repeats_names: bool = False
    counts_repeats: bool = False
    exact_orders: frozenset[ObjectShape] | None = None
    common: Mapping[Shape, ir.Node] = field(default_factory=dict)
    _nodes: dict[tuple[Shape, int, int], ir.Node] = field(default_factory=dict)
    _rules: dict[str, ir.Node] = field(default_factory=dict)
    _names: dict[tuple[Lazy, int], str] = field(default_factory=dict)
    _unwritten: list[tuple[str, Lazy, int, int]] = field(default_factory=list)
    _later: dict[Shape, ir.Node] = field(default_factory=dict)
    _met: dict[int, tuple[Shape, ir.Node]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def text(self, shape: Shape) -> ir.Node:
        """Whole JSON texts of the values of `shape`."""
        if self.any_order and self.exact_orders is None:
            self.exact_orders = exact_in_any_order(shape)
        value = self.node(shape, 0, FREE_DEPTH) if self.lengths is None else self._outermost(shape, self.lengths)
        node = ir.concat(self.layout.margin, value, self.layout.margin)
        while self._unwritten:
            name, lazy, depth, free = self._unwritten.pop()
            self._rules[name] = self.node(lazy.resolve(lazy), depth, free)
        return ir.recursive("", {"": node, **self._rules}) if self._rules else node

    def _outermost(self, shape: Shape, lengths: Shortest | Lengths) -> ir.Node:
        """The texts of the values of `shape`, only those of its parts to be written later."""
        resolved = shape.resolved()
        return ir.EMPTY if lengths.of(resolved) >= NEVER else self._now(resolved)

    def node(self, shape: Shape, depth: int, free: int) -> ir.Node:
        """The texts of the values of `shape`, `depth` levels deep, with `free` levels left without a schema."""
        if self.lengths is not None:
            return self._put_off(shape, self.lengths)
        if shape == ANYTHING and not self.layout.by_depth:
            self.repeats_names = True
            return any_value(self.layout)
        key = (shape, depth if self.layout.by_depth else 0, free if shape == ANYTHING else 0)
        if key not in self._nodes:
            if shape == ANYTHING:
                free -= 1
            options = [o for o in shape.expanded() if free >= 0 or not isinstance(o, (ArrayShape, ObjectShape))]
            self._nodes[key] = ir.union(*(self.option(option, depth, free) for option in options))
        return self._nodes[key]

    def _put_off(self, shape: Shape, lengths: Shortest | Lengths) -> ir.Node:
        """The texts of the values of `shape`, to be written later unless they are constants."""
        # Most shapes that come again are one and the same object, which takes no comparison to see.
        known = self._met.get(id(shape))
        if known is None:
            resolved = shape.resolved() if shape.is_lazy else shape
            node = self._later.get(resolved) or self.common.get(resolved)
            if node is None:
                node = self._later[resolved] = self._to_be_written(resolved, lengths)
            known = self._met[id(shape)] = shape, node
        return known[1]

    def _to_be_written(self, shape: Shape, lengths: Shortest | Lengths) -> ir.Node:
        n_bytes = 0 if _CONSTANTS.issuperset(map(type, shape.expanded())) else lengths.of(shape)
        if n_bytes >= NEVER:
            return ir.EMPTY
        if 0 < n_bytes < MAX_BYTES:
            return ir.Later(f"#{len(self._later)}", n_bytes, partial(self._now, shape))
        return self._now(shape)

    def _now(self, shape: Shape) -> ir.Node:
        """The texts of the values of a shape, those of their parts to be written later."""
        if shape == ANYTHING:
            return anything(self.layout, self.node(shape, 0, 0))
        return ir.union(*[self.option(option, 0, 0) for option in shape.expanded()])

    def option(self, option: Option, depth: int = 0, free: int = 0) -> ir.Node:
        """The texts of the values of one option."""
        if isinstance(option, Constant):
            return self._constant(option.value, depth)
        if isinstance(option, StringShape):
            return quoted(self._string_body(option))
        if isinstance(option, NumberShape):
            return number(option)
        if isinstance(option, ArrayShape):
            return self._array(option, depth, free)
        if isinstance(option, Lazy):
            return self._reference(option, depth, free)
        return Members(self, option, depth, free).node()

    def _string_body(self, shape: StringShape) -> ir.Node:
        if not shape.restrictions:
            return body(shape.low, shape.high)
        if self.lengths is not None and (ready := strings.ready(shape)) is not None:
            return ir.Spelled(ready)
        for keyword in strings.left_open(shape):
            self.open_places[keyword, shape.pointer] = None
        return self.spelled(strings.values(shape))

    def spelled(self, values: ir.Node) -> ir.Node:
        """The bodies of JSON strings with these values."""
        return spelled(values) if self.lengths is None else laid_out(values)

    def _reference(self, lazy: Lazy, depth: int, free: int) -> ir.Node:
        if self.layout.by_depth and depth > INDENTED_DEPTH:
            return ir.EMPTY
        if self.lengths is not None:
            return self.node(lazy.resolve(lazy), depth, free)
        key = (lazy, depth if self.layout.by_depth else 0)
        if key not in self._names:
            if len(self._names) >= MAX_RULES:
                raise LimitExceeded(f"this recursive schema needs more than {MAX_RULES:,} rules")
            said = " & ".join(part if isinstance(part, str) else "…" for part in lazy.parts)
            self._names[key] = name = f"#{said} {len(self._names)}"
            self._unwritten.append((name, lazy, depth, free))
        return ir.Ref(self._names[key])

    def _constant(self, value: Value, depth: int) -> ir.Node:
        if isinstance(value, str):
            return dumped(value)
        if isinstance(value, list):
            items = [self._constant(item, depth + 1) for item in value]
            return self.enclosed("[", self._separated(items, depth), "]", depth)
        if isinstance(value, dict):
            return self._constant_object(value, depth)
        return constant(value)

    def _constant_object(self, value: dict[str, Value], depth: int) -> ir.Node:
        if self.any_order and len(value) > 1:
            return Members(self, all_of_constant(value), depth, 0).node()
        members = [self.member(name, self._constant(item, depth + 1)) for name, item in value.items()]
        return self.enclosed("{", self._separated(members, depth), "}", depth)

    def _separated(self, items: list[ir.Node], depth: int) -> ir.Node:
        parts = [part for item in items for part in (self.layout.comma(depth), item)]
        return ir.concat(*parts[1:])

    def enclosed(self, opening: str, inner: ir.Node, closing: str, depth: int) -> ir.Node:
        """A container of `inner`, or an empty one where `inner` is the empty text."""
        if ir.is_epsilon(inner):
            return ir.concat(ir.literal(opening), self.layout.empty, ir.literal(closing))
        first, last = self.layout.first(depth), self.layout.last(depth)
        return ir.concat(ir.literal(opening), first, inner, last, ir.literal(closing))

    def container(self, brackets: str, forms: Sequence[ir.Node], depth: int, may_be_empty: bool) -> ir.Node:
        """A container of one of the forms, none of which is the empty text, or an empty one if that may be."""
        opening, closing = brackets[0], brackets[1]
        if self.lengths is None or not forms:
            empty = [self.enclosed(opening, ir.EPSILON, closing, depth)] if may_be_empty else []
            return ir.union(*empty, *(self.enclosed(opening, form, closing, depth) for form in forms))
        # Layouts in which values are written later have the same between brackets as after the first of them.
        inner = ir.concat(ir.union(*forms), self.layout.last(depth))
        inner = ir.optional(inner) if may_be_empty else inner
        return ir.concat(ir.literal(opening), self.layout.empty, inner, ir.literal(closing))

    @property
    def between(self) -> ir.Node:
        """A comma and what every property begins with."""
        return between(self.layout)

    def member(self, name: str, value: ir.Node) -> ir.Node:
        """One property."""
        return ir.concat(dumped(name), self.layout.colon, value)

    def _array(self, array: ArrayShape, depth: int, free: int) -> ir.Node:
        if array.distinct and (found := self._distinct(array, depth)) is not None:
            return found
        return self._counted(array, depth, free) if array.counted else self._items(array, depth, free)

    def _distinct(self, array: ArrayShape, depth: int) -> ir.Node | None:
        """Arrays in which no value comes twice; `None` (they are left open) unless there are few, all of them plain."""
        options = array.rest.expanded()
        if array.prefix or array.counted or not all(map(is_plain, options)) or are_many(len(options), array.high):
            self.open_places["uniqueItems", array.pointer] = None
            return None
        items = [self.option(option, depth + 1) for option in options]
        lengths = [self.lengths.of(Shape((option,))) for option in options] if self.lengths else None
        forms = [Distinct(array, items, self.layout.comma(depth), lengths, next(self._numbers)).items]
        return self.container("[]", forms, depth, array.low == 0)

    def _counted(self, array: ArrayShape, depth: int, free: int) -> ir.Node:
        found = ways(array)
        if found is None:
            self.open_places |= {("contains", counted.pointer): None for counted in array.counted}
            return self._items(array, depth, free)
        node = partial(self.node, depth=depth + 1, free=free)
        items = Counting(array, found, self.layout.comma(depth), node).items
        forms = [] if ir.is_empty(items) else [items]
        # Where matches are needed, so are items.
        return self.container("[]", forms, depth, array.low == 0)

    def _items(self, array: ArrayShape, depth: int, free: int) -> ir.Node:
        items = [self.node(item, depth + 1, free) for item in array.prefix]
        rest = self.node(array.rest, depth + 1, free) if len(items) != array.high else ir.EMPTY
        comma = self.layout.comma(depth)
        low, high = array.low, array.high
        if not items and low <= 1 and high is None:
            forms = [] if ir.is_empty(rest) else [ir.separated(comma, [(rest, "+")])]
            return self.container("[]", forms, depth, low == 0)
        more = None if high is None else high - len(items)
        tail = ir.repeat(ir.concat(comma, rest), max(0, low - len(items)), more)
        for position in range(len(items) - 1, 0, -1):
            tail = ir.concat(comma, items[position], tail)
            tail = tail if position < low else ir.optional(tail)
        forms = []
        if items:
            forms.append(ir.concat(items[0], tail))
        elif high != 0 and not ir.is_empty(rest):
            tail = ir.repeat(ir.concat(comma, rest), max(0, low - 1), None if high is None else high - 1)
            forms.append(ir.concat(rest, tail))
        return self.container("[]", [form for form in forms if not ir.is_empty(form)], depth, low == 0)


_CONSTANTS = frozenset({Constant})
_NUMBERS = Shape((NumberShape(),)), Shape((NumberShape(integer=True),))
_STRINGS = Shape((StringShape(),))
_COMMON = (ANYTHING, _STRINGS, *_NUMBERS, *(Shape((ArrayShape((), rest),)) for rest in (ANYTHING, _STRINGS, *_NUMBERS)))


@lru_cache(maxsize=16)
def stock(spaces: Layout) -> tuple[Mapping[Shape, ir.Node], ir.Stock]:
    """The values that no schema restricts but by type, by their shapes, and as what languages have in common."""
    lengths = Shortest(lambda option, parts: shortest_bytes(Emitter(spaces, lengths=parts).option(option)), None)
    emitter = Emitter(spaces, lengths=lengths)
    nodes = {shape: emitter.node(shape, 0, 0) for shape in _COMMON}
    parts = tuple(node for node in nodes.values() if isinstance(node, ir.Later))
    return nodes, ir.Stock(parts, (spaces.colon, spaces.empty, between(spaces)))


@lru_cache(maxsize=16)
def between(spaces: Layout) -> ir.Node:
    """A comma and what every property begins with, at any depth: one object for a layout, which makes it a rule."""
    return ir.concat(spaces.comma(0), QUOTE)


@lru_cache(maxsize=16)
def any_value(spaces: Layout) -> ir.Node:
    """Every JSON value, names in objects possibly repeated: a closed rule, the same object for a layout."""
    return ir.recursive("json value", {"json value": anything(spaces, ir.Ref("json value"))})


def anything(spaces: Layout, value: ir.Node) -> ir.Node:
    """Every JSON value whose parts are `value`."""
    emitter = Emitter(spaces)
    comma = spaces.comma(0)
    member = ir.concat(quoted(body(0, None)), spaces.colon, value)
    arrays = (emitter.enclosed("[", inner, "]", 0) for inner in (ir.EPSILON, ir.separated(comma, [(value, "+")])))
    objects = (emitter.enclosed("{", inner, "}", 0) for inner in (ir.EPSILON, ir.separated(comma, [(member, "+")])))
    words = ir.word_set([b"null", b"true", b"false"])
    return ir.union(words, any_number(), quoted(body(0, None)), *arrays, *objects)
