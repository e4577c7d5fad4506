"""The length of the shortest JSON text of a shape, without writing its texts out.

Parts that are written when a walk gets there (`ir.Later`) have to say beforehand whether they have
members, and how short: distances to acceptance are made of that. Lengths of recursive shapes are the
greatest solution of their equations, found by repeated evaluation (Knuth 1977 without a queue:
schemas have few circles). Where only an automaton can tell (intersections, complements, counts of
properties) one is built of that option, its parts as long as is known of them. Linear in the shape for each
level of recursion.
"""

from __future__ import annotations

import json
import math
import string
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, lru_cache

from pgen.language import ir
from pgen.language.base import late
from pgen.language.json_schema import strings
from pgen.language.json_schema.formats import SHORTEST
from pgen.language.json_schema.members import all_of_constant, is_exact, plain_extra
from pgen.language.json_schema.numbers import constant, is_multiple, number
from pgen.language.json_schema.shapes import (
    NOTHING,
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
from pgen.language.json_schema.spelling import is_plain, n_bytes_of_character

NEVER = 2**200
"""The length of what has no members."""


class Untold(Exception):
    """The shortest member cannot be told without an automaton."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths in bytes of the shortest texts of shapes."""

    of: Callable[[Shape], int]


@dataclass
class Shortest:
    """Lengths in bytes, memoised, for layouts whose separators are one byte long at least.

    `measure` finds the length of one option by its automaton, from the lengths of its parts; in any
    order of properties `exact_orders` are the objects that are exact.
    """

    measure: Callable[[Option, Lengths], int]
    exact_orders: frozenset[ObjectShape] | None = None
    _known: dict[Shape, int] = field(default_factory=dict)
    _settled: dict[Shape, int] = field(default_factory=dict)
    _met: set[Shape] = field(default_factory=set)
    _circular: bool = False
    _changed: bool = False

    def of(self, shape: Shape) -> int:
        """Bytes of the shortest text of the values of `shape`; `NEVER` if there is none."""
        if shape.options is None:
            return 1
        while (settled := self._settled.get(shape)) is None:
            self._circular = self._changed = False
            self._met.clear()
            self._evaluate(shape)
            if not (self._circular and self._changed):
                self._settled.update([(met, self._known[met]) for met in self._met])
        return settled

    def _evaluate(self, shape: Shape) -> int:
        """One more estimate, from above, for a shape and whatever it depends on."""
        if shape.options is None:
            return 1
        if (settled := self._settled.get(shape)) is not None:
            return settled
        if _WITHOUT_PARTS.issuperset(map(type, shape.options)):
            self._settled[shape] = found = min(map(self._option, shape.options), default=NEVER)
            return found
        if shape in self._met:
            self._circular = True
            return self._known.get(shape, NEVER)
        self._met.add(shape)
        found = min(map(self._option, shape.options))
        self._changed |= self._known.get(shape) != found
        self._known[shape] = found
        return found

    def _option(self, option: Option) -> int:
        try:
            return self._told(option)
        except Untold:
            return self.measure(option, Lengths(self._evaluate))

    def _told(self, option: Option) -> int:
        """The length of an option without an automaton. Raises `Untold`."""
        match option:
            case Constant():
                return self._constant(option.value)
            case StringShape():
                return _of_string(option)
            case NumberShape():
                return _of_number(option)
            case ArrayShape():
                return self._array(option)
            case Lazy():
                return self._evaluate(option.resolve(option))
        return self._object(option)

    def _array(self, array: ArrayShape) -> int:
        if array.counted or (array.distinct and array.low > 1):
            raise Untold
        needed = [*array.prefix[: array.low], *[array.rest] * min(1, array.low - len(array.prefix))]
        lengths = [self._evaluate(item) for item in needed]
        more = lengths[-1] * (array.low - len(needed)) if needed else 0
        return _sum(2, max(0, array.low - 1), more, *lengths)

    def _object(self, shape: ObjectShape) -> int:
        required = set(shape.required)
        items = [(name, item) for name, item in shape.properties if name in required]
        all_plain = is_plain("".join([name for name, _ in items]))
        quoted = [2 + len(name) if all_plain else _of_constant(name) for name, _ in items]
        members = [length + 1 + self._evaluate(item) for length, (_, item) in zip(quoted, items, strict=True)]
        if not is_exact(shape, self.exact_orders) and _sum(*members) < NEVER:
            return 2 if shape.low == 0 and not shape.required else _sum(2, self._one_property(shape))
        if shape.low == 1 and not members:
            return _sum(2, self._one_property(shape))
        if shape.low > len(shape.required):
            raise Untold
        return _sum(2, max(0, len(members) - 1), *members)

    def _one_property(self, shape: ObjectShape) -> int:
        """The shortest one among the properties of an object, whichever they are."""
        extra = plain_extra(shape)
        taken = {name for name, _ in shape.properties}
        free = 0 if "" not in taken else 1
        if extra is None or taken.issuperset(string.ascii_letters):
            raise Untold
        members = [_of_constant(name) + 1 + self._evaluate(item) for name, item in shape.properties if item != NOTHING]
        return min([*members, NEVER if extra == NOTHING else 2 + free + 1 + self._evaluate(extra)])

    def _constant(self, value: Value) -> int:
        if self.exact_orders is None:
            return _of_constant(value)
        if isinstance(value, list):
            return 2 + max(0, len(value) - 1) + sum(map(self._constant, value))
        return self._object(all_of_constant(value)) if isinstance(value, dict) else _of_constant(value)


_WITHOUT_PARTS = frozenset({Constant, StringShape, NumberShape})


def _sum(*lengths: int) -> int:
    return min(NEVER, sum(lengths))


def _of_number(shape: NumberShape) -> int:
    """Numbers are integers first: with up to three characters no other spelling is shorter than those there are."""
    for width in (1,) if shape.steps else (1, 2, 3):
        first, last = 10 ** (width - 1) - (width == 1), 10**width - 1
        if _has_integer(shape, first, last) or (width > 1 and _has_integer(shape, -(last // 10), -(first // 10))):
            return width
    node = number(shape)
    return _cheapest_member(node, _ONE_EACH) if isinstance(node, ir.Packed) else shortest_member(node)


def _has_integer(shape: NumberShape, first: int, last: int) -> bool:
    """Whether one of these integers is among the numbers of a shape."""
    low, high = shape.low, shape.high
    if low is not None and low >= first:
        first = math.ceil(low) + (shape.low_open and low == math.ceil(low))
    if high is not None and high <= last:
        last = math.floor(high) - (shape.high_open and high == math.floor(high))
    members = range(first, last + 1)
    return any(all(is_multiple(Decimal(n), step) for step in shape.steps) for n in members[:10])


def _of_constant(value: Value) -> int:
    if isinstance(value, str):
        if is_plain(value):
            return 2 + len(value)
        whole = all(not 0xD800 <= ord(c) <= 0xDFFF for c in value)
        return len(json.dumps(value, ensure_ascii=False).encode()) if whole else len(json.dumps(value))
    if isinstance(value, list):
        return 2 + max(0, len(value) - 1) + sum(map(_of_constant, value))
    if isinstance(value, dict):
        return 2 + max(0, len(value) - 1) + sum(_of_constant(name) + 1 + _of_constant(v) for name, v in value.items())
    if value is None or isinstance(value, bool):
        return 5 if value is False else 4
    return shortest_member(constant(value))


@lru_cache(maxsize=4096)
def _of_string(shape: StringShape) -> int:
    if shape.high is not None and shape.high < shape.low:
        return NEVER
    if not shape.restrictions:
        return _sum(2, shape.low)
    if shape.high is None and len(shape.restrictions) == 1:
        (only,) = shape.restrictions
        # The shortest strings of formats take one byte a character.
        if only.kind == "format" and shape.low <= SHORTEST[only.source]:
            return 2 + SHORTEST[only.source]
    values = strings.values(shape)
    if not ir.has_boolean(values):
        with suppress(Untold):
            return _sum(2, shortest_member(values, n_bytes_of_character))
    return _sum(2, _cheapest_member(values, _byte_costs()))


_ONE_EACH = (1,) * 256


@cache
def _byte_costs() -> tuple[int, ...]:
    """What each byte of a text adds to its shortest spelling; a character beyond ASCII is cheapest as it is."""
    return tuple(n_bytes_of_character(byte) if byte < 0x80 else 1 for byte in range(256))


def _cheapest_member(node: ir.Node, costs: tuple[int, ...]) -> int:
    """The least that a member costs, each byte what `costs` says; `NEVER` if there is none."""
    found: int | None = late("pgen.automata.growth:cheapest_member")(node, costs)
    return NEVER if found is None else found


def shortest_bytes(node: ir.Node) -> int:
    """Bytes of the shortest member of a node, by its automaton; `NEVER` if it has none."""
    found: int | None = late("pgen.automata.growth:shortest_bytes")(node)
    return NEVER if found is None else found


def shortest_member(node: ir.Node, cost: Callable[[int], int] = lambda code: len(chr(code).encode())) -> int:
    """Bytes of the shortest member of a node, a code point taking `cost`; `NEVER` if it has none. Raises `Untold`."""
    found: dict[int, int] = {}
    waiting = [node]
    while waiting:
        here = waiting[-1]
        missing = [part for part in ir.children(here) if id(part) not in found]
        if missing:
            waiting += missing
        else:
            found[id(waiting.pop())] = _of_node(here, [found[id(part)] for part in ir.children(here)], cost)
    return found[id(node)]


def _of_node(node: ir.Node, parts: list[int], cost: Callable[[int], int]) -> int:
    """The same from the lengths of the parts."""
    match node:
        case ir.Literal(data):
            return sum(cost(ord(character)) for character in data.decode())
        case ir.Words(words):
            return min(sum(cost(ord(character)) for character in word.decode()) for word in words)
        case ir.Chars(ranges):
            return min((_cheapest(low, high, cost) for low, high in ranges), default=NEVER)
        case ir.Concat():
            return _sum(*parts)
        case ir.Union():
            return min(parts)
        case ir.Repeat(_, low, _):
            return _sum(parts[0] * low) if low else 0
    raise Untold


def _cheapest(low: int, high: int, cost: Callable[[int], int]) -> int:
    """The cheapest code point from `low` to `high`: beyond ASCII the first. None takes less than a byte."""
    least = NEVER
    for code in (*range(low, min(high, 0x7F) + 1), max(low, min(high, 0x80))):
        least = min(least, cost(code))
        if least == 1:
            break
    return least
